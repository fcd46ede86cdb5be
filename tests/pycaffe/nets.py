"""Definitions that several tests of dreamlib.pycaffe share."""

import numpy as np

from dreamlib import pycaffe as caffe

#: Two inputs, a convolution, its output read twice: the smallest net with everything a dream needs.
TINY = """
name: "tiny"
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1
    weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "uniform" min: -0.5 max: 0.5 } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "tanh" }
layer { name: "double" type: "Power" bottom: "conv" top: "double" power_param { scale: 2 } }
layer { name: "sum" type: "Eltwise" bottom: "tanh" bottom: "double" top: "sum" }
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""  # noqa: E501

#: A net to be trained, in 2015's terms, without data files.
TRAINED = """
name: "trained"
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 4 dim: 6 } shape { dim: 4 }
    data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" include { phase: TRAIN } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 0.5 }
layer { name: "half" type: "Power" bottom: "loss" top: "half" power_param { scale: 0.5 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST } }
layer { name: "quiet" type: "Silence" bottom: "half" }
"""  # noqa: E501


def make_net(folder, text=TINY, phase=caffe.TEST, seed=0, **options):
    """Write a prototxt into a folder and make its net, with repeatable fillers."""
    path = folder / "net.prototxt"
    path.write_text(text)
    caffe.set_random_seed(seed)
    return caffe.Net(str(path), phase, **options)


def relative(value, reference):
    """The error of a value, as a part of the reference's norm."""
    return np.linalg.norm(value - reference) / np.linalg.norm(reference)
