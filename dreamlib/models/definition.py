"""A model's prototxt and caffemodel as an engine's own messages, parsed and checked.

Two engines' messages cannot live in one process, so the engine in use parses. Real Caffe ends the
process at any fault, so the commonest ones are found before.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import tempfile

from dreamlib.errors import DreamError, reading
from dreamlib.models.buildable import (
    input_of_training,
    leave_out,
    name_blobs_by_layers,
    training_layer,
)
from dreamlib.util.input_file import WEIGHTS_BYTES, read_bytes, read_text
from dreamlib.util.prototxt_unknown import for_training, not_supported, unknown_fields, without


def definition_of(model, caffe):
    """Parse a model's prototxt, once for as long as the file stays as it is.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    caffe : module
        The engine.

    Returns
    -------
    caffe_pb2.NetParameter
        With ``force_backward``, as the notebook has it, without what the engine cannot build, and
        with blobs that are called as their layers are: see `left_out`. Shared: a caller that
        changes it copies it.

    Raises
    ------
    DreamError
        Malformed text, a file that cannot be read, or one of which nothing can be built.
    """
    return _parsed(model, caffe)[0]


def left_out(model, caffe):
    """Return what `definition_of` changes of a model's network.

    Parameters
    ----------
    model, caffe
        As for `definition_of`.

    Returns
    -------
    dreamlib.models.buildable.LeftOut
    """
    return _parsed(model, caffe)[1]


def lacking(out, caffe):
    """Say what an engine lacks, for which layers were left out; "" where none were.

    Parameters
    ----------
    out : dreamlib.models.buildable.LeftOut
    caffe : module
        The engine.

    Returns
    -------
    str
    """
    said = [
        f"layer {name!r} is written in Python, in the module {module!r}, which is not found; add "
        "its folder to PYTHONPATH"
        for name, module in out.modules
    ]
    if out.fields or out.types:
        said.append(not_supported(out.fields, out.types, caffe.layer_type_list()))
    return ". ".join(said)


def _parsed(model, caffe):
    with reading():
        found = model.prototxt.stat()
    return _parse(model, caffe, (found.st_mtime_ns, found.st_size))


@functools.lru_cache(maxsize=4)
def _parse(model, caffe, version):
    text = read_text(model.prototxt, "a prototxt")
    definition, unknown = _merged(model, caffe, text)
    if any(layer.HasField("layer") for layer in definition.layers):
        _upgrade_v0(model, caffe, definition)
        unknown = []  # layers have other numbers now; none of that year's has unknown fields
    definition.force_backward = True
    known = caffe.layer_type_list()
    try:
        replaced = input_of_training(definition)
        _check_input(definition)
        out = leave_out(definition, unknown, known, replaced)
    except DreamError as error:
        raise DreamError(f"{model.prototxt}: {error}") from error
    fields = [one for one in out.fields if one[0] is None]
    if fields or (out.layers and not _has_layers(definition)):
        raise DreamError(f"{model.prototxt}: {lacking(out, caffe)}")
    return definition, out._replace(former=name_blobs_by_layers(definition))


def _has_layers(definition):
    return any(layer.bottom for layer in [*definition.layer, *definition.layers])


def _merged(model, caffe, text):
    """Parse a text without the fields that are unknown, and return them beside it."""
    from google.protobuf import text_format

    definition, problem = _net_parameter(caffe), None
    try:
        text_format.Merge(text, definition)
        return definition, []
    except RecursionError as error:
        raise DreamError(
            f"{model.prototxt} is not a prototxt: its brackets are nested too deeply"
        ) from error
    except (text_format.ParseError, ValueError) as error:
        problem = error
    definition = _net_parameter(caffe)
    unknown = unknown_fields(text, definition.DESCRIPTOR)
    try:
        text_format.Merge(without(text, unknown), definition)
    except (text_format.ParseError, ValueError):
        unknown = []
    if not unknown:
        raise DreamError(
            f"{model.prototxt} is not a prototxt that Caffe reads, at {problem}"
        ) from problem
    return definition, unknown


def _upgrade_v0(model, caffe, definition):
    if caffe.__name__ == "caffe":
        raise DreamError(
            f"{model.prototxt} is of the form of 2013 (V0); convert it with Caffe's "
            "upgrade_net_proto_text, or use --engine torch"
        )
    prototxt = importlib.import_module(f"{caffe.__name__}.prototxt")
    try:
        definition.layer.extend(prototxt.upgrade_layers(definition.layers))
    except DreamError as error:
        raise DreamError(f"{model.prototxt}: {error}") from error
    del definition.layers[:]


def weights_of(model, caffe):
    """Parse a model's caffemodel.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    caffe : module
        The engine.

    Returns
    -------
    caffe_pb2.NetParameter
        The caller's own.

    Raises
    ------
    DreamError
        A file that is no caffemodel, or cannot be read.
    """
    from google.protobuf.message import DecodeError

    weights = _net_parameter(caffe)
    content = read_bytes(model.weights, WEIGHTS_BYTES)
    try:
        weights.ParseFromString(content)
    except DecodeError as error:
        raise DreamError(
            f"{model.weights}: truncated, or not a caffemodel; fetch or copy it again"
        ) from error
    if not weights.layer and not weights.layers:
        raise DreamError(f"{model.weights}: holds no layers; fetch or copy it again")
    return weights


def _net_parameter(caffe):
    return importlib.import_module(f"{caffe.__name__}.proto.caffe_pb2").NetParameter()


@contextlib.contextmanager
def checked_prototxt(model, caffe):
    """Check a model's prototxt and hand it to an engine: a context.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    caffe : module
        The engine.

    Yields
    ------
    path : str
        For real Caffe a copy with ``force_backward``, as in the notebook.
    options : dict
        For ``caffe.Net``: our engine takes the definition as it was parsed.

    Raises
    ------
    DreamError
        Names the model's own prototxt.
    """
    from google.protobuf import text_format

    definition = definition_of(model, caffe)
    if caffe.__name__ != "caffe":
        yield str(model.prototxt), {"definition": definition}
        return
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as copy:
        copy.write(text_format.MessageToString(definition))
        copy.flush()
        try:
            yield copy.name, {}
        except DreamError as error:  # names the copy, which the user does not know
            raise DreamError(str(error).replace(copy.name, str(model.prototxt))) from error


def _check_input(definition):
    """Refuse a network whose first input is not a picture."""
    expected = "; expected an input of 1 x 3 x HEIGHT x WIDTH before all layers"
    if not definition.layer and not definition.layers:
        raise DreamError(f"it has no layers{expected}")
    layers = [layer for layer in definition.layer if layer.type == "Input"]
    inputs = list(definition.input) + [top for layer in layers for top in layer.top]
    if not inputs:
        training = training_layer(definition)
        raise DreamError(for_training(*training) if training else f"it has no input{expected}")
    shapes = [shape.dim for shape in definition.input_shape] + [definition.input_dim[:4]]
    shapes += [shape.dim for layer in layers for shape in layer.input_param.shape]
    shape = next((list(shape) for shape in shapes if shape), None)
    if shape and (len(shape) != 4 or shape[1] != 3):
        given = " x ".join(map(str, shape))
        raise DreamError(f"the input {inputs[0]!r} is {given}{expected}")
