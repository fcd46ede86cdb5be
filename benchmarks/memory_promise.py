"""Is `--memory` kept? Some sixty dreams, each a command of its own, with their peaks.

    python benchmarks/memory_promise.py [--only WORD] [--megapixels 48] [--folder FOLDER]
    python benchmarks/memory_promise.py --giant     100 megapixels by two workers in 1 GB

The peak is that of the command and all its worker processes together, looked at forty times a
second: a page that two of them share counts once. It is the larger of two counts: the sum of their
PSS, and what is each one's own (anonymous) plus the most pages of files that one of them holds,
since PSS gets smaller where strangers on the machine use the same libraries. A refusal in words,
which takes nothing, keeps the promise too; what it took until then is printed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from dreamlib.util.memory import parse_bytes  # noqa: E402

#: Seconds between two looks; and that a dream may take.
LOOK, PATIENCE = 0.025, 900

#: What is dreamt, unless the flags say otherwise: a moment, by tiles, near the input.
QUICK = ["--model", "efficientnet_lite0", "--engine", "torch", "--seed", "1", "--octaves", "1",
         "--iterations", "1", "--jitter", "8"]  # fmt: skip
STEM = ["--end", "stem"]

#: A region of the large pictures: all of them is read, little of it dreamt.
PART = ["--region", "64,64,256,256"]


def cases():
    """Yield (name, memory, source, output, flags)."""
    low = [*QUICK, *STEM]
    for source in ("tif", "tiled.tif", "deep.tif", "png", "interlaced.png", "alpha.png", "jpg",
                   "progressive.jpg", "turned.jpg", "cmyk.jpg", "webp", "lossless.webp", "gif",
                   "avif", "bmp"):  # fmt: skip
        yield f"in {source}", "512M", f"large.{source}", "part.png", [*low, *PART]
    yield "in progressive.jpg, roomy", "1200M", "large.progressive.jpg", "part.png", [*low, *PART]
    yield "in avif, roomy", "2G", "large.avif", "part.png", [*low, *PART]
    yield "in interlaced.png, roomy", "1G", "large.interlaced.png", "part.png", [*low, *PART]
    yield "in webp, roomy", "1G", "large.webp", "part.png", [*low, *PART]
    for output in ("tif", "png", "jpg", "webp", "bmp", "dzi"):
        yield f"out {output}", "600M", "middle.tif", f"out.{output}", low
    yield "out webp, roomy", "1200M", "middle.tif", "roomy.webp", low
    yield "out bmp, roomy", "1G", "middle.tif", "roomy.bmp", low
    for layout in ("tile", "pyramid"):
        yield f"out tif, {layout}", "600M", "middle.tif", "out.tif", [*low, "--tiff", layout]
    yield "alpha to alpha", "600M", "large.alpha.png", "out.png", low
    yield "16 bits to 16", "600M", "large.deep.tif", "out.tif", low
    for storage in ("uint8", "uint16", "float32"):
        yield f"storage {storage}", "600M", "middle.tif", "out.tif", [*low, "--storage", storage]
    yield "no clip", "600M", "small.tif", "out.tif", [*low, "--no-clip"]

    for schedule in ("shift", "spiral", "random", "windows"):
        flags = [*QUICK, "--end", "block4", "--schedule", schedule]
        yield f"schedule {schedule}", "600M", "small.tif", "out.png", flags
    yield "schedule whole", "600M", "small.tif", "out.png", [*low, "--schedule", "whole"]
    yield "left open", "1G", "small.tif", "out.png", [*QUICK, "--end", "block4"]
    yield "four octaves", "600M", "small.tif", "out.png", [*low, "--octaves", "4"]
    yield "deep layer", "800M", "small.tif", "out.png", [*QUICK, "--end", "block10"]
    yield "tile of 512", "700M", "small.tif", "out.png", [*low, "--tile-size", "512"]
    for more in (["--laplacian", "4"], ["--smooth", "0.5,1,2"], ["--anchor", "1"], ["--tv", "1"],
                 ["--keep-forms", "1"], ["--keep-colour"], ["--mask", "mask.png"],
                 ["--mask", "mask.png", "--mask-on", "steps"], ["--mask", "large.webp"],
                 ["--preview", "0.001"], ["--classify"]):  # fmt: skip
        yield " ".join(more).strip("-"), "600M", "small.tif", "out.png", [*low, *more]

    for memory in ("512M", "1500M", "2500M"):
        guide = [*QUICK, "--end", "block4", "--guide", "guide.jpg"]
        yield f"guide in {memory}", memory, "small.tif", "out.png", guide
    guides = [*QUICK, "--end", "block4", "--guide", "guide.jpg,mask.png", "--guide-mode"]
    yield "two guides, channels", "700M", "small.tif", "out.png", [*guides, "channels"]
    yield "guide that is large", "700M", "small.tif", "out.png", [*QUICK, "--end", "block4",
           "--guide", "large.progressive.jpg"]  # fmt: skip
    yield "guide, two workers", "2G", "small.tif", "out.png", [*guides, "match", "--devices",
           "cpu,cpu"]  # fmt: skip
    styles = "style(block2, guide.jpg), style(block4, guide.jpg)@mask.png, block3@mask.png"
    yield "styles and masks", "900M", "small.tif", "out.png", [*QUICK, "--layers", styles]
    yield "styles and masks, two workers", "2G", "small.tif", "out.png", [
        *QUICK, "--layers", styles, "--devices", "cpu,cpu"]  # fmt: skip
    adam = [*QUICK, "--end", "block4", "--optimiser", "adam"]
    for schedule, memory in (("whole", "4G"), ("shift", "800M"), ("shift", "1G")):
        yield f"Adam, {schedule}", memory, "small.tif", "out.tif", [*adam, "--schedule", schedule]
    for memory in ("512M", "700M", "1G"):
        two = [*low, "--devices", "cpu,cpu"]
        yield f"two workers in {memory}", memory, "small.tif", "out.tif", two
    yield "three workers", "1500M", "small.tif", "out.tif", [*low, "--devices", "cpu,cpu,cpu"]
    yield "two workers, webp", "1G", "middle.tif", "out.webp", [*low, "--devices", "cpu,cpu"]

    draw = [*QUICK[:6], "--target", "tabby"]
    quick_script = ["--script", "quick.toml"]
    yield "script from noise", "800M", "noise:400x300", "out.png", [*draw, *quick_script]
    yield "script, into a picture", "800M", "tiny.png", "out.png", [*draw, *quick_script]
    yield "direct ascent", "1G", "noise:256x256", "out.png", [*draw, "--script", "direct.toml"]
    judged = [*draw, "--script", "direct.toml", "--judges", "./judge"]
    yield "judged", "1500M", "noise:256x256", "out.png", judged

    frames = [*low, "--frames", "2"]
    yield "frames", "800M", "tiny.png", "frames-png", frames
    yield "frames, jpeg and gif", "800M", "tiny.png", "frames-gif", [*frames, "--gif", "out.gif"]
    yield "frames of 6 megapixels", "900M", "small.tif", "frames-small", frames
    yield "frames of a large picture", "512M", "large.tif", "frames-large", frames
    yield "frames of 900 megapixels", "1G", "huge.png", "frames-huge", frames
    yield "clip", "1200M", "film.mp4", "clip.mp4", low
    for memory in ("800M", "3500M"):
        yield f"clip of 8 megapixels, {memory}", memory, "wide.mp4", "wide-clip.mp4", low
    mp4 = ["--mp4", "out.mp4"]
    yield "frames, mp4 of 6 megapixels", "2500M", "small.tif", "frames-mp4", [*frames, *mp4]


def sky(megapixels):
    """Make a sky of a number of megapixels, 25 by 16."""
    import pyvips

    from dreamlib.imaging.samples import clouds

    width, height = round((megapixels * 1.5625e6) ** 0.5), round((megapixels / 1.5625e-6) ** 0.5)
    tile = pyvips.Image.new_from_array(clouds(1500, 1000)).copy(interpretation="srgb")
    across, down = -(-width // 1500), -(-height // 1000)
    return tile.replicate(across, down).crop(0, 0, width, height)


def make_pictures(folder, megapixels):
    """Write the pictures that `cases` names."""
    import pyvips

    from dreamlib.video.encode import assemble

    def path(name):
        return str(Path(folder, name))

    large = sky(megapixels)
    tiff = {"compression": "deflate", "predictor": "horizontal"}
    large.tiffsave(path("large.tif"), **tiff)
    large.tiffsave(path("large.tiled.tif"), tile=True, **tiff)
    large.linear(257, 0).cast("ushort").copy(interpretation="rgb16").tiffsave(
        path("large.deep.tif"), **tiff
    )
    large.pngsave(path("large.png"), compression=1)
    large.pngsave(path("large.interlaced.png"), compression=1, interlace=True)
    large.bandjoin(200).pngsave(path("large.alpha.png"), compression=1)
    large.jpegsave(path("large.jpg"))
    large.jpegsave(path("large.progressive.jpg"), interlace=True)
    turned = large.copy()
    turned.set_type(pyvips.GValue.gint_type, "orientation", 6)
    turned.jpegsave(path("large.turned.jpg"))
    large.colourspace("cmyk").jpegsave(path("large.cmyk.jpg"))
    large.webpsave(path("large.webp"), effort=0)
    large.webpsave(path("large.lossless.webp"), effort=0, lossless=True)
    by_pillow(folder)
    sky(megapixels / 2).tiffsave(path("middle.tif"), **tiff)
    sky(6).tiffsave(path("small.tif"), **tiff)
    sky(0.3).pngsave(path("tiny.png"))
    assemble([path("tiny.png")] * 3, path("film.mp4"))
    large.crop(0, 0, 3840, 2160).pngsave(path("wide.png"))
    assemble([path("wide.png")] * 3, path("wide.mp4"))
    shutil.copytree(PROJECT / "models" / "efficientnet_lite0", path("judge"))
    sky(1.2).jpegsave(path("guide.jpg"))
    sky(0.5).pngsave(path("mask.png"))
    pyvips.Image.black(30000, 30000, bands=3).pngsave(path("huge.png"), compression=1)
    octave = "[[octave]]\niter_n = 4\nstart_step_size = 5\nend_step_size = 1\n"
    Path(folder, "quick.toml").write_text(octave)
    Path(folder, "direct.toml").write_text(octave + "views = 3\n")


def by_pillow(folder):
    """Write what libvips may not."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(Path(folder, "large.tif")) as large:
        for name in ("large.gif", "large.bmp"):
            large.save(Path(folder, name))
        large.save(Path(folder, "large.avif"), speed=10)


