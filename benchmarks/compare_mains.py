"""Do two checkouts dream the same pixels? For whoever moves walls.

    python benchmarks/compare_mains.py OLD NEW [--only PATTERN] [--keep FOLDER] [--time PAIRS]

Each case is a command that both checkouts run, each with its own ``.venv``, on pictures that NEW
makes; the outputs are compared pixel by pixel. OpenMP has one thread, since bits depend on their
number. The exit code is 1 where any pixel differs. With ``--time`` each case is then run in pairs,
and NEW is measured by OLD: the median of the pairs' ratios of time, and the means of peak memory.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

Image.MAX_IMAGE_PIXELS = None

SMALL = ["--octaves", "2", "--iterations", "2"]
TILED = [*SMALL, "--tile-size", "256"]
DISTORTIONS = (
    "zoom:0.05", "zoom:-0.1:0.2:0.7", "stretch:x:0.1", "stretch:y:-0.2", "rotate:7", "shift:3,-2",
    "affine:1,0.1,3,0,0.9,-2", "zoom:0.05, rotate:3, shift:2,0", "regions:3x4",
    "regions:2x2:0.1:steady", "roll:rows:sine(12,80)", "roll:cols:random(-9,9):group=5",
    "roll:alternate:linear(0.5,2)+10%:from=20:to=80%:speed=3", "pixelsort:rows",
    "pixelsort:cols:20..180:falling", "blur:1.5", "sobel", "sobel:colour:0.5", "prewitt:0.7",
    "hue:25", "palette:6", "hue:5, blur:1, roll:rows:4",
)  # fmt: skip


def cases(folder):
    """Return the arguments of ``dream.py`` by case; the output comes last but for the flags."""
    sky = str(folder / "sky.png")
    found = {
        "defaults": [sky, "out.png"],
        "wrap horizontal": [sky, "out.png", *TILED, "--schedule", "shift", "--wrap", "horizontal"],
        "guide": [sky, "out.png", *SMALL, "--guide", str(folder / "meadow.png")],
        "mixture": [sky, "out.png", *SMALL, "--layers", "block10, block3:0.3, mean(block6[1-4])"],
        "laplacian": [sky, "out.png", *SMALL, "--laplacian", "3"],
        "laplacian by tiles": [sky, "out.png", *TILED, "--schedule", "shift", "--laplacian", "2"],
        "smooth, calm": [sky, "out.png", *SMALL, "--smooth", "0.5,2", "--calm", "0.3"],
        "mask": [sky, "out.png", *SMALL, "--mask", str(folder / "meadow.png")],
        "mask on steps": [
            sky, "out.png", *TILED, "--mask", str(folder / "meadow.png"), "--mask-on", "both",
        ],
        "pull": [sky, "out.png", *SMALL, "--pull-base", "0.5", "--pull-mean", "0.2"],
        "keep colour": [sky, "out.png", *SMALL, "--keep-colour", "--strength", "0.6"],
        "tile steps": [sky, "out.png", *TILED, "--schedule", "spiral", "--tile-steps", "2"],
        "region": [sky, "out.png", *TILED, "--region", "300,100,200,160"],
        "classes by octaves": [sky, "out.png", "--target", "1, 417:0.5", "--octaves", "1",
                               "--iterations", "2"],
        "two workers": [sky, "out.png", *TILED, "--schedule", "shift", "--devices", "cpu,cpu"],
        "16 bits": [str(folder / "deep.tif"), "out.tif", *TILED, "--schedule", "shift"],
        "no clip": [sky, "out.png", *SMALL, "--no-clip", "--step-size", "9"],
        "ten frames": [str(folder / "small.png"), "frames", *SMALL, "--frames", "10"],
        "varied frames": [str(folder / "small.png"), "frames", *SMALL, "--frames", "3", "--vary",
                          "step_size:1..3, end:block3|block10", "--distort", "rotate:3, hue:5"],
        "clip": [str(folder / "clip.mp4"), "out.mp4", "--octaves", "1", "--iterations", "1"],
        "contact sheet": [str(folder / "small.png"), "out.png", "--iterations", "1",
                          "--contact-sheet", "block1*"],
    }  # fmt: skip
    for schedule in ("shift", "spiral", "random"):
        for storage in ("uint8", "uint16", "float32"):
            name = f"{schedule} {storage}"
            found[name] = [sky, "out.png", *TILED, "--schedule", schedule, "--storage", storage]
    return {name: _with_layer(arguments) for name, arguments in found.items()}


def _with_layer(arguments):
    """Name the layer, of which a model's own choice may change from main to main."""
    named = {"--end", "--layers", "--target", "--contact-sheet"} & set(arguments)
    return arguments if named else [*arguments, "--end", "block10"]


