"""Where a dream's memory goes, line by line and over time: the notebook's code and dream.py.

    python benchmarks/memory_profile.py [--megapixels 4] [--page docs/memory.md]

A generated sky, GoogLeNet with random weights, whole picture, inception_4c/output. The lines
come from memory_profiler, which runs `dream.py`, and the notebook's code on the same engine, for
one step on one octave. The curves are resident memory of processes without it, for two
octaves of two steps; the notebook's code on real Caffe is among them where
scripts/real_caffe_root.sh has a root.

The page gets the table and the plot, `pictures/memory_plot.png` beside it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import line_plot  # noqa: E402
import numpy as np  # noqa: E402
import random_googlenet  # noqa: E402
from pages import write_between  # noqa: E402

from dreamlib.imaging.open_save import save_picture  # noqa: E402
from dreamlib.imaging.pillow_io import load_picture  # noqa: E402
from dreamlib.imaging.samples import clouds  # noqa: E402
from dreamlib.util.subprocesses import environment  # noqa: E402

MARKER = "memory profile"
INTERVAL = 0.02  #: seconds between two samples of a process's memory
SHOWN = 2  #: bytes per pixel from which on a line is in the table
NOTEBOOK, OURS = "the notebook's code", "dream.py"


class Line(NamedTuple):
    """What memory_profiler says of a line of code."""

    function: str
    text: str
    increment: float  #: MiB, over all the times that it ran


def notebook_worker(engine, picture, octaves, steps):
    """Dream a picture with the notebook's own code, in this process.

    Its functions are given to memory_profiler, if that runs this script.
    """
    if engine == "caffe":
        import caffe
    else:
        import dreamlib.pycaffe as caffe
    from dreamlib.util.progress import profile
    from tests import notebook

    caffe.set_mode_cpu()
    prototxt, weights = random_googlenet.write(caffe)
    net = caffe.Classifier(prototxt, weights, mean=np.float32([104, 116, 122]))
    notebook.make_step = profile(notebook.make_step)
    notebook.deepdream = profile(notebook.deepdream)
    image = np.float32(load_picture(picture).pixels)
    np.random.seed(1)
    notebook.deepdream(net, image, iter_n=steps, octave_n=octaves, end=random_googlenet.END)


def notebook_arguments(engine, picture, octaves, steps):
    """Return the arguments by which Python runs `notebook_worker`."""
    return [
        "benchmarks/memory_profile.py", "--worker", engine, str(picture), str(octaves), str(steps),
    ]  # fmt: skip


def dream_arguments(folder, octaves, steps):
    """Return the arguments by which Python runs dream.py for the same dream."""
    return [
        "dream.py", str(folder / "sky.png"), str(folder / "dream.png"), "--engine", "torch",
        "--model", str(random_googlenet.FOLDER), "--schedule",
        "whole", "--octaves", str(octaves), "--iterations", str(steps), "--seed", "1", "--quiet",
        "--overwrite",
    ]  # fmt: skip


def run(arguments, *options):
    """Run a script of the project by this Python; return what it printed."""
    done = subprocess.run(
        [sys.executable, *options, *arguments], cwd=PROJECT, check=False,
        env=environment(PYTHONSAFEPATH=""), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def parse(output):
    """Read what memory_profiler printed: a list of `Line` that ran, in the order of the code.

    For a call of another profiled function it prints all memory as the increment: there the memory
    after the line before is subtracted. Lines of loops and contexts run several times and are left
    out.
    """
    found, function, before = [], "", 0.0
    row = re.compile(r"\s*\d+\s+(-?[\d.]+) MiB\s+(-?[\d.]+) MiB\s+(\d+)   (.*)")
    for line in output.splitlines():
        match = row.fullmatch(line)
        if not match:
            continue
        usage, increment, text = float(match[1]), float(match[2]), match[4].strip()
        if text.startswith("def "):
            function, before = re.match(r"def (\w+)", text).group(1), usage
        elif not text.startswith(("for ", "with ", "while ")):
            found.append(Line(function, text, usage - before if increment == usage else increment))
            before = usage
    return found


def function_names(output):
    """Give memory_profiler's output with each function's name on its first row.

    The row that carries the memory before is the decorator's where there is one.
    """
    return re.sub(r"(\d   )[ ]*@profile\n(\s*\d+\s+)(def )", r"\1\3", output)


def table(lines, pixels):
    """Write a Markdown table of the lines that matter."""
    rows = ["| function | line | increment, MiB | bytes per pixel |", "| --- | --- | ---: | ---: |"]
    for line in lines:
        per_pixel = line.increment * 2**20 / pixels
        if abs(per_pixel) >= SHOWN:
            text = line.text.replace("|", "\\|")
            rows.append(
                f"| `{line.function}` | `{text}` | {line.increment:.0f} | {per_pixel:.0f} |"
            )
    return "\n".join(rows)


def sampled(action):
    """Do something that runs other processes; return their memory over time.

    Returns
    -------
    list of (float, int)
        Seconds since the first was seen, and bytes resident in all of them.
    """
    import psutil

    found, done = [], threading.Event()

    def sample():
        begin = None
        while not done.wait(INTERVAL):
            total = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            if total and begin is None:
                begin = time.monotonic()
            if total:
                found.append((time.monotonic() - begin, total))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        action()
    finally:
        done.set()
        thread.join()
    return found


def curves(folder, with_caffe):
    """Run the dreams, two octaves of two steps, and return each one's memory over time."""
    sky = folder / "sky.png"
    found = {}
    if with_caffe:
        from tests.real_caffe import root

        try:
            root.find()
        except root.Unavailable as why:
            print(f"without real Caffe: {why}", file=sys.stderr)
        else:
            with tempfile.TemporaryDirectory() as copy:
                (Path(copy) / sky.name).write_bytes(sky.read_bytes())
                script, *arguments = notebook_arguments("caffe", sky.name, 2, 2)
                arguments = [f"{{project}}/{script}", *arguments]
                found[f"{NOTEBOOK}, real Caffe"] = sampled(lambda: root.run(arguments, Path(copy)))
    found[f"{NOTEBOOK}, our engine"] = sampled(lambda: run(notebook_arguments("torch", sky, 2, 2)))
    found[OURS] = sampled(lambda: run(dream_arguments(folder, 2, 2)))
    return found


