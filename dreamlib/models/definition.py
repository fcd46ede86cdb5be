"""A model's prototxt and caffemodel as an engine's own messages, parsed and checked.

Two engines' messages cannot live in one process, so the engine in use parses. Real Caffe ends the
process at any fault, so the commonest ones are found before.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import tempfile

from dreamlib.errors import DreamError, nearest, reading
from dreamlib.util.input_file import WEIGHTS_BYTES, read_bytes, read_text


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
        With ``force_backward``, as the notebook has it. Shared: a caller that changes it copies it.

    Raises
    ------
    DreamError
        Malformed text, or a file that cannot be read.
    """
    with reading():
        found = model.prototxt.stat()
    return _parse(model, caffe, (found.st_mtime_ns, found.st_size))


@functools.lru_cache(maxsize=4)
def _parse(model, caffe, version):
    from google.protobuf import text_format

    definition = _net_parameter(caffe)
    try:
        text_format.Merge(read_text(model.prototxt, "a prototxt"), definition)
    except RecursionError as error:
        raise DreamError(
            f"{model.prototxt} is not a prototxt: its brackets are nested too deeply"
        ) from error
    except (text_format.ParseError, ValueError) as error:
        raise DreamError(
            f"{model.prototxt} is not a prototxt that Caffe reads, at {error}"
        ) from error
    definition.force_backward = True
    return definition


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
    _check_input(model, definition)
    if caffe.__name__ != "caffe":
        yield str(model.prototxt), {"definition": definition}
        return
    _check_types(model, definition, caffe)
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as copy:
        copy.write(text_format.MessageToString(definition))
        copy.flush()
        try:
            yield copy.name, {}
        except DreamError as error:  # names the copy, which the user does not know
            raise DreamError(str(error).replace(copy.name, str(model.prototxt))) from error


def _check_input(model, definition):
    """Refuse a network whose first input is not the picture."""
    expected = "; expected an input 'data' of 1 x 3 x HEIGHT x WIDTH before all layers"
    if not definition.layer and not definition.layers:
        raise DreamError(f"{model.prototxt} has no layers{expected}")
    layers = [layer for layer in definition.layer if layer.type == "Input"]
    inputs = list(definition.input) + [top for layer in layers for top in layer.top]
    if not inputs:
        raise DreamError(f"{model.prototxt} has no input{expected}")
    if inputs[0] != "data":
        raise DreamError(f"{model.prototxt}: the input is called {inputs[0]!r}{expected}")
    shapes = [shape.dim for shape in definition.input_shape] + [definition.input_dim[:4]]
    shapes += [shape.dim for layer in layers for shape in layer.input_param.shape]
    shape = next((list(shape) for shape in shapes if shape), None)
    if shape and (len(shape) != 4 or shape[1] != 3):
        given = " x ".join(map(str, shape))
        raise DreamError(f"{model.prototxt}: the input 'data' is {given}{expected}")


def _check_types(model, definition, caffe):
    """Refuse layer types that an engine does not have."""
    known = set(caffe.layer_type_list())
    for layer in definition.layer:
        if layer.type not in known:
            raise DreamError(
                f"{model.prototxt}: layer {layer.name!r} has type {layer.type!r}, which this Caffe "
                f"does not have{nearest(layer.type, known)}"
            )
