"""What context around a tile buys: agreement of its gradient with the whole's, and its cost.

    python benchmarks/halo.py [--model efficientnet_lite0] [--end block10] [--tile 384]

One tile in the middle of a dreamt sky, seen with more and more pixels around it. The window is
aligned to the network's strides as the whole picture is, so that only the missing context differs.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from dreaming import load

from dreamlib.ascent.objectives import objective_L2
from dreamlib.dream import climb, deepdream
from dreamlib.imaging.samples import clouds
from dreamlib.models.preprocessing import preprocess

STRIDE = 32


def gradient(net, end, image):
    """Gradient of the objective (3, H, W) at a picture of the network's values (3, H, W)."""
    blob = net.blobs["data"]
    blob.reshape(1, *image.shape)
    blob.data[0] = image
    climb(net, end, objective_L2)
    return blob.diff[0].copy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--end")
    parser.add_argument("--tile", type=int, default=384)
    parser.add_argument("--side", type=int, default=1024)
    options = parser.parse_args()
    network = load(options.model)
    net, end = network.net, options.end or network.model.end
    np.random.seed(0)
    dreamt = deepdream(net, clouds(options.side, options.side), iter_n=5, octave_n=2, end=end)
    image = preprocess(net, dreamt)
    whole = gradient(net, end, image)
    tile = options.tile
    start = (options.side - tile) // 2 // STRIDE * STRIDE
    interior = whole[:, start : start + tile, start : start + tile]
    print(f"{network.model.name}, {end}, tile {tile}; against the whole picture of {options.side}")
    print("| halo | correlation | relative error | pixels computed | seconds |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for halo in range(0, start + 1, STRIDE):
        window = slice(start - halo, start + tile + halo)
        seen = image[:, window, window]
        gradient(net, end, seen)
        begin = time.perf_counter()
        found = gradient(net, end, seen)[:, halo : halo + tile, halo : halo + tile]
        seconds = time.perf_counter() - begin
        correlation = np.corrcoef(found.ravel(), interior.ravel())[0, 1]
        error = np.linalg.norm(found - interior) / np.linalg.norm(interior)
        cost = (tile + 2 * halo) ** 2 / tile**2
        print(f"| {halo} | {correlation:.4f} | {error:.4f} | {cost:.2f} | {seconds:.3f} |")


if __name__ == "__main__":
    main()