def report(megapixels, lines, series, pixels):
    """Write what goes into the page."""
    peaks = [
        f"| {name} | {max(rss for _, rss in line) / 2**20:.0f} | {line[-1][0]:.0f} |"
        for name, line in series.items()
    ]
    parts = [
        f"`make profile`, {megapixels:.2f} megapixels, GoogLeNet with random weights to "
        f"`{random_googlenet.END}`. Two octaves of two steps, whole processes from start "
        "to end:",
        "![resident memory over time](pictures/memory_plot.png)",
        "\n".join(["| process | peak, MiB | seconds |", "| --- | ---: | ---: |", *peaks]),
        f"Line by line, one step on one octave, all lines that keep or give back {SHOWN} bytes per "
        "pixel or more. What a line needs only while it runs is not in its increment, but in the "
        "peak above.",
    ]
    for name, found in lines.items():
        parts.append(f"{name[0].upper()}{name[1:]}:\n\n{table(found, pixels)}")
    return "\n\n".join(parts)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=4)
    parser.add_argument("--page", type=Path, default=PROJECT / "docs" / "memory.md")
    parser.add_argument("--without-caffe", action="store_true")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.worker:
        engine, picture, octaves, steps = options.worker
        notebook_worker(engine, picture, int(octaves), int(steps))
        return
    from dreamlib import pycaffe

    random_googlenet.write(pycaffe)
    width, height = (round((options.megapixels * 1e6 * ratio) ** 0.5) for ratio in (1.5, 1 / 1.5))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_picture(str(folder / "sky.png"), clouds(width, height, seed=1))
        profiled = {
            f"{NOTEBOOK} on our engine": run(
                notebook_arguments("torch", folder / "sky.png", 1, 1), "-m", "memory_profiler"
            ),
            f"`{OURS}`": run(dream_arguments(folder, 1, 1), "-m", "memory_profiler"),
        }
        lines = {name: parse(function_names(text)) for name, text in profiled.items()}
        series = curves(folder, not options.without_caffe)
    plot = {name: [(s, rss / 2**30) for s, rss in line] for name, line in series.items()}
    picture = options.page.parent / "pictures" / "memory_plot.png"
    picture.parent.mkdir(exist_ok=True)
    line_plot.draw(plot, "seconds", "GiB").save(picture, optimize=True)
    text = report(width * height / 1e6, lines, series, width * height)
    write_between(options.page, MARKER, text)
    print(text)


if __name__ == "__main__":
    main()
