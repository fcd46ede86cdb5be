"""Can tiles be seen? Detail across the tile borders of the last pass, against detail elsewhere.

    python benchmarks/seams.py [--size 1536x1024] [--tile 256] [--schedule shift ...]

For each schedule a sky is dreamt with the embedded model, with 8-bit canvases. Detail is dreamt
minus undreamt picture; its gradient is the mean difference of neighbouring pixels. A ratio of 1
means that a border is like any other place. The closing seam, where the left border meets the right
one, is compared with the columns near it. The last column compares with float32 canvases: the same
dream, nothing rounded.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from dreaming import dream_of, levels, load

from dreamlib.imaging.samples import clouds

#: Columns on either side of the closing seam with which it is compared.
NEAR = 8


def border_ratio(detail, edges, axis):
    """Mean |difference| across the lines before the pixels `edges`, over that elsewhere."""
    change = np.abs(np.diff(detail, axis=axis, append=detail.take([0], axis=axis)))
    change = change.mean(axis=(1 - axis, 2))  # of each line of pixels with the next one
    at_border = np.zeros(len(change), bool)
    at_border[np.array(sorted(edges), int) - 1] = True
    inside = ~at_border
    inside[-1] = False
    return change[at_border].mean() / change[inside].mean()


def tile_borders(dream):
    """Return where tiles of the last pass begin and end: sets of rows and of columns."""
    last = len(dream.octaves) - 1
    phases = dream.schedule(last).phases(dream.passes(last) - 1)
    interiors = [tile.interior for phase in phases for tile in phase]
    height, width = dream.octaves[last].size
    rows = {edge % height for area in interiors for edge in (area.top, area.top + area.height)}
    columns = {edge % width for area in interiors for edge in (area.left, area.left + area.width)}
    return rows - {0}, columns - {0}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1536x1024", metavar="WIDTHxHEIGHT")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--schedule", nargs="*", default=["shift", "spiral", "random"])
    options = parser.parse_args()
    sky, network = clouds(*map(int, options.size.split("x"))), load()
    print("| schedule | wrap | borders | closing seam | PSNR against float32, dB |")
    print("| --- | --- | ---: | ---: | ---: |")
    for schedule in options.schedule:
        for wrap in ("none", "horizontal"):
            dream = dream_of(
                network, sky, schedule=schedule, wrap=wrap, tile_size=options.tile, seed=1,
                octaves=options.octaves, storage="uint8",
            )  # fmt: skip
            dreamt = levels(network, sky, dream)
            detail = dreamt - sky
            ratios = [
                border_ratio(detail, edges, axis) for axis, edges in enumerate(tile_borders(dream))
            ]
            around = np.roll(detail, NEAR, axis=1)[:, : 2 * NEAR]
            closing = border_ratio(around, {NEAR}, 1)
            exact = levels(network, sky, replace(dream, storage="float32"))
            psnr = 10 * np.log10(255**2 / np.square(dreamt - exact).mean())
            print(
                f"| {schedule} | {wrap} | {np.mean(ratios):.3f} | {closing:.3f} | {psnr:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
