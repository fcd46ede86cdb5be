"""Small pictures of what layers and classes dream, for those who choose among them."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np

from dreamlib.imaging.samples import clouds
from dreamlib.jobs.contact_sheet import small_dreams
from dreamlib.jobs.sheet_items import choose_items
from dreamlib.models import engines
from dreamlib.models.zoo import find_model
from dreamlib.settings import BY_NAME

#: Sides of the small pictures. A layer's dream is made larger than it is kept: high layers need
#: room for a whole creature.
DREAMT, KEPT = 192, 128

#: How a class is drawn that is only to be told from others, and the size of the picture.
GLIMPSE, CLASS_SIDE = Path(__file__).resolve().parent / "glimpse.toml", 224


def dream_layers(order, say, leave):
    """Dream a small sky in every layer of a model, and list the layers.

    Parameters
    ----------
    order : dict
        model, folder (where ``0.jpg``, ``1.jpg``... and ``layers.json`` go).
    """
    os.nice(10)  # whatever people wait for goes first
    model, folder = find_model(order["model"]), Path(order["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    net = engines.load_net(model)
    items = choose_items(net, model)
    layers = [{"name": item.layer, "example": False} for item in items]
    _write(folder, layers)  # names are of use before their pictures are there
    definition = engines.read_definition(model, BY_NAME["engine"].default)
    sky = clouds(DREAMT, DREAMT, seed=3)
    for number, cell in enumerate(small_dreams(net, sky, items, definition, quiet=True)):
        if cell.pixels is not None:
            _save(cell.pixels, folder / f"{number}.jpg")
            layers[number]["example"] = True
            _write(folder, layers)
    (folder / "complete").touch()


def _write(folder, layers):
    part = folder / "layers.json.part"
    part.write_text(json.dumps(layers))
    part.replace(folder / "layers.json")


def _save(pixels, path):
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((KEPT, KEPT), Image.LANCZOS)
    part = path.with_suffix(".part")
    image.save(part, "JPEG", quality=80)
    part.replace(path)


def draw_class(order, say, leave):
    """Draw a class of a model.

    Parameters
    ----------
    order : dict
        model, index (of the class), output (a JPEG).
    """
    from PIL import Image

    from dreamlib.jobs.run import run_dream
    from dreamlib.settings import Settings

    output = Path(order["output"])
    output.parent.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        model=order["model"], target=str(order["index"]), script=str(GLIMPSE), seed=0, quiet=True
    )
    with tempfile.TemporaryDirectory() as folder:
        drawn = run_dream(f"noise:{CLASS_SIDE}x{CLASS_SIDE}", f"{folder}/class.png", settings)
        _save(np.asarray(Image.open(drawn.path)), output)
