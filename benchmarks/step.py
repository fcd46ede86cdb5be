"""Time and memory of one dream step, side by side: the notebook on real Caffe, ours, the limit.

    python benchmarks/step.py [--size 1024x575] [--steps 5] [--turns 3] [--only float32 ...]
                              [--network googlenet]

The whole picture: GoogLeNet with random weights to inception_4c/output, or EfficientNet-Lite0 to
block11. Each variant runs in a process of its own, one after the other in turns, so that a machine
that slows down slows all of them. Memory is the process's peak over what it had after its imports.

The notebook's code on real Caffe runs in the Debian 11 root that scripts/real_caffe_root.sh builds;
where there is none, its line is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from networks import NETWORKS, load

PROJECT = Path(__file__).resolve().parent.parent
VARIANTS = {
    "caffe": "(a) the notebook's code, real Caffe",
    "float32": "(b) dreamlib, float32",
    "bfloat16": "(c) dreamlib, bfloat16",
    "plain": "(d) network alone, plain PyTorch",
}


def notebook_step(network, height, width):
    """Return a step of the notebook's own code on the engine that ``import caffe`` finds."""
    import caffe

    from tests import notebook

    caffe.set_mode_cpu()
    net = load(caffe, network)
    fill(net, height, width)
    return lambda: notebook.make_step(net, end=network.end)


def dreamlib_step(precision):
    """Return the maker of our step in this precision."""

    def make(network, height, width):
        from dreamlib import pycaffe
        from dreamlib.dream import make_step

        net = load(pycaffe, network, precision=precision)
        net.keep_intermediates = False
        fill(net, height, width)
        return lambda: make_step(net, end=network.end)

    return make


def plain_step(network, height, width):
    """Return the network's forward and backward without anything around them."""
    import torch
    from plain_googlenet import gradient

    from dreamlib.pycaffe.device import retain_freed_memory

    retain_freed_memory()  # as our engine does: else page faults are measured, not the network
    net = network.plain()
    image = torch.rand(1, 3, height, width) * 255 - 120
    return lambda: gradient(net, image)


def fill(net, height, width):
    """Put noise of the wanted size into the net."""
    import numpy as np

    source = net.blobs["data"]
    source.reshape(1, 3, height, width)
    source.data[0] = np.random.RandomState(0).rand(3, height, width) * 255 - 120


def peak():
    """Return the process's peak resident memory in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def worker(variant, network, height, width, steps):
    """Measure one variant in this process and print the figures as JSON."""
    make = {
        "caffe": notebook_step,
        "float32": dreamlib_step("float32"),
        "bfloat16": dreamlib_step("bfloat16"),
        "plain": plain_step,
    }[variant]
    if variant == "caffe":
        import caffe  # noqa: F401  its libraries belong to the start, not to the step
    else:
        import torch  # noqa: F401
    start = peak()
    step = make(NETWORKS[network], height, width)
    step()
    seconds = []
    for _ in range(steps):
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": seconds, "bytes": (peak() - start) / (height * width)}))


def measure(variant, network, size, steps):
    """Run `worker` in a fresh process, in the Debian root for real Caffe."""
    arguments = ["--worker", variant, "--network", network]
    arguments += ["--size", size, "--steps", str(steps)]
    if variant == "caffe":
        sys.path.insert(0, str(PROJECT))
        from tests.real_caffe import root

        with tempfile.TemporaryDirectory() as folder:
            output = root.run(["{project}/benchmarks/step.py", *arguments], Path(folder))
    else:
        command = [sys.executable, __file__, *arguments]
        output = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env=dict(os.environ, PYTHONPATH=str(PROJECT)),
        ).stdout
    return json.loads(output.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1024x575", metavar="WIDTHxHEIGHT")
    parser.add_argument("--steps", type=int, default=3, help="steps per turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=VARIANTS, help="leave the others out")
    parser.add_argument("--network", choices=NETWORKS, default="googlenet")
    parser.add_argument("--worker", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.worker:
        worker(options.worker, options.network, height, width, options.steps)
        return
    found = {variant: [] for variant in options.only or VARIANTS}
    for _ in range(options.turns):
        for variant, runs in found.items():
            runs.append(measure(variant, options.network, options.size, options.steps))
    report(found, options.size, NETWORKS[options.network].end)


def report(found, size, end):
    """Print a Markdown table: medians over all turns, and the ratios the project promises."""
    seconds = {
        variant: statistics.median(second for run in runs for second in run["seconds"])
        for variant, runs in found.items()
    }
    memory = {variant: max(run["bytes"] for run in runs) for variant, runs in found.items()}
    print(f"| step at {size}, {end} | seconds | peak bytes per pixel |\n| --- | ---: | ---: |")
    for variant in found:
        print(f"| {VARIANTS[variant]} | {seconds[variant]:.3f} | {memory[variant]:.0f} |")
    ratios = [
        ("(a)/(b) time", seconds, "caffe", "float32"),
        ("(a)/(c) time", seconds, "caffe", "bfloat16"),
        ("(b)/(d) time", seconds, "float32", "plain"),
        ("(b)/(a) memory", memory, "float32", "caffe"),
    ]
    for name, figures, one, other in ratios:
        if one in figures and other in figures:
            print(f"\n{name}: {figures[one] / figures[other]:.2f}", end="")
    print()


if __name__ == "__main__":
    main()
