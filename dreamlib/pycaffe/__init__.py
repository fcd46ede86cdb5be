"""pycaffe on PyTorch: the same classes, prototxt and caffemodel files, and the same numbers.

``import dreamlib.pycaffe as caffe`` stands in for ``import caffe`` in scripts that load a net, run
it and ask for gradients; after `install`, ``import caffe`` itself finds this package.
"""

from __future__ import annotations

import importlib
import sys

from dreamlib.errors import CaffeError, CaffeWarning
from dreamlib.pycaffe import io, proto
from dreamlib.pycaffe.classifier import Classifier
from dreamlib.pycaffe.device import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from dreamlib.pycaffe.layers import Layer, layer_type_list
from dreamlib.pycaffe.net import Net
from dreamlib.pycaffe.proto import caffe_pb2
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
    "install",
    "io",
    "layer_type_list",
    "proto",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
]


def __getattr__(name):
    if name not in ("Detector", "detector"):  # which few import
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module("dreamlib.pycaffe.detector")
    return module if name == "detector" else module.Detector


def __dir__():
    return sorted({*globals(), *__all__, "detector"})


def install():
    """Make ``import caffe`` find this package, with ``caffe.io`` and ``caffe.proto.caffe_pb2``."""
    sys.modules["caffe"] = sys.modules[__name__]
    sys.modules["caffe.io"] = io
    sys.modules["caffe.proto"] = proto
    sys.modules["caffe.proto.caffe_pb2"] = caffe_pb2
