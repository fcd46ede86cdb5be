"""What a guide adds to a step's memory and time: L2, match and channels, each in its own process.

    python benchmarks/guide.py [--model NAME] [--end LAYER] [--picture WxH] [--guide WxH]

Memory is the process's peak over what it had with its network loaded.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

MODES = ("L2", "match", "channels")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--end")
    parser.add_argument("--picture", default="1024x1024", help="WIDTHxHEIGHT")
    parser.add_argument("--guide", default="1024x1024", help="WIDTHxHEIGHT")
    parser.add_argument("--only", choices=MODES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options)))
        return
    print(f"picture {options.picture}, guide {options.guide}")
    print("| objective | peak, MB | seconds a step |")
    print("| --- | ---: | ---: |")
    for mode in MODES:
        command = [sys.executable, __file__, *sys.argv[1:], "--only", mode]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        peak, seconds = json.loads(done.stdout)
        print(f"| {mode} | {peak / 1e6:.0f} | {seconds:.2f} |", flush=True)


def measure(options):
    """Return bytes and seconds of the steps of one objective."""
    import numpy as np
    from dreaming import load

    from dreamlib.ascent.guides import channel_guide, features, guide
    from dreamlib.ascent.objectives import l2
    from dreamlib.dream import make_step

    network = load(options.model)
    net, end = network.net, options.end or network.model.end
    random = np.random.RandomState(0)
    sizes = [[int(side) for side in text.split("x")] for text in (options.picture, options.guide)]
    picture, other = (random.randint(0, 256, (h, w, 3)).astype(np.uint8) for w, h in sizes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if options.only == "L2":
        objective = l2(end)
    else:
        kind = {"match": guide, "channels": channel_guide}[options.only]
        objective = kind(end, features(net, end, other))
    net.blobs["data"].reshape(1, 3, *picture.shape[:2])
    net.blobs["data"].data[0] = np.float32(picture).transpose(2, 0, 1) - 127
    seconds = []
    for _ in range(4):  # the first allocates
        begin = time.perf_counter()
        make_step(net, end=end, objective=objective)
        seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * (peak - before), statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
