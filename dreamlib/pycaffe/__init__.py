"""pycaffe on PyTorch: the same classes, prototxt and caffemodel files, and the same numbers.

``import dreamlib.pycaffe as caffe`` stands in for ``import caffe`` in scripts that load a net, run
it and ask for gradients; after `install`, ``import caffe`` itself finds this package, and
``python -m dreamlib.pycaffe SCRIPT`` runs a script after it.
"""

from __future__ import annotations

import importlib

from dreamlib.errors import CaffeError, CaffeWarning
from dreamlib.pycaffe import io, proto
from dreamlib.pycaffe.classifier import Classifier
from dreamlib.pycaffe.device import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from dreamlib.pycaffe.installed import install
from dreamlib.pycaffe.layers import layer_type_list
from dreamlib.pycaffe.layers.python import UserLayer as Layer
from dreamlib.pycaffe.net import Net
from dreamlib.pycaffe.net_spec import NetSpec, layers, params, to_proto  # hides the package layers
from dreamlib.pycaffe.proto import caffe_pb2  # noqa: F401 (a name of this package, too)
from dreamlib.pycaffe.proto.caffe_pb2 import TEST, TRAIN

__version__ = "1.0.0"  # of the Caffe whose behaviour this is

__all__ = [
    "TEST",
    "TRAIN",
    "CaffeError",
    "CaffeWarning",
    "Classifier",
    "Detector",
    "Layer",
    "Net",
    "NetSpec",
    "install",
    "io",
    "layer_type_list",
    "layers",
    "params",
    "proto",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
    "to_proto",
]


#: Modules that few import, by what is asked for.
_LATER = {
    "Detector": "detector",
    **{name: name for name in ("detector", "draw", "pycaffe", "_caffe")},
}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_LATER[name]}")
    return getattr(module, name, module)


def __dir__():
    return sorted({*globals(), *__all__, *_LATER})