def peak_of(command, folder):
    """Run a command: its peak in bytes, seconds, exit code and last words."""
    begin, most = time.monotonic(), 0
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=words, stderr=words)
        while process.poll() is None:
            most = max(most, tree_memory(process.pid))
            if time.monotonic() - begin > PATIENCE:
                process.terminate()
            time.sleep(LOOK)
        words.seek(0)
        said = words.read().strip().splitlines() or [""]
    return most, time.monotonic() - begin, process.returncode, said[-1]


def tree_memory(root):
    """Return the bytes that a process and its descendants hold: see this module's beginning."""
    shared = own = files = 0
    for pid in family(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # it has ended
            continue
        shared += _kilobytes("Pss", rollup)
        own += _kilobytes("RssAnon", status) + _kilobytes("RssShmem", status)
        files = max(files, _kilobytes("RssFile", status))
    return 1024 * max(shared, own + files)


def family(root):
    """List a process and its descendants."""
    found = [root]
    for pid in found:
        try:
            threads = list(Path(f"/proc/{pid}/task").iterdir())
            for thread in threads:
                found += map(int, (thread / "children").read_text().split())
        except OSError:  # it has ended
            continue
    return found


def _kilobytes(field, text):
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def table(rows, folder):
    """Run cases and print a line for each; return how many broke the promise or failed."""
    above = failed = 0
    print("| dream | stated, MiB | peak, MiB | seconds | |\n| --- | ---: | ---: | ---: | --- |")
    for name, memory, source, output, flags in rows:
        command = [sys.executable, str(PROJECT / "dream.py"), source, output, "--memory", memory]
        peak, seconds, code, said = peak_of([*command, *flags], folder)
        stated, outcome = parse_bytes(memory), ""
        if code == 2 and "--memory" in said:
            outcome = "refused: " + said.removeprefix("dream.py: ")
        elif code:
            outcome, failed = f"failed ({code}): {said}", failed + 1
        if peak > stated:
            outcome, above = f"ABOVE {outcome}".strip(), above + 1
        print(
            f"| {name} | {stated / 2**20:.0f} | {peak / 2**20:.0f} | {seconds:.0f} | {outcome} |",
            flush=True,
        )
    return above, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose name has this word")
    parser.add_argument("--megapixels", type=float, default=48, help="of the large pictures")
    parser.add_argument("--folder", help="for the pictures and work folders")
    parser.add_argument("--giant", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.giant:
            sky(100).tiffsave(str(Path(folder, "large.tif")), compression="deflate")
            rows = [giant()]
        else:
            make_pictures(folder, options.megapixels)
            rows = [row for row in cases() if options.only in row[0]]
        above, failed = table(rows, folder)
    print(f"\n{len(rows)} dreams, {above} above, {failed} failed")
    raise SystemExit(bool(above or failed))


def giant():
    """Return the case of 100 megapixels, two workers and 1 GB."""
    flags = [*QUICK, *STEM, "--schedule", "shift", "--devices", "cpu,cpu"]
    return "100 megapixels by two workers", "1G", "large.tif", "out.tif", flags


if __name__ == "__main__":
    main()
