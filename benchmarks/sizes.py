"""A dream step at many sizes: millions of pixels a second, and calls of PyTorch's operators.

    python benchmarks/sizes.py [--precision float32] [--sides 64 128 224 320 512 1024] [--views 8]
                               [--network googlenet]
    python benchmarks/sizes.py --launches

The networks of step.py on squares; the last line is a batch of views at 224, as class drawings by
direct ascent take it. What is timed is the gradient of the notebook's objective, all but a percent
of a step. With --launches nothing is computed: it counts the operators that a GPU is asked for, on
PyTorch's device "meta". It needs Triton, which `make test` installs, to count our own kernels;
without it there are PyTorch's operators, and more of them.
"""

from __future__ import annotations

import argparse
import collections
import statistics
import time

import numpy as np
import torch
from networks import NETWORKS, load
from torch.utils._python_dispatch import TorchDispatchMode

from dreamlib import pycaffe

try:
    from dreamlib.pycaffe import kernels
except ImportError:  # copied into a checkout of before there were any, to compare
    kernels = None

#: Seconds that one size is measured for.
LONG = 4


class Calls(TorchDispatchMode):
    """Counts PyTorch's operators."""

    def __init__(self):
        super().__init__()
        self.count, self.names = 0, collections.Counter()

    def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
        self.count += 1
        self.names[operator.overloadpacket.__name__] += 1
        return operator(*arguments, **(keywords or {}))


def step(net, last):
    """Take the gradient of the notebook's objective."""
    net.forward_range(0, last)
    blob = net.layers[last].top_blobs[0]
    blob.diff_tensor = blob.data_tensor.clone()
    net.backward_range(last, 0)


def measure(net, last, shape):
    """Return seconds of a step (the median), operators, and our own kernels."""
    net.blobs["data"].reshape(*shape)
    values = np.random.RandomState(0).rand(*shape) * 255 - 120
    net.blobs["data"].data_tensor = torch.from_numpy(np.float32(values))
    for _ in range(3):
        step(net, last)
    seconds, begin = [], time.perf_counter()
    while time.perf_counter() - begin < LONG:
        start = time.perf_counter()
        step(net, last)
        seconds.append(time.perf_counter() - start)
    own = []
    if kernels:
        by_rows = kernels.by_rows
        kernels.by_rows = lambda *arguments: (own.append(1), by_rows(*arguments))
    with Calls() as calls:
        step(net, last)
    if kernels:
        kernels.by_rows = by_rows
    return statistics.median(seconds), calls.count, len(own)


#: Operators that only name memory, or find some.
FREE = ("alias", "detach", "empty", "empty_like", "permute", "slice", "split", "split_with_sizes",
        "unsqueeze", "_unsafe_view", "view")  # fmt: skip


def launches(net, last, shape):
    """Return how many operators a step takes that a GPU would have to run."""
    net.blobs["data"].reshape(*shape)
    net.blobs["data"].data_tensor = torch.empty(shape, device="meta")
    step(net, last)
    with Calls() as calls:
        step(net, last)
    return sum(count for name, count in calls.names.items() if name not in FREE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128, 224, 320, 512, 1024])
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--network", choices=NETWORKS, default="googlenet")
    parser.add_argument("--launches", action="store_true")
    options = parser.parse_args()
    network = NETWORKS[options.network]
    net = load(pycaffe, network, precision=options.precision)
    net.keep_intermediates, last = False, net.layer_index(network.end)
    shapes = [(1, 3, side, side) for side in options.sides] + [(options.views, 3, 224, 224)]
    if options.launches:
        from dreamlib.pycaffe import device

        device._device = torch.device("meta")
        for shape in shapes:
            print(
                f"{' x '.join(map(str, shape))}: {launches(net, last, shape)} launches", flush=True
            )
        return
    print(f"| {options.precision} | ms | Mpx/s | operators | own kernels |\n"
          "| --- | ---: | ---: | ---: | ---: |")  # fmt: skip
    for shape in shapes:
        seconds, operators, own = measure(net, last, shape)
        count, _, height, width = shape
        what = f"{count} x {height} x {width}" if count > 1 else f"{height} x {width}"
        speed = count * height * width / seconds / 1e6
        print(f"| {what} | {1000 * seconds:.1f} | {speed:.2f} | {operators} | {own} |", flush=True)


if __name__ == "__main__":
    main()
