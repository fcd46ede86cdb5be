"""Nets of which Caffe takes more than its documentation says, run on either engine.

``python -m tests.real_caffe.oddities {caffe,dreamlib.pycaffe} OUT.npz``
"""

import importlib
import sys

import numpy as np

from tests.real_caffe.cases import TRAIN, Case, answers, make_net, prototxt

SQUARE = {"data": ((1, 3, 12, 12), "noise")}
INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 12 '
CONV = "convolution_param { num_output: 3 kernel_size: 3 }"


def over_axes(kind, shape, parameters, phase=TRAIN):
    """A net of one convolution, whose bottom has any axes."""
    dims = " ".join(f"dim: {length}" for length in shape)
    return Case(
        {"x": (shape, "noise")},
        [],
        phase,
        text=f'input: "x" input_shape {{ {dims} }} layer {{ name: "it" type: "{kind}" '
        f'bottom: "x" top: "y" convolution_param {{ num_output: 4 {parameters} }} }}',
    )


CASES = {
    "convolution over one axis": over_axes(
        "Convolution", (2, 6, 9), "kernel_size: 3 stride: 2 pad: 1 group: 2"
    ),
    "convolution over one axis, dilated": over_axes(
        "Convolution", (2, 3, 11), "kernel_size: 3 dilation: 2 bias_term: false"
    ),
    "convolution over three axes": over_axes(
        "Convolution", (1, 2, 5, 6, 4), "kernel_size: 3 kernel_size: 2 kernel_size: 1 pad: 1"
    ),
    "convolution behind two axes": over_axes(
        "Convolution", (2, 3, 6, 5), "axis: 2 kernel_size: 3 pad: 1"
    ),
    "deconvolution over one axis": over_axes(
        "Deconvolution", (2, 6, 5), "kernel_size: 4 stride: 2 pad: 1 group: 2"
    ),
    "two layers of one name": Case(
        SQUARE,
        [],
        text=INPUT
        + f'layer {{ name: "x" type: "Convolution" bottom: "data" top: "a" {CONV} }} '
        + 'layer { name: "x" type: "TanH" bottom: "a" top: "a" } '
        + 'layer { name: "x" type: "Sigmoid" bottom: "a" top: "b" } '
        + f'layer {{ name: "x" type: "Convolution" bottom: "a" top: "c" {CONV} }} '
        + f'layer {{ name: "x" type: "Convolution" bottom: "b" top: "d" {CONV} }} '
        + 'layer { name: "sum" type: "Eltwise" bottom: "c" bottom: "d" top: "sum" }',
    ),
    "input without shape beside its layer": Case(
        SQUARE,
        [],
        text='input: "data" layer { name: "data" type: "Input" top: "data" '
        "input_param { shape { dim: 1 dim: 3 dim: 12 dim: 12 } } } "
        'layer { name: "t" type: "TanH" bottom: "data" top: "t" }',
    ),
    "loss without a top": Case(
        {"x": ((4, 3), "noise"), "label": ((4,), 3)},
        [
            'name: "ip" type: "InnerProduct" bottom: "x" top: "ip" '
            "inner_product_param { num_output: 3 }",
            'name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label"',
        ],
        TRAIN,
    ),
    "layers of 2013": Case(
        SQUARE,
        [],
        text=INPUT
        + " ".join(
            f"layers {{ layer {{ {body} }} {blobs} }}"
            for body, blobs in (
                ('name: "pad" type: "padding" pad: 2', 'bottom: "data" top: "pad"'),
                (
                    'name: "c" type: "conv" num_output: 6 kernelsize: 3 stride: 2 group: 1 '
                    "blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0",
                    'bottom: "pad" top: "c"',
                ),
                ('name: "r" type: "relu"', 'bottom: "c" top: "c"'),
                (
                    'name: "p" type: "pool" pool: AVE kernelsize: 3 stride: 2',
                    'bottom: "c" top: "p"',
                ),
                (
                    'name: "n" type: "lrn" local_size: 3 alpha: 0.5 beta: 0.6',
                    'bottom: "p" top: "n"',
                ),
                ('name: "q" type: "concat" concat_dim: 1', 'bottom: "n" bottom: "p" top: "q"'),
                ('name: "d" type: "dropout" dropout_ratio: 0.4', 'bottom: "q" top: "q"'),
                (
                    'name: "fc" type: "innerproduct" num_output: 4 biasterm: false',
                    'bottom: "q" top: "fc"',
                ),
                ('name: "prob" type: "softmax"', 'bottom: "fc" top: "prob"'),
            )
        ),
    ),
}


def lists(net):
    """What a net says of its layers and blobs, underscored attributes too, as bytes."""
    count = len(net.layers)
    said = [
        list(net._layer_names),
        list(net._blob_names),
        list(net._blob_loss_weights),
        list(net._inputs),
        list(net._outputs),
        [list(net._top_ids(index)) for index in range(count)],
        [list(net._bottom_ids(index)) for index in range(count)],
        [tuple(blob.data.shape) for blob in net._blobs],
        list(net.params),
        list(net.layer_dict),
        {name: list(tops) for name, tops in net.top_names.items()},
        {name: list(bottoms) for name, bottoms in net.bottom_names.items()},
        net.inputs,
        net.outputs,
        [layer.type for layer in net.layers],
    ]
    return np.frombuffer("\n".join(map(str, said)).encode(), np.uint8)


def everything(caffe):
    """Return the answers of all cases: {"case: what": array}."""
    found = {}
    for name, case in CASES.items():
        for what, values in answers(caffe, case).items():
            found[f"{name}: {what}"] = values
        net = make_net(caffe, prototxt(case), case.phase)
        found[f"{name}: lists"] = lists(net)
        for blob, (shape, _) in case.inputs.items():
            net.blobs[blob].data[...] = np.random.RandomState(3).randint(0, 3, shape)
        found[f"{name}: loss"] = np.array(net._forward(0, len(net.layers) - 1))
        net._backward(len(net.layers) - 1, 0)
        found[f"{name}: gradient"] = net.blobs[net.inputs[0]].diff.copy()
    return found


if __name__ == "__main__":
    np.savez(sys.argv[2], **everything(importlib.import_module(sys.argv[1])))
