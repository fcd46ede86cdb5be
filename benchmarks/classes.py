"""Class drawings from noise: does the network that drew a class see it, and how long it takes.

    python benchmarks/classes.py [--preset direct] [--classes 10] [--out FOLDER]
    python benchmarks/classes.py --sky --strength 1.5

Random classes, each drawn from noise of its own, or into a sky of 320 x 200, then classified as any
picture is: the shorter side brought to the network's input, the middle cropped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from dreamlib.ascent.octave_script import preset_names
from dreamlib.imaging.open_save import save_picture
from dreamlib.imaging.picture import Noise, Picture
from dreamlib.imaging.samples import clouds
from dreamlib.jobs.prepare import choose_script, open_network
from dreamlib.jobs.resolve import make_job
from dreamlib.jobs.run import dream_levels, work
from dreamlib.models.classify import class_probabilities, classify
from dreamlib.settings import Settings
from dreamlib.util.progress import Progress

ENOUGH = 0.9


def drawing(network, settings, picture):
    """Draw a class into a picture; gives uint8 pixels, as a file holds them."""
    settings, picture = choose_script(settings, picture)
    job = make_job(network, picture, settings, "drawing.png")
    levels = dream_levels(job, Progress(*work(job.dream), quiet=True))
    return np.uint8(np.rint(levels.clip(0, 255)))  # a size that is made of another overshoots


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    names = f"{', '.join(preset_names())}, or a file"
    parser.add_argument("--preset", help=f"{names}; by default as the command chooses")
    parser.add_argument("--strength", type=float, default=1.0, help="as --class-strength")
    parser.add_argument("--sky", action="store_true", help="draw into a sky, not from noise")
    parser.add_argument("--classes", type=int, default=10, help="how many, drawn by the seed")
    parser.add_argument("--side", type=int, default=320, help="of the picture, in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    settings = Settings(
        model=options.model, target="0", script=options.preset, seed=0,
        class_strength=options.strength,
    )  # fmt: skip
    network = open_network(settings)
    labels = network.model.read_labels()
    random = np.random.RandomState(options.seed)
    chosen = random.choice(len(labels), options.classes, replace=False)
    found, seconds = [], []
    size = "a sky of 320 x 200" if options.sky else f"noise of {options.side} x {options.side}"
    print(f"{network.model.name}, {options.preset or 'direct ascent'}, {size}")
    print("| class | probability | seen as | seconds |")
    print("| --- | ---: | --- | ---: |")
    for index in chosen:
        begin = time.perf_counter()
        seed = int(random.randint(2**31))
        picture = Noise(options.side, options.side, seed)
        if options.sky:
            picture = Picture(clouds(320, 200, seed=1))
        pixels = drawing(network, settings.replace(target=str(index), seed=seed), picture)
        seconds.append(time.perf_counter() - begin)
        found.append(class_probabilities(network.net, pixels)[index])
        (likeliest, _), *_ = classify(network.net, pixels, labels, top=1)
        name, seen = (label.split(",")[0] for label in (labels[index], likeliest))
        print(f"| {index} {name} | {found[-1]:.3f} | {seen} | {seconds[-1]:.1f} |", flush=True)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            save_picture(str(options.out / f"{index:03}.png"), pixels)
    enough = sum(probability >= ENOUGH for probability in found)
    print(
        f"{enough} of {len(found)} at {ENOUGH} or more; median probability "
        f"{np.median(found):.3f}; median {np.median(seconds):.1f} s a picture"
    )


if __name__ == "__main__":
    main()
