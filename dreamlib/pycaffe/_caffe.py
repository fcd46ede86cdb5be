"""``caffe._caffe``: what is compiled in Caffe, under the names that it has there."""

from dreamlib.pycaffe.blob import Blob
from dreamlib.pycaffe.device import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from dreamlib.pycaffe.layers import layer_type_list
from dreamlib.pycaffe.layers.python import UserLayer as Layer
from dreamlib.pycaffe.net import Net

__all__ = [
    "Blob",
    "Layer",
    "Net",
    "layer_type_list",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
]
