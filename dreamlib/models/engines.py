"""Two engines that speak pycaffe's API, their devices, and models loaded into them.

Real pycaffe is taken wherever ``import caffe`` works, `dreamlib.pycaffe` on PyTorch everywhere
else.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from dreamlib.errors import CaffeWarning, DreamError
from dreamlib.models.definition import checked_prototxt, definition_of, lacking, left_out
from dreamlib.models.weights import check_weights, layer_shapes, read_caffemodel
from dreamlib.util.memory import give_back_freed

PACKAGE = Path(__file__).resolve().parent.parent
ENGINES = ("auto", "caffe", "torch")

_MODULES = {  # with the error where it is missing
    "caffe": (
        "caffe",
        "real Caffe is not installed here (import caffe failed: {}); it comes with Debian 11's "
        "python3-caffe. Use --engine torch, which needs no Caffe.",
    ),
    "torch": (
        "dreamlib.pycaffe",
        "the torch engine is not installed ({}); run 'make setup', or install the 'torch' "
        "extra of dreamlib.",
    ),
}


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
    caffe = import_engine(engine)
    if gpu is None:
        caffe.set_mode_cpu()
    else:
        if caffe.__name__ == "caffe":
            from dreamlib.models.caffe_gpu import require_gpu

            require_gpu(gpu)
        caffe.set_device(gpu)
        caffe.set_mode_gpu()
    return caffe


def import_engine(engine):
    """Import an engine and leave its device alone.

    Parameters
    ----------
    engine : {'auto', 'caffe', 'torch'}

    Returns
    -------
    module

    Raises
    ------
    DreamError
        The engine is not installed.
    """
    if engine not in ENGINES:
        raise DreamError(f"engine {engine!r} is unknown; choose one of {', '.join(ENGINES)}")
    if engine == "auto":
        engine = "caffe" if _caffe_is_there() else "torch"
    module, missing = _MODULES[engine]
    if engine == "caffe":
        if _caffe_is_ours():
            raise DreamError(missing.format("in this process it is dreamlib.pycaffe"))
        os.environ.setdefault("GLOG_minloglevel", "2")  # else it reports every layer it builds
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DreamError(missing.format(error)) from error


def _caffe_is_there():
    """Tell whether ``import caffe`` finds real Caffe."""
    return importlib.util.find_spec("caffe") is not None and not _caffe_is_ours()


def _caffe_is_ours():
    """Tell whether ``import caffe`` finds `dreamlib.pycaffe`, by its `install`."""
    if "caffe" in sys.modules:
        return sys.modules["caffe"] is sys.modules.get("dreamlib.pycaffe")
    origin = getattr(importlib.util.find_spec("caffe"), "origin", None)
    return origin is not None and PACKAGE in Path(origin).resolve().parents


def free_gpu_memory(engine, gpu):
    """Return the bytes that a CUDA device has free; None where the engine cannot tell.

    Parameters
    ----------
    engine : {'caffe', 'torch'}
    gpu : int

    Returns
    -------
    int or None

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
    # What PyTorch holds unused, as after a film's last frame, is there to be taken again.
    held = torch.cuda.memory_reserved(gpu) - torch.cuda.memory_allocated(gpu)
    return torch.cuda.mem_get_info(gpu)[0] + held


def engine_name(net):
    """Name the engine that a net belongs to: ``'caffe'`` or ``'torch'``.

    Parameters
    ----------
    net : caffe.Net

    Returns
    -------
    str
    """
    bases = {base.__module__.split(".")[0] for base in type(net).__mro__}
    return "torch" if "dreamlib" in bases else "caffe"


def load_net(model, engine="auto", gpu=None, precision="float32"):
    """Load a model as the notebook does, ready to be dreamt.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    engine, gpu
        As for `load_caffe`.
    precision : {'float32', 'bfloat16', 'float16'}
        Of activations and weights; data and diff stay float32. The torch engine only.

    Returns
    -------
    caffe.Classifier
        In phase TEST, with gradients reaching its first input. Layers that the engine cannot build,
        and those above them, are not there; the attribute ``left_out`` (dict of str -> str) has
        their names, each with that of the layer which is unknown; ``lacking`` (str) says in words
        what is. Blobs are called as their layers
        are; ``former_names`` (the same) has those of the prototxt, each with its layer's.

    Raises
    ------
    DreamError
        Weights are missing, or the engine cannot do what is asked.
    """
    model.require_weights()
    caffe = load_caffe(engine, gpu)
    ours = caffe.__name__ != "caffe"
    if precision != "float32" and not ours:
        raise DreamError(
            f"precision {precision!r} was asked of real Caffe, which computes in float32 alone; "
            "use --engine torch or leave --precision out"
        )
    layers = read_caffemodel(model, caffe)
    with checked_prototxt(model, caffe) as (prototxt, options):
        if ours:
            options["precision"] = precision
        else:
            # Weights that do not fit end the process there.
            check_weights(layers, layer_shapes(caffe.Net(prototxt, caffe.TEST)), model.weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CaffeWarning)  # `check_weights` says it
            net = caffe.Classifier(
                prototxt,
                str(model.weights),
                mean=np.float32(model.mean),
                channel_swap=(2, 1, 0) if model.channel_order == "BGR" else (0, 1, 2),
                input_scale=None if model.input_scale == 1 else model.input_scale,
                **options,
            )
    if ours:
        check_weights(layers, layer_shapes(net), model.weights)
    net.keep_intermediates = False  # ours; real Caffe does not look at it
    _with_names(net, model, caffe)
    del layers
    give_back_freed()
    return net


def _with_names(net, model, caffe):
    out = left_out(model, caffe)
    net.left_out, net.former_names = out.layers, out.former
    net.lacking = lacking(out, caffe)
    return net


def load_layers(model, engine="auto"):
    """Build a model's network to see its layers, without its weights, which need not be there.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    engine : {'auto', 'caffe', 'torch'}

    Returns
    -------
    caffe.Net
        In phase TEST, on the CPU, with ``left_out`` and ``former_names`` as `load_net` has them.

    Raises
    ------
    DreamError
        The prototxt is missing or wrong.
    """
    model.require_prototxt()
    caffe = load_caffe(engine)
    with checked_prototxt(model, caffe) as (prototxt, options):
        net = caffe.Net(prototxt, caffe.TEST, **options)
    return _with_names(net, model, caffe)


def layer_of(model, engine, name):
    """Return the layer that is meant by its name or its blob's, where no network is loaded.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    engine : {'caffe', 'torch'}
    name : str

    Returns
    -------
    str
    """
    return left_out(model, load_caffe(engine)).former.get(name, name)


def read_definition(model, engine):
    """Parse a model's prototxt with an engine's own protocol buffers.

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
    return copy.deepcopy(definition_of(model, import_engine(engine)))
