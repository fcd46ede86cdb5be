"""Example pictures of layers and classes: made once for a model, when they are wanted."""

from __future__ import annotations

import json
import logging
import threading
from functools import lru_cache

from django.conf import settings

from dreamlib import DreamError, find_model
from studio.children import ask

log = logging.getLogger("studio.examples")

#: Seconds for all layers of a model, and for a class.
LAYERS_SECONDS, CLASS_SECONDS = 3600, 120

_making = set()
_one = threading.Lock()
_one_class = threading.Lock()


def folder(model):
    """Return the folder of a model's examples.

    Parameters
    ----------
    model : str

    Returns
    -------
    Path
    """
    return settings.DATA / "examples" / model


def prepare(model):
    """Have the examples of a model's layers made in the background, once.

    Parameters
    ----------
    model : str
    """
    with _one:
        if model in _making or (folder(model) / "complete").exists():
            return
        _making.add(model)
    threading.Thread(target=_make, args=(model,), name="examples", daemon=True).start()


def _make(model):
    try:
        ask({"kind": "layers", "model": model, "folder": str(folder(model))}, LAYERS_SECONDS)
    except DreamError as error:  # the form works without
        log.warning("no examples of the layers of %s: %s", model, error)
        with _one:
            _making.discard(model)


def layers(model):
    """List a model's layers, and have their examples made.

    Parameters
    ----------
    model : str

    Returns
    -------
    dict
        ``layers``: a list of dicts, ``name`` and whether there is an ``example``; ``complete``:
        whether all examples are made.
    """
    prepare(model)
    listed = folder(model) / "layers.json"
    return {
        "layers": json.loads(listed.read_text()) if listed.exists() else [],
        "complete": (folder(model) / "complete").exists(),
    }


@lru_cache(maxsize=16)
def labels(model):
    """Return the names of a model's classes.

    Parameters
    ----------
    model : str

    Returns
    -------
    list of str
        Empty where it has none.
    """
    try:
        return find_model(model).read_labels()
    except DreamError:
        return []


def class_picture(model, number):
    """Have a class's example drawn, unless it is there.

    Parameters
    ----------
    model : str
    number : int
        Of the class.

    Returns
    -------
    Path
        Of a JPEG.

    Raises
    ------
    DreamError
        It cannot be drawn.
    """
    path = folder(model) / "classes" / f"{number}.jpg"
    with _one_class:  # one at a time: they must not hold up trials and plans
        if not path.exists():
            order = {"kind": "class", "model": model, "index": number, "output": str(path)}
            ask(order, CLASS_SECONDS)
    return path
