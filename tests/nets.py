"""Small networks with random weights, for tests that need a network but not a trained one."""

import errno
import os
from pathlib import Path

import numpy as np

from dreamlib import pycaffe

#: The layer kinds of GoogLeNet up to an inception module, thinner.
INCEPTION = """
name: "small inception"
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 64 dim: 64 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 16 kernel_size: 7 stride: 2 pad: 3 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.2 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: "mixed/1x1" type: "Convolution" bottom: "norm1" top: "mixed/1x1"
  convolution_param { num_output: 8 kernel_size: 1 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.2 } } }
layer { name: "mixed/relu_1x1" type: "ReLU" bottom: "mixed/1x1" top: "mixed/1x1" }
layer { name: "mixed/3x3" type: "Convolution" bottom: "norm1" top: "mixed/3x3"
  convolution_param { num_output: 12 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.2 } } }
layer { name: "mixed/relu_3x3" type: "ReLU" bottom: "mixed/3x3" top: "mixed/3x3" }
layer { name: "mixed/pool" type: "Pooling" bottom: "norm1" top: "mixed/pool" pooling_param { pool: MAX kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "mixed/output" type: "Concat" bottom: "mixed/1x1" bottom: "mixed/3x3" bottom: "mixed/pool" top: "mixed/output" }
layer { name: "pool2" type: "Pooling" bottom: "mixed/output" top: "pool2" pooling_param { pool: AVE global_pooling: true } }
layer { name: "classifier" type: "InnerProduct" bottom: "pool2" top: "classifier"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "classifier" top: "prob" }
"""  # noqa: E501

MEAN = np.float32([104, 116, 122])


def write_random_net(folder, text=INCEPTION, seed=0):
    """Write ``deploy.prototxt`` and ``random.caffemodel`` into a folder; return both paths."""
    prototxt, weights = folder / "deploy.prototxt", folder / "random.caffemodel"
    prototxt.write_text(text)
    pycaffe.set_random_seed(seed)
    pycaffe.Net(str(prototxt), pycaffe.TEST).save(str(weights))
    return str(prototxt), str(weights)


def small_classifier(folder, **options):
    """A classifier of the small inception net, as the notebook makes one."""
    options = {"mean": MEAN, "channel_swap": (2, 1, 0), **options}
    return pycaffe.Classifier(*write_random_net(folder), **options)


def picture(height, width, seed=0):
    """A picture of soft random blotches, (height, width, 3) uint8."""
    from scipy.ndimage import gaussian_filter

    blotches = gaussian_filter(np.random.RandomState(seed).rand(height, width, 3), (4, 4, 0))
    low, high = blotches.min(), blotches.max()
    return np.uint8((blotches - low) / (high - low) * 255)


def forbid(monkeypatch, method):
    """Make a method of every Path fail as it does where the user has no permission."""

    def refuse(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, method, refuse)
