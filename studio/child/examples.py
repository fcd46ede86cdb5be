"""Small pictures of what layers and classes dream, for those who choose among them."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np

import dreamlib

#: Sides of the small pictures. A layer's dream is made larger than it is kept: high layers need
#: room for a whole creature.
DREAMT, KEPT = 192, 128

#: The octave script of a class's example, just enough to recognise it, and the example's side.
GLIMPSE, CLASS_SIDE = Path(__file__).resolve().parent / "glimpse.toml", 224


def dream_layers(order, say, leave):
    """Dream a small sky in every layer of a model, and list the layers.

    Parameters
    ----------
    order : dict
        model, folder (where ``0.jpg``, ``1.jpg``... and ``layers.json`` go).
    say, leave
        Unused; see `studio.child.dreams.dream`.
    """
    os.nice(10)  # whatever people wait for goes first
    model, folder = dreamlib.find_model(order["model"]), Path(order["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    names, dreams = dreamlib.layer_examples(model, dreamlib.clouds(DREAMT, DREAMT, seed=3))
    layers = [{"name": name, "example": False} for name in names]
    _write(folder, layers)  # names are of use before their pictures are there
    for number, pixels in enumerate(dreams):
        if pixels is not None:
            _save(pixels, folder / f"{number}.jpg")
            layers[number]["example"] = True
            _write(folder, layers)
    (folder / "complete").touch()


def _write(folder, layers):
    with dreamlib.written_whole(folder / "layers.json") as part:
        Path(part).write_text(json.dumps(layers))


def _save(pixels, path):
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((KEPT, KEPT), Image.LANCZOS)
    with dreamlib.written_whole(path) as part:
        image.save(part, "JPEG", quality=80)


def draw_class(order, say, leave):
    """Draw a class of a model.

    Parameters
    ----------
    order : dict
        model, index (of the class), output (a JPEG).
    say, leave
        Unused; see `studio.child.dreams.dream`.
    """
    from PIL import Image

    output = Path(order["output"])
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        drawn = dreamlib.run(
            f"noise:{CLASS_SIDE}x{CLASS_SIDE}", f"{folder}/class.png", model=order["model"],
            target=str(order["index"]), script=str(GLIMPSE), seed=0, quiet=True,
        )  # fmt: skip
        _save(np.asarray(Image.open(drawn.path)), output)
