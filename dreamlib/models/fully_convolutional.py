"""Networks made fully convolutional, so that their class scores work on pictures of any size.

Long, Shelhamer and Darrell, "Fully Convolutional Networks" (2015): an inner product over a map is a
convolution with a kernel as large as the map. What a network published for one input size computes
there once, it then computes at every place of a larger picture: a map of scores. At its own input
size the map has one place, and the scores are the original's.

Works on definitions and weights of either engine and either age (``layer``, and ``layers`` of 2014
with enum types), as messages of the engine's own, which `dreamlib.models.convolutional` changes;
stock Caffe loads what is written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

from dreamlib.errors import DreamError, reading
from dreamlib.models.convolutional import convert_definition, convert_weights
from dreamlib.models.engines import load_layers, read_definition
from dreamlib.util.atomic_write import replacing

RECIPE = b"1"  #: goes into the key of the cache; another one for another result
PROTOTXT, WEIGHTS = "deploy.prototxt", "weights.caffemodel"


def fully_convolutional(model, engine="auto", folder=None):
    """Make a model's network fully convolutional.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    engine : {'auto', 'caffe', 'torch'}
        Whose protocol buffers read and write; the files are the same.
    folder : path, optional
        Where the files go, over what is there. By default a cache, ``$XDG_CACHE_HOME/dreamlib``,
        where they are made once.

    Returns
    -------
    dreamlib.models.model.Model
        The same, but for network and weights. Layers, blobs and input size are called and sized as
        before. Pictures must not be smaller than the network's own input: the windows would not
        fit.

    Raises
    ------
    DreamError
        Weights are missing, do not fit or cannot be read; an inner product that is no convolution;
        a folder that cannot be written.
    """
    model.require_weights()
    with reading():
        content = model.weights.read_bytes()
        cached = folder is None
        if cached:
            key = hashlib.sha256(RECIPE + model.prototxt.read_bytes() + b"\0" + content).hexdigest()
            folder = _cache() / key[:16]
    folder = Path(folder)
    made = dataclasses.replace(model, prototxt=folder / PROTOTXT, weights=folder / WEIGHTS)
    if not (cached and made.has_weights):
        definition = read_definition(model, engine)
        shapes = {
            name: tuple(blob.shape) for name, blob in load_layers(model, engine).blobs.items()
        }
        converted = convert_definition(definition, shapes)
        weights = _parse_weights(type(definition)(), content, model.weights)
        del content
        convert_weights(weights, converted, model.weights)
        _write(made, definition, weights)
    return made


def _cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "dreamlib" / "fully_convolutional"


def _parse_weights(message, content, path):
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise DreamError(
            f"{path}: truncated, or not a caffemodel; fetch or copy it again"
        ) from error
    return message


def _write(made, definition, weights):
    from google.protobuf import text_format

    files = (
        (made.weights, weights.SerializeToString()),
        (made.prototxt, text_format.MessageToString(definition).encode()),
    )
    try:
        made.prototxt.parent.mkdir(parents=True, exist_ok=True)
        for path, content in files:  # each beside its place first: others may look, or write too
            with replacing(path) as temporary:
                Path(temporary).write_bytes(content)
    except OSError as error:
        raise DreamError(
            f"the fully convolutional network cannot be written to {made.prototxt.parent}: "
            f"{error.strerror}; make room there, or set XDG_CACHE_HOME to a folder of yours"
        ) from error
