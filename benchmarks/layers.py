"""Where a dream step's time goes: each layer type of GoogLeNet, beside the machine's own speed.

python benchmarks/layers.py [--size 1024x575] [--precision float32] [--slowest 10]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np
import random_googlenet
import torch
from random_googlenet import END
from step import fill

from dreamlib import pycaffe


def seconds(action, *arguments):
    begin = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - begin


def matrix_product_rate(dtype):
    """GFLOP per second of a 2048^3 matrix product: what the machine can do."""
    matrix = torch.rand(2048, 2048).to(dtype)
    return 2 * 2048**3 / min(seconds(torch.matmul, matrix, matrix) for _ in range(5)) / 1e9


def gflop(net, layer):
    """Arithmetic of a layer's forward; backward to the data needs as much."""
    if layer.type != "Convolution":
        return 0.0
    top = net.blobs[layer.param.top[0]].shape
    return 2 * np.prod(top) * np.prod(layer.blobs[0].shape[1:]) / 1e9


def measure(net, repeats):
    """Median seconds of each layer, forward and backward, up to the dreamt one."""
    last = net.layer_index(END)
    times = np.zeros((2, repeats + 1, last + 1))
    for repeat in range(repeats + 1):
        for index in range(last + 1):
            times[0, repeat, index] = seconds(net.forward_range, index, index)
        net.blobs[END].diff[...] = net.blobs[END].data
        for index in range(last, -1, -1):
            times[1, repeat, index] = seconds(net.backward_range, index, index)
    return np.median(times[:, 1:], axis=1)  # the first pass warms up


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1024x575", metavar="WIDTHxHEIGHT")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--slowest", type=int, default=0, help="also list this number of layers")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    mean = np.float32([104, 116, 122])
    paths = random_googlenet.write(pycaffe)
    net = pycaffe.Classifier(*paths, mean=mean, precision=options.precision)
    net.keep_intermediates = False
    fill(net, height, width)
    forward, backward = measure(net, 5) * 1000

    rows = defaultdict(lambda: np.zeros(3))
    for index, milliseconds in enumerate(zip(forward, backward)):
        layer = net.layers[index]
        rows[layer.type] += [*milliseconds, gflop(net, layer)]
    print(f"{'layers':24} {'forward':>8} {'backward':>8} ms {'GFLOP/s':>8}")
    for kind, (there, back, work) in sorted(rows.items(), key=lambda row: -sum(row[1][:2])):
        speed = f"{2 * work / (there + back) * 1000:8.0f}" if work else ""
        print(f"{kind:24} {there:8.1f} {back:8.1f}    {speed}")
    print(f"{'all':24} {forward.sum():8.1f} {backward.sum():8.1f}")
    rate = matrix_product_rate(net._compute.dtype)
    work = 2 * sum(row[2] for row in rows.values())
    print(f"matrix product: {rate:.0f} GFLOP/s; at that speed the step's {work:.0f} GFLOP take "
          f"{work / rate * 1000:.0f} ms")  # fmt: skip
    for index in np.argsort(-(forward + backward))[: options.slowest]:
        layer = net.layers[index]
        print(f"{layer.name:32} {layer.type:12} {forward[index]:8.1f} {backward[index]:8.1f} ms")


if __name__ == "__main__":
    main()
