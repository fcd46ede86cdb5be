"""Brightness and contrast over a long zoom: mean and deviation of grey levels, frame by frame.

    python benchmarks/film_tone.py [--frames 300] [--size 320x200] [--model NAME] [--flags='...']

Black and white are the shares of values within four levels of the ends.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from dreamlib import cli
from dreamlib.imaging.samples import clouds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", default="320x200")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--flags", default="", help="more of the command's, in one word")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, film = Path(folder) / "sky.png", Path(folder) / "film"
        Image.fromarray(clouds(*map(int, options.size.split("x")), seed=1)).save(source)
        code = cli.main([
            str(source), str(film), "--frames", str(options.frames), "--seed", "1", "--quiet",
            "--model", options.model, *shlex.split(options.flags),
        ])  # fmt: skip
        if code:
            sys.exit(code)
        tones = np.array([
            (pixels.mean(), pixels.std(), (pixels < 4).mean(), (pixels > 251).mean())
            for pixels in (np.asarray(Image.open(path)) for path in sorted(film.glob("*.png")))
        ])  # fmt: skip
    print(f"{options.model} {options.flags}".strip())
    print("| frame | mean | deviation | black | white |\n| ---: | ---: | ---: | ---: | ---: |")
    for frame in sorted({0, 1, *range(0, len(tones), max(1, len(tones) // 6)), len(tones) - 1}):
        mean, deviation, black, white = tones[frame]
        print(f"| {frame} | {mean:.1f} | {deviation:.1f} | {black:.1%} | {white:.1%} |")
    low, high = tones.min(0), tones.max(0)
    print(f"mean {low[0]:.1f} to {high[0]:.1f}, deviation {low[1]:.1f} to {high[1]:.1f}")


if __name__ == "__main__":
    main()
