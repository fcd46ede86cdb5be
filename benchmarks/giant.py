"""Memory and speed of giant dreams: whole processes, from file to file, by the system's own count.

    python benchmarks/giant.py [--megapixels 4 100] [--memory 1G] [--iterations 1] [--octaves 4]
    python benchmarks/giant.py --ram-mode      bytes per pixel where canvases are held in RAM
    python benchmarks/giant.py --notebook      the notebook's own way on real Caffe, extrapolated

A sky is repeated to the size, dreamt with the embedded model and written as TIFF. The peak is that
of the process's resident memory. Speed is pixel-steps by the time between start and end of the
dreaming, without reading and writing the files.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

#: What the notebook's way is extrapolated to, in megapixels.
PANORAMA = 300


def make_picture(path, megapixels):
    """Write a picture of a number of megapixels, three by two."""
    import pyvips

    from dreamlib.imaging.samples import clouds

    width, height = round((megapixels * 1.5e6) ** 0.5), round((megapixels / 1.5e-6) ** 0.5)
    tile = pyvips.Image.new_from_array(clouds(1500, 1000)).copy(interpretation="srgb")
    sky = tile.replicate(-(-width // 1500), -(-height // 1000)).crop(0, 0, width, height)
    sky.tiffsave(str(path), compression="deflate", predictor="horizontal")


def dream(folder, megapixels, flags):
    """Dream in a process of its own; return its peak in bytes, seconds and pixel-steps."""
    source = Path(folder) / "sky.tif"
    make_picture(source, megapixels)
    command = [sys.executable, str(PROJECT / "dream.py"), str(source), str(source) + ".out.tif"]
    command += ["--model", "efficientnet_lite0", "--engine", "torch", "--seed", "1", *flags]
    plan = subprocess.run([*command, "--plan"], check=True, capture_output=True, text=True).stdout
    steps = float(re.search(r"pixel-steps\s+([\d.]+) million", plan).group(1)) * 1e6
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=sys.stderr)
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        said = output.read()
    if status:
        raise SystemExit(f"the dream of {megapixels} megapixels failed: {status}")
    seconds = float(re.search(r"([\d.]+) s$", said.strip()).group(1))
    return usage.ru_maxrss * 1024, seconds, steps


def bounded(options):
    """Print peak and speed for each size."""
    flags = ["--memory", options.memory, "--octaves", str(options.octaves),
             "--iterations", str(options.iterations), "--schedule", "shift"]  # fmt: skip
    print(f"`--memory {options.memory}`, {options.octaves} octaves of {options.iterations}")
    print("| megapixels | peak, GiB | bytes per pixel | Mpixel-steps/s | seconds |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    speeds = []
    for megapixels in options.megapixels:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            peak, seconds, steps = dream(folder, megapixels, flags)
        speeds.append(steps / seconds / 1e6)
        print(
            f"| {megapixels:g} | {peak / 2**30:.3f} | {peak / megapixels / 1e6:.1f} | "
            f"{speeds[-1]:.2f} | {seconds:.0f} |",
            flush=True,
        )
    print(f"\nspeed of the largest over that of the smallest: {speeds[-1] / speeds[0]:.2f}")


def ram_mode(options):
    """Print by how much the peak grows with the picture where canvases are in RAM."""
    flags = ["--octaves", str(options.octaves), "--iterations", "1", "--schedule", "shift",
             "--tile-size", "256"]  # fmt: skip
    sizes = (20, 60)  # both read by strips
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        peaks = [dream(folder, megapixels, flags)[0] for megapixels in sizes]
    growth = (peaks[1] - peaks[0]) / (sizes[1] - sizes[0]) / 1e6
    print(f"in RAM: {growth:.1f} bytes per pixel, from {sizes[0]} to {sizes[1]} megapixels")


def notebook(options):
    """Print what the notebook's code takes on real Caffe, and what it would for a panorama."""
    from step import measure

    print("| megapixels | the notebook on real Caffe, GB over start |\n| ---: | ---: |")
    for megapixels in (1, 2, 4):
        width, height = round((megapixels * 1.5e6) ** 0.5), round((megapixels / 1.5e-6) ** 0.5)
        per_pixel = measure("caffe", f"{width}x{height}", 1)["bytes"]
        print(f"| {megapixels} | {per_pixel * megapixels / 1e3:.2f} |", flush=True)
    print(f"| {PANORAMA} (extrapolated) | {per_pixel * PANORAMA / 1e3:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="*", default=[4, 100])
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--iterations", type=int, default=1)
    parser.add_argument("--octaves", type=int, default=4)
    parser.add_argument("--folder", help="for the pictures and work folders")
    parser.add_argument("--ram-mode", action="store_true")
    parser.add_argument("--notebook", action="store_true")
    options = parser.parse_args()
    if options.ram_mode:
        ram_mode(options)
    elif options.notebook:
        notebook(options)
    else:
        bounded(options)


if __name__ == "__main__":
    main()
