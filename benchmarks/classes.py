"""Class drawings from noise: does the network that drew a class see it, and how long it takes.

    python benchmarks/classes.py [--preset draw] [--classes 10] [--out FOLDER]

Random classes, each drawn from noise of its own, then classified as any picture is: the shorter
side brought to the network's input, the middle cropped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from dreamlib.tiling.deepdraw import deepdraw, grey_noise

from dreamlib.ascent.objectives import class_scores
from dreamlib.ascent.octave_script import load_script, preset_names
from dreamlib.imaging.open_save import save_picture
from dreamlib.models.classify import class_probabilities, classify
from dreamlib.models.engines import load_net
from dreamlib.models.zoo import find_model

ENOUGH = 0.9


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--preset", default="draw", help=f"{', '.join(preset_names())}, or a file")
    parser.add_argument("--classes", type=int, default=10, help="how many, drawn by the seed")
    parser.add_argument("--side", type=int, default=320, help="of the picture, in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    model = find_model(options.model)
    net, labels, script = load_net(model), model.read_labels(), load_script(options.preset)
    np.random.seed(options.seed)
    chosen = np.random.choice(len(labels), options.classes, replace=False)
    found, seconds = [], []
    print(f"{model.name}, preset {options.preset}, {options.side} x {options.side}")
    print("| class | probability | seen as | seconds |")
    print("| --- | ---: | --- | ---: |")
    for index in chosen:
        begin = time.perf_counter()
        picture = deepdraw(
            net,
            grey(options.side),
            script,
            lambda layer, index=index: class_scores(layer, [(index, 1.0)]),
            model.class_layer,
        )
        seconds.append(time.perf_counter() - begin)
        shown = np.uint8(np.rint(picture))  # what a file holds
        found.append(class_probabilities(net, shown)[index])
        (likeliest, _), *_ = classify(net, shown, labels, top=1)
        name, seen = (label.split(",")[0] for label in (labels[index], likeliest))
        print(f"| {index} {name} | {found[-1]:.3f} | {seen} | {seconds[-1]:.1f} |", flush=True)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            save_picture(str(options.out / f"{index:03}.png"), shown)
    enough = sum(probability >= ENOUGH for probability in found)
    print(
        f"{enough} of {len(found)} at {ENOUGH} or more; median probability "
        f"{np.median(found):.3f}; median {np.median(seconds):.1f} s a picture"
    )


def grey(side):
    """Make a square picture of noise."""
    noise = grey_noise(side, side, seed=np.random.randint(2**31))
    return np.concatenate([rows for _, rows in noise.strips(side)])


if __name__ == "__main__":
    main()
