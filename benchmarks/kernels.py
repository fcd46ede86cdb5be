"""Our own kernels beside the machine's copy; other ways to convolve beside oneDNN's direct one.

    python benchmarks/kernels.py

Layers of GoogLeNet at 1024 x 575. A kernel's bytes are those that it must read and write once; a
copy of 200 MB reads and writes as many.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import random_googlenet
import torch

from dreamlib import pycaffe
from dreamlib.pycaffe.device import retain_freed_memory

#: The largest pooling, LRN and ReLU: name, type and parameters, channels, height and width.
LAYERS = (
    ("pool1", 'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 }', 64, 288, 512),
    ("norm2", 'type: "LRN"', 192, 144, 256),
    ("relu1", 'type: "ReLU"', 64, 288, 512),
    ("a clip", 'type: "Clip" clip_param { min: 0 max: 6 }', 64, 288, 512),
)

#: Its 3 x 3 convolutions: channels, outputs, height and width.
CONVOLUTIONS = (
    *((64, 192, 144, 256), (96, 128, 72, 128), (128, 192, 72, 128)),
    *((96, 208, 36, 64), (112, 224, 36, 64), (128, 256, 36, 64)),
)

#: 1 x 1 convolutions that read one blob: channels, outputs, height and width.
TRIPLES = (
    *((192, (64, 96, 16), 72, 128), (512, (128, 128, 24), 36, 64)),
    *((192, (64, 96, 16), 28, 28), (512, (160, 112, 24), 14, 14), (512, (160, 112, 24), 2, 2)),
)


def seconds(action, *arguments):
    """Return the median seconds of an action that has run twice."""
    found = []
    for _ in range(17):
        begin = time.perf_counter()
        action(*arguments)
        found.append(time.perf_counter() - begin)
    return statistics.median(found[2:])


def layer_of(text, *shape, precision="float32"):
    """Make the only layer of a net that reads `x`."""
    folder = random_googlenet.FOLDER.parent
    folder.mkdir(parents=True, exist_ok=True)
    prototxt = folder / "one_layer.prototxt"
    sizes = " ".join(f"input_dim: {side}" for side in shape)
    prototxt.write_text(
        f'input: "x" {sizes} force_backward: true\n'
        f'layer {{ name: "it" bottom: "x" top: "y" {text} }}'
    )
    net = pycaffe.Net(str(prototxt), pycaffe.TEST, precision=precision)
    return net.layer_dict["it"]


def of(shape, dtype):
    """Return noise, channels-last."""
    return torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)


def speeds(precision):
    """Print a line for each of `LAYERS`: GB/s, up and down."""
    dtype = getattr(torch, precision)
    for name, text, *size in LAYERS:
        layer, x = layer_of(text, 1, *size, precision=precision), of((1, *size), dtype)
        (top,), kept = layer.trace([x])
        diff = of(top.shape, dtype)
        up = seconds(layer.trace, [x])
        down = seconds(layer.retrace, [diff], kept, [True])
        moved = (x.nbytes + top.nbytes) / 1e9
        print(f"| {name}, {precision} | {moved / up:.0f} | {moved / down:.0f} |")


def convolutions():
    """Print a line for each of `CONVOLUTIONS`: milliseconds of both ways, and Winograd's error."""
    for channels, outputs, height, width in CONVOLUTIONS:
        how = f"num_output: {outputs} kernel_size: 3 pad: 1"
        text = f'type: "Convolution" convolution_param {{ {how} }}'
        layer = layer_of(text, 1, channels, height, width)
        random = np.random.RandomState(0)
        layer.blobs[0].data[...] = random.randn(*layer.blobs[0].shape) / (9 * channels) ** 0.5
        x = of((1, channels, height, width), torch.float32)
        exact = torch.conv2d(x.double(), layer.value(0).double(), padding=1)
        times, errors = [], []
        for spreads in (False, True):
            layer._spreads = spreads
            ((top,), _) = layer.trace([x])
            errors.append(float((top - exact).norm() / exact.norm()))
            times.append(1000 * seconds(layer.trace, [x]))
        print(f"| {channels} to {outputs}, {height} x {width} | {times[0]:.2f} | {times[1]:.2f} | "
              f"{times[0] / times[1]:.2f} | {errors[0]:.0e} | {errors[1]:.0e} |")  # fmt: skip


def triples():
    """Print a line for each of `TRIPLES`: milliseconds with their ReLUs, three ways."""
    for channels, outputs, *size in TRIPLES:
        x = of((1, channels, *size), torch.float32)
        weights = [torch.randn(count, channels, 1, 1) for count in outputs]
        how = (0, 0), (1, 1), (1, 1), 1
        packed = [
            torch.ops.mkldnn._reorder_convolution_weight(weight, *how, list(x.shape))
            for weight in [*weights, torch.cat(weights)]
        ]

        def convolve(weight, after, x=x, how=how):
            return torch.ops.mkldnn._convolution_pointwise(x, weight, None, *how, after, [], "")

        def three(convolve=convolve, packed=packed):
            return [torch.relu_(convolve(weight, "none")) for weight in packed[:3]]

        def within(convolve=convolve, packed=packed):
            return [convolve(weight, "relu") for weight in packed[:3]]

        def cut(convolve=convolve, packed=packed, outputs=outputs):
            whole = torch.relu_(convolve(packed[3], "none"))
            layout = torch.channels_last
            return [part.contiguous(memory_format=layout) for part in whole.split(outputs, 1)]

        times = " | ".join(f"{1000 * seconds(way):.3f}" for way in (three, within, cut))
        print(f"| {channels} to {outputs}, {size[0]} x {size[1]} | {times} |")


@torch.no_grad()
def main():
    retain_freed_memory()
    one, other = torch.rand(50_000_000), torch.empty(50_000_000)
    copied = seconds(other.copy_, one)
    print(f"a copy: {2 * one.nbytes / copied / 1e9:.0f} GB/s\n")
    print("| layer | GB/s up | GB/s down |\n| --- | ---: | ---: |")
    for precision in ("float32", "bfloat16"):
        speeds(precision)
    print("\n| 3 x 3 | direct, ms | Winograd, ms | ratio | error | Winograd's |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: |")  # fmt: skip
    convolutions()
    print(
        "\n| three 1 x 1, ms | and ReLU | ReLU within | as one, cut |\n| --- | ---: | ---: | ---: |"
    )
    triples()


if __name__ == "__main__":
    main()
