"""The networks that benchmarks step with: GoogLeNet, and the embedded EfficientNet-Lite0.

Each comes with the files that an engine loads, and as plain PyTorch: the limit, the network's own
forward and backward without anything around them.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import random_googlenet
from random_googlenet import PROJECT


class Network(NamedTuple):
    """A network, and the layer that is dreamt."""

    write: Callable  #: given an engine's module, returns the paths of a prototxt and a caffemodel
    end: str
    mean: tuple  #: of each channel
    plain: Callable  #: makes an ``nn.Module`` up to `end`


def _googlenet():
    from plain_googlenet import googlenet_to_4c

    return googlenet_to_4c()


EMBEDDED, EMBEDDED_END = PROJECT / "models" / "efficientnet_lite0", "block11"


def _write_embedded(caffe):
    """Write the embedded model's prototxt with ``force_backward``; set-up made its weights."""
    folder = PROJECT / "out" / "efficientnet"
    folder.mkdir(parents=True, exist_ok=True)
    prototxt = folder / "deploy.prototxt"
    text = (EMBEDDED / "deploy.prototxt").read_text()
    prototxt.write_text(text + "\nforce_backward: true\n")
    return str(prototxt), str(EMBEDDED / "efficientnet_lite0.caffemodel")


def _plain_embedded():
    """Make EfficientNet-Lite0 up to `EMBEDDED_END` of PyTorch's modules, with random weights."""
    import torch
    from google.protobuf import text_format
    from torch import nn

    from dreamlib.pycaffe.proto import caffe_pb2

    text = (EMBEDDED / "deploy.prototxt").read_text()
    layers = text_format.Parse(text, caffe_pb2.NetParameter()).layer

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.steps, channels = [], {"data": 3}
            for layer in layers[1:]:
                below, module = list(layer.bottom), None
                outputs = channels[below[0]]
                if layer.type == "Convolution":
                    param = layer.convolution_param
                    how = *(param.stride or [1]), *(param.pad or [0]), 1, param.group
                    module = nn.Conv2d(outputs, param.num_output, param.kernel_size[0], *how)
                    outputs = param.num_output
                elif layer.type == "Clip":
                    module = nn.ReLU6(inplace=True)
                channels[layer.top[0]] = outputs
                self.add_module(layer.name.replace("/", "_"), module or nn.Identity())
                self.steps.append((module, below, layer.top[0]))
                if layer.name == EMBEDDED_END:
                    return

        def forward(self, x):
            made = {"data": x}
            for module, below, top in self.steps:
                given = [made[name] for name in below]
                made[top] = module(given[0]) if module else torch.add(*given)
            return made[top]

    net = Plain().to(memory_format=torch.channels_last)
    return net.requires_grad_(False)


NETWORKS = {
    "googlenet": Network(random_googlenet.write, random_googlenet.END, (104, 116, 122), _googlenet),
    "efficientnet": Network(_write_embedded, EMBEDDED_END, (127, 127, 127), _plain_embedded),
}


def load(caffe, network, **how):
    """Load a network with an engine.

    Parameters
    ----------
    caffe : module
    network : Network
    **how
        Of `Classifier`.

    Returns
    -------
    caffe.Classifier
    """
    import numpy as np

    return caffe.Classifier(*network.write(caffe), mean=np.float32(network.mean), **how)
