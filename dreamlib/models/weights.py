"""A network's weights, layer by layer: read from the forms they are published in, checked, written.

The published caffemodels of 2014 to 2016 are also to be had as PyTorch state dicts, and as folders
of plain arrays. All become ``{layer: [array, ...]}``, float32, in the layers' own shapes.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError, DreamWarning, listed, reading
from dreamlib.models.definition import weights_of
from dreamlib.util.atomic_write import written_whole

#: Layers of a network's training alone, its auxiliary classifiers: a published caffemodel may hold
#: them where the network does not, and the network where the caffemodel does not.
TRAINING = ("loss1/", "loss2/")

#: What crowsonkb/pytorch-caffe-models calls GoogLeNet's first layers.
_SHORT_NAMES = {
    "conv1": "conv1_7x7_s2",
    "conv2_reduce": "conv2_3x3_reduce",
    "conv2": "conv2_3x3",
}


def layer_shapes(net):
    """Read the shapes of a network's parameters.

    Parameters
    ----------
    net : caffe.Net

    Returns
    -------
    dict of str -> list of tuple of int
        In the order of the layers; those without parameters are left out.
    """
    return {name: [tuple(blob.shape) for blob in blobs] for name, blobs in net.params.items()}


def read_caffemodel(model, caffe):
    """Read a model's caffemodel.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    caffe : module
        The engine whose protocol buffers read it.

    Returns
    -------
    dict of str -> list of ndarray
        float32, in the shapes that the file says. Of layers of one name the last that has any, with
        a warning where several do.

    Raises
    ------
    DreamError
        Truncated, foreign or missing file; a layer whose values are not as many as its shape says.
    """
    message = weights_of(model, caffe)
    layers, twice = {}, {}
    for layer in [*message.layer, *message.layers]:
        arrays = [_array(blob, model.weights, layer.name) for blob in layer.blobs]
        if not arrays:
            continue
        if layer.name in layers:
            twice[layer.name] = True
        layers[layer.name] = arrays
    if twice:
        warnings.warn(
            f"{model.weights} holds weights for {listed(twice)} more than once; the last are "
            "taken, as Caffe does",
            DreamWarning,
            stacklevel=2,
        )
    return layers


def _array(blob, path, layer):
    values = np.asarray(blob.double_data or blob.data, np.float32)
    legacy = (blob.num, blob.channels, blob.height, blob.width)
    shape = legacy if any(legacy) else tuple(blob.shape.dim)
    if values.size != np.prod(shape, dtype=np.int64):
        raise DreamError(
            f"{path}: layer {layer!r} has a parameter of shape {shape} with {values.size} values; "
            "fetch or copy the file again"
        )
    return values.reshape(shape)


def read_state_dict(path, shapes):
    """Read the weights of a network from a PyTorch state dict.

    Parameters
    ----------
    path : Path
        Of ``torch.save``; read with ``weights_only``, so that nothing in it is run. Keys are the
        layers' names with ``_`` or ``.`` for ``/``, as in the two conversions of GoogLeNet that are
        published: jcjohnson's manner (``inception_3a_1x1.weight``) and crowsonkb's
        (``inception_3a.conv_1x1.weight``).
    shapes : dict
        From `layer_shapes`.

    Returns
    -------
    dict of str -> list of ndarray

    Raises
    ------
    DreamError
        PyTorch is not installed, or the file is no state dict.
    """
    try:
        import torch
    except ImportError as error:
        raise DreamError(f"{path} is read by PyTorch, which is not installed here") from error
    with reading():
        path.stat()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = {key: value.numpy().astype(np.float32, copy=False) for key, value in state.items()}
    except Exception as error:  # torch raises a dozen kinds: pickle, zip, its own, ...
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DreamError(f"{path}: truncated, or no PyTorch state dict: {cause}") from error
    names = {name.replace("/", "_"): name for name in shapes}
    layers = {}
    for key in sorted(state, reverse=True):  # weight before bias
        stem, _, _ = key.rpartition(".")
        stem = stem.replace(".conv_", "_").replace(".", "_")
        if stem not in names:
            stem = _SHORT_NAMES.get(stem, stem.removesuffix("_1"))  # MMdnn numbers the last layer
        layers.setdefault(names.get(stem, stem), []).append(state[key])
    return layers


def array_files(shapes):
    """Name the files of a folder of plain arrays.

    Parameters
    ----------
    shapes : dict
        From `layer_shapes`.

    Returns
    -------
    dict of str -> list of str
        Layer to files, as chaosmail/caffejs has them: ``LAYER_filter.bin``, ``LAYER_bias.bin``.
    """
    kinds = ("filter", "bias")
    return {
        name: [f"{name}_{kind}.bin" for kind in kinds[: len(blobs)]]
        for name, blobs in shapes.items()
    }


def read_arrays(folder, shapes):
    """Read the weights of a network from a folder of plain arrays.

    Parameters
    ----------
    folder : Path
        Files of `array_files`: float32, little-endian; filters are (out, height, width, in).
    shapes : dict
        From `layer_shapes`.

    Returns
    -------
    dict of str -> list of ndarray

    Raises
    ------
    DreamError
        A file is missing, or has another number of values.
    """
    layers = {}
    for layer, files in array_files(shapes).items():
        layers[layer] = []
        for file, shape in zip(files, shapes[layer]):
            with reading():
                content = (folder / file).read_bytes()
            if len(content) != 4 * np.prod(shape):
                raise DreamError(
                    f"{folder / file}: layer {layer!r} has {len(content)} bytes here; expected "
                    f"{4 * np.prod(shape)}, float32 of shape {shape}"
                )
            values = np.frombuffer(content, "<f4")
            if len(shape) == 4:
                out, channels, height, width = shape
                values = values.reshape(out, height, width, channels).transpose(0, 3, 1, 2)
            layers[layer].append(values.reshape(shape))
    return layers


#: Share of a network's layers of which the weights must be there: with less it is another's.
LEAST_FOUND = 0.5


def check_weights(layers, shapes, path):
    """Refuse weights of another network; warn of layers without any, which keep their fillers.

    Auxiliary classifiers (`TRAINING`) may lack theirs.

    Parameters
    ----------
    layers, shapes, path
        As for `check_layers`.

    Raises
    ------
    DreamError
        Fewer than half of the network's layers are found, or one of those that are is not as
        `check_layers` wants it.
    """
    found = {name: shape for name, shape in shapes.items() if name in layers}
    missing = [name for name in shapes if name not in layers and not name.startswith(TRAINING)]
    if missing and len(found) < LEAST_FOUND * len(shapes):
        others = [name for name in layers if name not in shapes]
        theirs = f"; the file's are {listed(others, 3)}" if others else ""
        raise DreamError(
            f"{path} holds weights for {len(found)} of the network's {len(shapes)} layers: it "
            f"lacks {listed(missing, 3)}{theirs}. These are another network's weights; take those "
            "that belong to this prototxt"
        )
    check_layers(layers, found, path)
    if missing:
        warnings.warn(
            f"{path} lacks the weights of {len(missing)} of the network's {len(shapes)} layers, "
            f"which are left as the prototxt fills them: {listed(missing)}",
            DreamWarning,
            stacklevel=2,
        )


def check_layers(layers, shapes, path, extra=True):
    """Refuse weights that are not a network's.

    Parameters
    ----------
    layers : dict of str -> list of ndarray
    shapes : dict
        From `layer_shapes`. Axes of length one in front do not count: files of 2014 have four axes.
    path : str or Path
        Where the weights come from, for the error.
    extra : bool
        Whether layers that the network has not are allowed, as Caffe does. Those of its training
        (`TRAINING`) always are.

    Raises
    ------
    DreamError
        Names the layer that is missing, has another shape, holds NaN or infinity, or is extra.
    """
    missing = [name for name in shapes if name not in layers]
    if missing:
        raise DreamError(
            f"{path}: {len(missing)} of the network's {len(shapes)} layers are missing, the first "
            f"is {missing[0]!r}; these are another network's weights"
        )
    for name, expected in shapes.items():
        found = [array.shape for array in layers[name]]
        if [_trimmed(shape) for shape in found] != [_trimmed(shape) for shape in expected]:
            raise DreamError(
                f"{path}: layer {name!r} has parameters of shapes {_listed(found)}; the network's "
                f"are {_listed(expected)}"
            )
        for array in layers[name]:
            if not np.isfinite(array).all():
                raise DreamError(
                    f"{path}: layer {name!r} holds {np.count_nonzero(~np.isfinite(array))} values "
                    "that are NaN or infinite; fetch or copy the file again"
                )
    more = [name for name in layers if name not in shapes and not name.startswith(TRAINING)]
    if more and not extra:
        raise DreamError(
            f"{path}: layer {more[0]!r} is not one of the network's, nor are {len(more) - 1} others"
        )


def _trimmed(shape):
    axes = list(shape)
    while axes and axes[0] == 1:
        axes.pop(0)
    return axes


def _listed(shapes):
    return ", ".join(" x ".join(map(str, shape)) for shape in shapes) or "none"


def values_sha256(layers, shapes):
    """Hash all values of a network's layers, whatever file they come from.

    Parameters
    ----------
    layers : dict of str -> list of ndarray
        Passed by `check_layers`.
    shapes : dict
        From `layer_shapes`: the order of layers.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits, over the values as little-endian float32: layer by layer,
        weights before bias.
    """
    digest = hashlib.sha256()
    for name in shapes:
        for array in layers[name]:
            digest.update(np.ascontiguousarray(array, "<f4"))
    return digest.hexdigest()


def write_caffemodel(path, layers, definition):
    """Write weights as a caffemodel, atomically.

    Parameters
    ----------
    path : str or Path
    layers : dict of str -> list of ndarray
    definition : caffe_pb2.NetParameter
        The network: its layers' types and order.

    Raises
    ------
    DreamError
        The file cannot be written.
    """
    message = type(definition)(name=definition.name)
    for param in definition.layer:
        if param.name in layers:
            layer = message.layer.add(name=param.name, type=param.type)
            for array in layers[param.name]:
                blob = layer.blobs.add()
                blob.shape.dim.extend(array.shape)
                blob.data.extend(memoryview(np.ascontiguousarray(array, np.float32).ravel()))
    with written_whole(path) as temporary:
        Path(temporary).write_bytes(message.SerializeToString())