class Checkout:
    """A checkout, and the commands that it runs."""

    def __init__(self, path, folder):
        self.path, self.folder = Path(path).resolve(), folder
        self.python = str(self.path / ".venv/bin/python")

    def environment(self):
        return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.path)}

    def start(self, case, arguments, anew=True):
        """Begin to run a case in a folder of its own; return the folder and the process."""
        place = self.folder / case.replace(" ", "-").replace(",", "")
        if anew:
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        command = [self.python, str(self.path / "dream.py"), *arguments, "--seed", "5", "--quiet"]
        command += ["--model", str(self.path / "models/efficientnet_lite0"), "--engine", "torch"]
        with open(place / "said.txt", "w") as said:
            process = subprocess.Popen(
                command, cwd=place, env=self.environment(), stdout=said, stderr=said
            )
        return place, process

    def run(self, case, arguments, resume=False):
        """Run a case; return its folder."""
        place, process = self.start(case, arguments)
        if resume:
            self._interrupt(place, process)
            arguments = [*arguments[:2], "--resume", "--work-dir", "work"]
            _, process = self.start(case, arguments, anew=False)
        if process.wait():
            raise SystemExit(f"{self.path}: {case}: {(place / 'said.txt').read_text()}")
        return place

    @staticmethod
    def _interrupt(place, process):
        """Kill a dream some way in: once its journal has been written a second time."""
        journal, seen = place / "work/journal.json", set()
        while len(seen) < 2 and process.poll() is None:
            if journal.exists():
                seen.add(journal.stat().st_mtime_ns)
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            raise SystemExit(f"{place}: the dream ended before it was interrupted")

    def distort(self, chain, picture, out):
        """Distort a picture as frame 3 would be; the result is saved as an array."""
        script = (
            "import sys, numpy as np; from PIL import Image\n"
            "try: from dreamlib.video.distort import parse_chain\n"
            "except ImportError: from dreamlib.distort import parse_chain\n"
            "chain, picture, out = sys.argv[1:]\n"
            "levels = np.float32(Image.open(picture).convert('RGB'))\n"
            "parse_chain(chain, 5).apply(levels, 3)\n"
            "np.save(out, levels)\n"
        )
        command = [self.python, "-c", script, chain, str(picture), str(out)]
        done = subprocess.run(
            command, cwd=self.path, env=self.environment(), capture_output=True, text=True
        )
        return done.stderr.strip().splitlines()[-1] if done.returncode else np.load(out)


def make_pictures(new, folder):
    """Make what is dreamt."""
    for sample, name, size in (
        ("clouds", "sky", "600x400"),
        ("flowers", "meadow", "360x300"),
        ("clouds", "small", "240x160"),
    ):
        subprocess.run(
            [new.python, "-m", "dreamlib.imaging.samples", sample, str(folder / f"{name}.png"),
             "--size", size, "--seed", "1"], cwd=new.path, check=True, env=new.environment(),
        )  # fmt: skip
    script = (
        "import sys, numpy as np, pyvips; from PIL import Image\n"
        "deep = np.uint16(Image.open(sys.argv[1]).convert('RGB')) * 257 + 77\n"
        "made = pyvips.Image.new_from_array(deep).copy(interpretation='rgb16')\n"
        "made.tiffsave(sys.argv[2])\n"
    )
    subprocess.run(
        [new.python, "-c", script, str(folder / "sky.png"), str(folder / "deep.tif")], check=True
    )
    script = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"
    ffmpeg = subprocess.run([new.python, "-c", script], capture_output=True, text=True, check=True)
    subprocess.run(
        [ffmpeg.stdout.strip(), "-y", "-loglevel", "error", "-f", "lavfi", "-i",
         "testsrc2=size=160x120:rate=5:duration=1", str(folder / "clip.mp4")], check=True,
    )  # fmt: skip


