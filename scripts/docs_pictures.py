#!/usr/bin/env python3
"""Make the pictures of docs/usage.md and docs/presets.md: dreams of pictures made here, too.

    scripts/docs_pictures.py [NAME ...]    # by default all, into docs/pictures/; some five minutes

`PICTURES` is the one place for their settings; the pages show each beside its picture. Dreams of
bvlc_googlenet need its weights: `make fetch-model`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from prepare_models import write_atomically  # noqa: E402 (beside this script)

from dreamlib import cli  # noqa: E402
from dreamlib.config import preset_names  # noqa: E402
from dreamlib.errors import DreamError  # noqa: E402
from dreamlib.imaging import samples  # noqa: E402
from dreamlib.imaging.grid import Cell, draw_grid  # noqa: E402
from dreamlib.models.zoo import EMBEDDED, GOOGLENET, find_model  # noqa: E402

FOLDER = REPOSITORY / "docs" / "pictures"
WIDTH, HEIGHT = 320, 200

#: What every picture is made with, beside its own flags.
COMMON = ("--model", EMBEDDED, "--engine", "torch", "--seed", "1", "--quiet")

#: Longest side in the guide (a contact sheet is larger than a dream), and bytes at most.
SIDE, BYTES = 800, 60_000

#: What a preset's pictures are made of; a film has its own in docs/films.md.
PRESET_SOURCE, FILMS = "sky.png", ("zoom",)

#: Name of a picture: the command's words, INPUT and flags without OUTPUT. An INPUT's own name alone
#: is that picture, undreamt.
PICTURES = {
    "sky": "sky.png",
    "meadow": "meadow.png",
    "mask": "mask.png",
    "block3": "sky.png --end block3",
    "block6": "sky.png --end block6",
    "googlenet": "wide.png --model bvlc_googlenet",
    "googlenet-meadow": "meadow.png --model bvlc_googlenet",
    "notebook-strokes": "wide.png --end inception_3b/5x5_reduce --model bvlc_googlenet",
    "notebook-guided": (
        "wide.png --guide meadow.png --guide-layer inception_3b/output --model bvlc_googlenet"
    ),
    "notebook-frame": "wide.png --frames 30 --distort zoom:0.05 --model bvlc_googlenet",
    "dream": "sky.png --seed 1",
    "block10": "sky.png --end block10",
    "block13": "sky.png --end block13/expand --step-size 2 --iterations 20",
    "noise": "noise:320x200",
    "octaves1": "sky.png --octaves 1",
    "octaves6": "sky.png --octaves 6 --octave-scale 1.3",
    "jitter0": "sky.png --jitter 0",
    "step4": "sky.png --step-size 4",
    "mixture": "sky.png --layers 'block10, block3:0.3'",
    "channel": "sky.png --layers 'block10[38]'",
    "negative": "sky.png --layers 'block10, block6:-0.5'",
    "guide": "sky.png --guide meadow.png --iterations 20",
    "guide-channels": "sky.png --guide meadow.png --guide-mode channels --iterations 20",
    "style": (
        "sky.png --layers 'style(stem, meadow.png), style(block2/depthwise, meadow.png), "
        "style(block4/depthwise, meadow.png), style(block6/depthwise, meadow.png)' "
        "--optimiser adam --step-size 4 --iterations 40"
    ),
    "volcano": "noise:320x320 --target volcano",
    "volcano-draw": "noise:320x320 --target volcano --script draw",
    "jellyfish": "noise:320x320 --target jellyfish",
    "jellyfish-draw": "noise:320x320 --target jellyfish --script draw",
    "teapot": "noise:320x320 --target teapot --model bvlc_googlenet",
    "teapot-draw": "noise:320x320 --target teapot --script draw --model bvlc_googlenet",
    "teapot-judged": (
        "noise:320x320 --target teapot --model bvlc_googlenet --judges efficientnet_lite0"
    ),
    "hybrid": "noise:320x320 --target 'ostrich, sea slug' --model bvlc_googlenet",
    "channel-direct": (
        "noise:320x320 --layers 'inception_4c/output[300]' --script direct --model bvlc_googlenet"
    ),
    "foxes": "meadow.png --target 'red fox' --class-strength 1.6",
    "goldfish": "wide.png --target goldfish --model bvlc_googlenet",
    "goldfish-photograph": (
        "wide.png --target goldfish --script photograph --model bvlc_googlenet"
    ),
    "film": "sky.png --frames 25",
    "film-notebook": "sky.png --preset notebook --frames 25",
    "film-out": "sky.png --frames 25 --distort zoom:-0.03",
    "film-out-notebook": "sky.png --preset notebook --frames 25 --distort zoom:-0.03",
    "keep-forms": "sky.png --keep-forms 8",
    "smooth": "sky.png --smooth 0.5,1,2",
    "laplacian": "sky.png --laplacian 4",
    "calm": "sky.png --tv 0.3",
    "keep-colour": "sky.png --keep-colour",
    "masked": "sky.png --mask mask.png",
    "strength": "sky.png --strength 0.5",
    "sheet": "sky.png --contact-sheet 'block1?'",
    **{
        f"layers-{part.strip('*').replace('inception_', '')}": (
            f"meadow.png --contact-sheet '{part}' --model bvlc_googlenet"
        )
        for part in (
            "conv*",
            "inception_3*",
            "inception_4a*",
            "inception_4b*",
            "inception_4c*",
            "inception_4d*",
            "inception_4e*",
            "inception_5*",
        )
    },
    **{
        f"{name}-{model}": f"{PRESET_SOURCE} --preset {name} --model {model}"
        for model in (GOOGLENET, EMBEDDED)
        for name in preset_names(model)
        if name not in FILMS
    },
}

#: Channels of bvlc_googlenet that show something, chosen from 256; and how each is dreamt.
CHANNELS = {
    "inception_4c/5x5": (12, 16, 19, 24, 25, 28, 31, 33, 38, 43, 47, 51, 53, 55, 56, 57),
    "inception_4d/pool_proj": (2, 6, 8, 10, 25, 27, 43, 48, 54, 58),
    "inception_4c/pool_proj": (7, 13, 14, 22, 25, 40, 42, 43, 51, 60),
    "inception_4b/5x5": (33, 37, 43, 54),
}
CHANNEL = "noise:144x144 --layers '{}' --laplacian 3 --iterations 16 --octaves 3"
GALLERIES = {f"channels-{layer[10:].replace('/', '-')}": layer for layer in CHANNELS}

#: Classes that two networks draw together, and how.
JUDGED, JUDGED_CLASSES = "two-judges", (1, 25, 63, 94, 107, 154, 207, 250, 277, 292, 309, 340)
JUDGED_CLASS = "noise:320x320 --target {0} --seed {0} --judges bvlc_googlenet"


def spotlight(width, height):
    """Make a mask: white in the middle, black at the borders; (height, width) uint8."""
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.uint8(np.rint(255 * samples.smoothstep(0.9, 0.3, np.hypot(down, across))))


def write_inputs(folder):
    """Write the pictures that the commands name into a folder."""
    inputs = {
        "sky.png": samples.clouds(WIDTH, HEIGHT, seed=1),
        "wide.png": samples.clouds(2 * WIDTH, 2 * HEIGHT, seed=1),
        "meadow.png": samples.flowers(WIDTH, HEIGHT, seed=1),
        "mask.png": spotlight(WIDTH, HEIGHT),
    }
    for name, pixels in inputs.items():
        Image.fromarray(pixels).save(Path(folder) / name)


def make_gallery(layer, folder):
    """Dream channels of a layer, side by side; gives the path of a PNG."""
    cells = []
    for channel in CHANNELS[layer]:
        words = f"{CHANNEL.format(f'{layer}[{channel}]')} --model {GOOGLENET}"
        with Image.open(dream(words, "channel", folder)) as image:
            cells.append(Cell(f"[{channel}]", pixels=np.asarray(image)))
    output = Path(folder) / "gallery.png"
    Image.fromarray(draw_grid(cells, cells[0].pixels.shape[:2], layer, SIDE)).save(output)
    return output


def make_judged(folder):
    """Draw classes by two networks, side by side; gives the path of a PNG."""
    cells, labels = [], find_model(EMBEDDED).read_labels()
    for index in JUDGED_CLASSES:
        with Image.open(dream(JUDGED_CLASS.format(index), "class", folder)) as image:
            cells.append(Cell(labels[index].split(",")[0], pixels=np.asarray(image)))
    output = Path(folder) / "judged.png"
    title = f"{EMBEDDED} and {GOOGLENET}"
    Image.fromarray(draw_grid(cells, cells[0].pixels.shape[:2], title, 4 * 320)).save(output)
    return output


def make(name, folder):
    """Make one picture of the pages from the inputs; gives the path of a PNG."""
    if name == JUDGED:
        return make_judged(folder)
    if name in GALLERIES:
        return make_gallery(GALLERIES[name], folder)
    return dream(PICTURES[name], name, folder)


def dream(command, name, folder):
    """Dream one picture, or the last frame of a film; gives the path of a PNG."""
    words = shlex.split(command)
    if len(words) == 1 and (Path(folder) / words[0]).is_file():
        return Path(folder) / words[0]
    film = "--frames" in words
    output = Path(folder) / (f"{name}_frames" if film else f"{name}_made.png")
    # OUTPUT after INPUT: behind a flag that may stand alone it would be taken for its value.
    code = cli.main([words[0], str(output), *COMMON, *words[1:]])
    if code:
        raise DreamError(f"{name}: dream.py {command} ended with exit code {code}")
    return max(output.glob("*.png")) if film else output


def small_jpeg(path):
    """Encode a picture as a JPEG of at most `BYTES`, as good as that allows."""
    with Image.open(path) as image:
        image = image.convert("RGB")
    for side in (SIDE, SIDE * 7 // 8, SIDE * 3 // 4):
        image.thumbnail((side, side), Image.LANCZOS)
        for quality in range(85, 40, -5):
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality, optimize=True)
            if buffer.tell() <= BYTES:
                return buffer.getvalue()
    raise DreamError(f"{path} does not fit into {BYTES} bytes; make it smaller")


def main(argv=None):
    """Make the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = {**PICTURES, **dict.fromkeys([*GALLERIES, JUDGED], GOOGLENET)}
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no picture is called {', '.join(unknown)}; there are {', '.join(known)}")
    target = arguments.folder.resolve()
    target.mkdir(parents=True, exist_ok=True)
    googlenet = find_model(GOOGLENET).has_weights
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_inputs(folder)
        for name in arguments.names or known:
            if not arguments.names and GOOGLENET in known[name] and not googlenet:
                print(f"{name}.jpg is left as it is: {GOOGLENET} has not been fetched")
                continue
            jpeg = small_jpeg(make(name, folder))
            write_atomically(target / f"{name}.jpg", jpeg)
            print(f"{name}.jpg: {len(jpeg) / 1000:.0f} kB")


if __name__ == "__main__":
    try:
        main()
    except DreamError as error:
        sys.exit(f"docs_pictures.py: {error}")
