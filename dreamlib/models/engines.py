"""Which caffe runs the network, and on which device.

Two engines speak one API: real pycaffe, wherever ``import caffe`` works, and `dreamlib.pycaffe` on
PyTorch everywhere else.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import importlib.util
import os
import tempfile

import numpy as np

from dreamlib.errors import DreamError, nearest, reading

ENGINES = ("auto", "caffe", "torch")
PRECISIONS = ("float32", "bfloat16", "float16")


def load_caffe(engine="auto", gpu=None):
    """Import an engine and set its device.

    Parameters
    ----------
    engine : {'auto', 'caffe', 'torch'}
        ``auto`` takes real Caffe if it is installed, else ours.
    gpu : int, optional
        CUDA device; the CPU if None.

    Returns
    -------
    module
        ``caffe`` or `dreamlib.pycaffe`.

    Raises
    ------
    DreamError
        The engine is not installed, or cannot compute on such a device.
    """
    caffe = _engine(engine)
    if gpu is None:
        caffe.set_mode_cpu()
    else:
        if caffe.__name__ == "caffe":
            from dreamlib.models.caffe_gpu import require_gpu

            require_gpu(gpu)
        caffe.set_device(gpu)
        caffe.set_mode_gpu()
    return caffe


def _engine(engine):
    """Import an engine and leave its device alone."""
    if engine not in ENGINES:
        raise DreamError(f"engine {engine!r} is unknown; choose one of {', '.join(ENGINES)}")
    if engine == "auto":
        engine = "caffe" if importlib.util.find_spec("caffe") else "torch"
    if engine == "caffe":
        os.environ.setdefault("GLOG_minloglevel", "2")  # else it reports every layer it builds
        return _import(
            "caffe",
            "real Caffe is not installed here (import caffe failed: {}); it comes with Debian 11's "
            "python3-caffe. Use --engine torch, which needs no Caffe.",
        )
    return _import(
        "dreamlib.pycaffe",
        "the torch engine is not installed ({}); run 'make setup', or install the 'torch' "
        "extra of dreamlib.",
    )


def _import(module, explanation):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DreamError(explanation.format(error)) from error


def free_gpu_memory(engine, gpu):
    """Return the bytes that a CUDA device has free; None where the engine cannot tell.

    Parameters
    ----------
    engine : {'caffe', 'torch'}
    gpu : int

    Raises
    ------
    DreamError
        There is no such device.
    """
    if engine == "caffe":
        return None
    import torch

    if gpu >= torch.cuda.device_count():
        raise DreamError(
            f"there is no GPU {gpu}: PyTorch sees {torch.cuda.device_count()} CUDA device(s), "
            "counted from 0; name others with --devices or --gpu, or leave the flag out"
        )
    return torch.cuda.mem_get_info(gpu)[0]


def engine_name(net):
    """Name the engine that a net belongs to: ``'caffe'`` or ``'torch'``.

    Parameters
    ----------
    net : caffe.Net
    """
    bases = {base.__module__.split(".")[0] for base in type(net).__mro__}
    return "torch" if "dreamlib" in bases else "caffe"


def load_net(model, engine="auto", gpu=None, precision="float32"):
    """Load a model as the notebook does, so that it can be dreamt.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    engine, gpu
        As for `load_caffe`.
    precision : {'float32', 'bfloat16', 'float16'}
        What activations and weights are held in; data and diff stay float32. The torch engine only.

    Returns
    -------
    caffe.Classifier
        In phase TEST, with gradients reaching ``data``.

    Raises
    ------
    DreamError
        Weights are missing, or the engine cannot do what is asked.
    """
    model.require_weights()
    caffe = load_caffe(engine, gpu)
    options = {}
    if caffe.__name__ != "caffe":
        options["precision"] = precision
    elif precision != "float32":
        raise DreamError(
            f"precision {precision!r} was asked of real Caffe, which computes in float32 alone; "
            "use --engine torch or leave --precision out"
        )
    order = (2, 1, 0) if model.channel_order == "BGR" else (0, 1, 2)
    scale = None if model.input_scale == 1 else model.input_scale
    with _prepared_prototxt(model, caffe) as (prototxt, more):
        if caffe.__name__ == "caffe":
            _refuse_weights_that_end_caffe(model)
        net = caffe.Classifier(
            prototxt,
            str(model.weights),
            mean=np.float32(model.mean),
            channel_swap=order,
            input_scale=scale,
            **options,
            **more,
        )
    net.keep_intermediates = False  # ours; real Caffe does not look at it
    return net


def load_layers(model, engine="auto"):
    """Build a model's network without its weights, which need not be there, to see its layers.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    engine : {'auto', 'caffe', 'torch'}

    Returns
    -------
    caffe.Net
        In phase TEST, on the CPU.

    Raises
    ------
    DreamError
        The prototxt is missing or wrong.
    """
    model.require_prototxt()
    caffe = load_caffe(engine)
    with _prepared_prototxt(model, caffe) as (prototxt, options):
        return caffe.Net(prototxt, caffe.TEST, **options)


def read_definition(model, engine):
    """Parse a model's prototxt with an engine's own protocol buffers.

    Two engines' messages cannot live in one process, so nobody else's are used.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    engine : {'auto', 'caffe', 'torch'}

    Returns
    -------
    caffe_pb2.NetParameter
        The caller's own.

    Raises
    ------
    DreamError
        Malformed text, or a file that cannot be read.
    """
    return copy.deepcopy(_definition(model, _engine(engine)))


def _definition(model, caffe):
    """Return a model's definition, parsed once for as long as the file stays as it is.

    With ``force_backward``, as the notebook has it. It is shared: nobody changes it.
    """
    with reading():
        found = model.prototxt.stat()
    return _read_definition(model, caffe, (found.st_mtime_ns, found.st_size))


@functools.lru_cache(maxsize=4)
def _read_definition(model, caffe, version):
    from google.protobuf import text_format

    caffe_pb2 = importlib.import_module(f"{caffe.__name__}.proto.caffe_pb2")
    net_param = caffe_pb2.NetParameter()
    try:
        with reading():
            text = model.prototxt.read_text(encoding="utf-8")
        text_format.Merge(text, net_param)
    except UnicodeDecodeError as error:
        raise DreamError(
            f"{model.prototxt} is not a prototxt: it holds binary data; expected the text that "
            "describes the layers"
        ) from error
    except text_format.ParseError as error:
        raise DreamError(
            f"{model.prototxt} is not a prototxt that Caffe reads, at {error}"
        ) from error
    net_param.force_backward = True
    return net_param


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


def _refuse_types_that_end_caffe(model, definition, caffe):
    """Find the commonest of the faults in a prototxt for which real Caffe ends the process."""
    known = set(caffe.layer_type_list())
    for layer in definition.layer:
        if layer.type not in known:
            raise DreamError(
                f"{model.prototxt}: layer {layer.name!r} has type {layer.type!r}, which this Caffe "
                f"does not have{nearest(layer.type, known)}"
            )


def _refuse_weights_that_end_caffe(model):
    """Find the commonest of the faults in weights for which real Caffe ends the process."""
    from google.protobuf.message import DecodeError

    weights = importlib.import_module("caffe.proto.caffe_pb2").NetParameter()
    with reading():
        content = model.weights.read_bytes()
    try:
        weights.ParseFromString(content)
    except DecodeError as error:
        raise DreamError(
            f"{model.weights}: truncated, or not a caffemodel; fetch or copy it again"
        ) from error
    if not weights.layer and not weights.layers:
        raise DreamError(f"{model.weights}: holds no layers; fetch or copy it again")


@contextlib.contextmanager
def _prepared_prototxt(model, caffe):
    """Check a model's prototxt; yield a path and options that a net is made of.

    Real Caffe reads a copy with ``force_backward``, as in the notebook.
    """
    from google.protobuf import text_format

    definition = _definition(model, caffe)
    _check_input(model, definition)
    if caffe.__name__ != "caffe":
        yield str(model.prototxt), {"definition": definition}
        return
    _refuse_types_that_end_caffe(model, definition, caffe)
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as copy:
        copy.write(text_format.MessageToString(definition))
        copy.flush()
        try:
            yield copy.name, {}
        except DreamError as error:  # names the copy, which the user does not know
            raise DreamError(str(error).replace(copy.name, str(model.prototxt))) from error