def pixels_of(place):
    """Read all pictures that a case has left: {name: array}."""
    found = {}
    for path in sorted(place.rglob("*")):
        if path.suffix == ".png" and "work" not in path.parts:
            found[path.name] = np.asarray(Image.open(path))
        elif path.suffix in (".tif", ".mp4"):
            found[path.name] = np.frombuffer(_decoded(path), np.uint8)
    return found


def _decoded(path):
    """Return the pixels of a TIFF or a clip as bytes."""
    if path.suffix == ".tif":
        import tifffile

        return tifffile.imread(path).tobytes()
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path)]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def verdict(old, new):
    """Compare what a case has left: 'same', or the largest difference."""
    if old.keys() != new.keys():
        return f"files differ: {sorted(old)} and {sorted(new)}"
    if not old:
        return "nothing was written"
    most = 0
    for name in old:
        if old[name].shape != new[name].shape:
            return f"{name}: {old[name].shape} and {new[name].shape}"
        most = max(most, int(np.abs(old[name].astype(int) - new[name]).max(initial=0)))
    return "same" if most == 0 else f"differs by {most}"


def cost(checkout, case, arguments):
    """Run a case from start to end; return its seconds and its peak of resident memory, in KiB.

    Worker processes are not in the peak.
    """
    begin = time.perf_counter()
    place, process = checkout.start(f"timed {case}", arguments)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{checkout.path}: {case}: {(place / 'said.txt').read_text()}")
    return time.perf_counter() - begin, usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--only", default="*", metavar="PATTERN")
    parser.add_argument("--keep", metavar="FOLDER", help="where the outputs stay")
    parser.add_argument("--time", type=int, default=0, metavar="PAIRS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        old, new = (Checkout(getattr(options, name), folder / name) for name in ("old", "new"))
        make_pictures(new, folder)
        differ = 0
        wanted = cases(folder)
        wanted["resumed"] = [*wanted["shift uint8"], "--iterations", "12", "--work-dir", "work"]
        wanted["resumed, uninterrupted"] = wanted["resumed"]
        for case, arguments in wanted.items():
            if not fnmatch.fnmatch(case, options.only):
                continue
            resume = case == "resumed"
            places = [checkout.run(case, arguments, resume) for checkout in (old, new)]
            found = verdict(*map(pixels_of, places))
            differ += found != "same"
            told = ""
            if options.time and not resume:
                pairs = [
                    [cost(one, case, arguments) for one in (old, new)] for _ in range(options.time)
                ]
                seconds = statistics.median(b[0] / a[0] for a, b in pairs)
                # Peaks lie on a few levels, by how the heap falls out: a median jumps between them.
                memory = sum(b[1] for _, b in pairs) / sum(a[1] for a, _ in pairs)
                told = f"  {seconds:.3f} of the time, {memory:.3f} of the memory"
            print(f"{case:24} {found}{told}", flush=True)
        for chain in DISTORTIONS:
            if fnmatch.fnmatch(chain, options.only):
                results = [
                    one.distort(chain, folder / "small.png", folder / f"{name}.npy")
                    for name, one in (("a", old), ("b", new))
                ]
                same = all(isinstance(one, np.ndarray) for one in results)
                same = same and np.array_equal(*results)
                words = [one for one in results if isinstance(one, str)]
                differ += not same
                print(f"{chain:24} {'same' if same else words or 'differs'}", flush=True)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
