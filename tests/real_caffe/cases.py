"""Layers, nets and calls that real Caffe and dreamlib.pycaffe must answer alike.

Runs unchanged on both: Python 3.9 with Debian's Caffe, and ours. All numbers come from seeds, so
that only answers need to be kept. ``cases.py {caffe,dreamlib.pycaffe} OUT.npz`` writes them; where
real Caffe ends the process, the last name printed is the case to look at.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

TRAIN, TEST = 0, 1
SMALL = (2, 3, 4, 5)


class Case(NamedTuple):
    """A net, and what to feed it.

    Attributes
    ----------
    inputs : dict of str -> (shape, kind)
        Kind is ``noise``, ``positive``, ``ties`` (few values, many equal) or the number of classes.
    layers : list of str
        Bodies of ``layer { }``.
    backward : bool
        Whether gradients are asked for; some layers have none.
    """

    inputs: dict
    layers: list
    phase: int = TEST
    backward: bool = True
    text: str = ""  # instead of inputs' and layers' own


def prototxt(case):
    """Write out a case's network definition."""
    text = "" if "force_backward" in case.text else "force_backward: true\n"
    if case.text:
        return text + case.text
    for name, (shape, _) in case.inputs.items():
        dims = " ".join(f"dim: {length}" for length in shape)
        text += (
            f'layer {{ name: "{name}" type: "Input" top: "{name}" '
            f"input_param {{ shape {{ {dims} }} }} }}\n"
        )
    return text + "\n".join(f"layer {{ {body} }}" for body in case.layers)


def layer(kind, bottoms, tops, parameters="", name=None):
    """Body of a layer; blobs are words. Called as its first top is, unless told."""
    blobs = [f'{side}: "{blob}" ' for side, blobs in (("bottom", bottoms), ("top", tops))
             for blob in blobs.split()]  # fmt: skip
    return f'name: "{name or tops.split()[0]}" type: "{kind}" {"".join(blobs)}{parameters}'


def one(kind, parameters="", shape=(2, 6, 7, 9), values="noise", bottoms="x", tops="y", **options):
    """A net of one layer that reads one blob, from x to y."""
    body = layer(kind, bottoms, tops, parameters, "it")
    return Case({bottoms[0]: (shape, values)}, [body], **options)


def two(kind, parameters="", first=(2, 6, 7, 9), second=(2, 6, 7, 9), values="noise", tops="y",
        **options):  # fmt: skip
    """A net of one layer that reads a and b."""
    body = layer(kind, "a b", tops, parameters, "it")
    return Case({"a": (first, "noise"), "b": (second, values)}, [body], **options)


def none(parameters, tops):
    """A net of one layer that makes its numbers itself."""
    body = layer("DummyData", "", tops, f"dummy_data_param {{ {parameters} }}", "it")
    return Case({}, [body], backward=False)


def learned(kind, parameters="", outputs=5, tops="y", more=None, batch=4, loss=False):
    """A net in training of an InnerProduct and one layer upon it, which also reads `more` inputs.

    Nothing forces gradients: they go as far as the weights.
    """
    inputs = {"x": ((batch, 6), "noise"), **(more or {})}
    names = " ".join(["ip", *(more or {})])
    ip = f"inner_product_param {{ num_output: {outputs} }}"
    layers = [layer("InnerProduct", "x", "ip", ip), layer(kind, names, tops, parameters, "it")]
    if loss:
        squares = "reduction_param { operation: SUMSQ } loss_weight: 0.5"
        layers += [layer("Reduction", top, f"{top}_squares", squares) for top in tops.split()]
    case = Case(inputs, layers, TRAIN)
    text = prototxt(case).replace("force_backward: true", "force_backward: false")
    return case._replace(text=text)


def embed(parameters, shape, numbers):
    """A net in training of an Embed layer, its top a loss; Caffe forces no gradient to numbers."""
    body = layer("Embed", "x", "y", f"embed_param {{ {parameters} }} loss_weight: 2", "it")
    case = Case({"x": (shape, numbers)}, [body], TRAIN)
    text = prototxt(case).replace("force_backward: true", "force_backward: false")
    return case._replace(text=text)


def user_layer(kind, bottoms, tops, more="", param_str="", name=None):
    """Body of a Python layer of `tests.real_caffe.user_layers`."""
    param = f"module: 'tests.real_caffe.user_layers' layer: '{kind}' param_str: '{param_str}'"
    return layer("Python", bottoms, tops, f"python_param {{ {param} }} {more}", name)


def recurrent(kind, static=False, exposed=False, steps=4, batch=3, width=5):
    """A recurrent layer over noise, its sequences begun anew here and there."""
    inputs = {"x": ((steps, batch, 2, 3), "noise"), "goes_on": ((steps, batch), 2)}
    if static:
        inputs["s"] = ((batch, 4), "noise")
    tops = "y"
    if exposed:
        names = ("h", "c")[: 2 if kind == "LSTM" else 1]
        inputs.update(dict.fromkeys(names, ((1, batch, width), "noise")))
        tops += "".join(f" {name}_after" for name in names)
    fill = 'weight_filler { type: "uniform" } bias_filler { type: "uniform" }'
    exposing = "expose_hidden: true" if exposed else ""
    param = f"recurrent_param {{ num_output: {width} {fill} {exposing} }}"
    return Case(inputs, [layer(kind, " ".join(inputs), tops, param, "it")], TRAIN)


def conv(parameters, shape=(2, 6, 11, 13), kind="Convolution", **options):
    return one(kind, f"convolution_param {{ {parameters} }}", shape, **options)


def pool(parameters, height=11, width=13, channels=3):
    return one("Pooling", f"pooling_param {{ {parameters} }}", (2, channels, height, width))


def extreme(kind):
    """A net of one layer on values from about -200 to 200."""
    scale = layer("Power", "x", "s", "power_param { scale: 60 }")
    return Case({"x": (SMALL, "noise")}, [scale, layer(kind, "s", "y", name="it")])


def in_place(kind, parameters="", phase=TEST):
    """A convolution and a layer in its blob."""
    layers = [
        *convolution("c", "x", 4, 3, "bias_term: false", relu=False),
        layer(kind, "c", "c", parameters, "it"),
        *convolution("d", "c", 2, 1, relu=False),
    ]
    return Case({"x": ((1, 3, 8, 9), "noise")}, layers, phase)


def convolution(name, bottom, outputs, kernel, more="", relu=True):
    """Bodies of a convolution and the ReLU in its blob."""
    parameters = f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} {more} }}"
    bodies = [layer("Convolution", bottom, name, parameters)]
    return bodies + [layer("ReLU", name, name, name=f"{name}/relu")] * relu


def operations(bottoms):
    """Bodies of each element-wise operation on the same blobs."""
    return [layer("Eltwise", bottoms, op, f"eltwise_param {{ operation: {op} }}")
            for op in ("MAX", "PROD", "SUM")]  # fmt: skip


POOL2 = "pooling_param { pool: MAX kernel_size: 3 stride: 2 }"
IMAGE = {"data": ((1, 3, 27, 31), "noise")}

INCEPTION = Case(
    IMAGE,
    [
        *convolution("conv1", "data", 16, 7, "stride: 2 pad: 3"),
        layer("Pooling", "conv1", "pool1", POOL2),
        layer("LRN", "pool1", "norm1", "lrn_param { local_size: 5 alpha: 0.02 beta: 0.75 }"),
        *convolution("a", "norm1", 8, 1),
        *convolution("b0", "norm1", 6, 1),
        *convolution("b", "b0", 12, 3, "pad: 1"),
        *convolution("c0", "norm1", 4, 1),
        *convolution("c", "c0", 6, 5, "pad: 2"),
        layer(
            "Pooling", "norm1", "d0", "pooling_param { pool: MAX kernel_size: 3 stride: 1 pad: 1 }"
        ),
        *convolution("d", "d0", 5, 1),
        layer("Concat", "a b c d", "output"),
        layer("Pooling", "output", "pool2", "pooling_param { pool: AVE global_pooling: true }"),
        layer("Dropout", "pool2", "pool2", name="drop"),
        layer("InnerProduct", "pool2", "fc", "inner_product_param { num_output: 7 }"),
        layer("Softmax", "fc", "prob"),
    ],
)

OLD_LAYERS = [
    'name: "e" type: ELTWISE bottom: "x" bottom: "z" top: "e" eltwise_param { operation: PROD }',
    'name: "s" type: SLICE bottom: "e" top: "s1" top: "s2" slice_param { slice_dim: 1 }',
    'name: "c" type: CONCAT bottom: "s2" bottom: "s1" top: "c" concat_param { concat_dim: 2 }',
    'name: "p" type: POOLING bottom: "c" top: "p" '
    "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }",
    'name: "m" type: MVN bottom: "p" top: "m"',
    'name: "dc" type: DECONVOLUTION bottom: "m" top: "dc" '
    "convolution_param { num_output: 2 kernel_size: 2 stride: 2 }",
    'name: "z" type: SILENCE bottom: "dc"',
    'name: "f" type: FLATTEN bottom: "p" top: "f"',
    'name: "a" type: ABSVAL bottom: "f" top: "a"',
    'name: "pw" type: POWER bottom: "a" top: "pw" power_param { power: 2 shift: 1 }',
    'name: "d" type: DROPOUT bottom: "pw" top: "pw" dropout_param { dropout_ratio: 0.4 }',
    'name: "sig" type: SIGMOID bottom: "pw" top: "sig"',
    'name: "bn" type: BNLL bottom: "sig" top: "bn"',
    'name: "sp" type: SPLIT bottom: "bn" top: "sp1" top: "sp2"',
    'name: "ex" type: EXP bottom: "sp1" top: "ex"',
    'name: "th" type: TANH bottom: "sp2" top: "th"',
]

#: Layers whose exponentials must not overflow.
EXTREME = ("ELU", "Sigmoid", "TanH", "BNLL", "Swish", "Softmax")

CASES = {
    "conv plain": conv("num_output: 4 kernel_size: 3"),
    "conv pad stride": conv("num_output: 4 kernel_size: 5 pad: 2 stride: 2"),
    "conv group": conv("num_output: 8 kernel_size: 3 group: 2 pad: 1"),
    "conv depthwise": conv("num_output: 6 kernel_size: 3 group: 6 pad: 1 stride: 2"),
    "conv dilation": conv("num_output: 4 kernel_size: 3 dilation: 2"),
    "conv rectangular": conv(
        "num_output: 3 kernel_h: 3 kernel_w: 5 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 2"
    ),
    "conv no bias": conv("num_output: 4 kernel_size: 1 bias_term: false"),
    "conv image": conv("num_output: 8 kernel_size: 7 stride: 2 pad: 3", (1, 3, 21, 18)),
    "conv image train": conv(
        "num_output: 8 kernel_size: 4 stride: 3 pad: 1", (2, 3, 14, 17), phase=TRAIN
    ),
    "conv train": conv("num_output: 4 kernel_size: 3 group: 2", phase=TRAIN),
    "conv repeated dims": conv("num_output: 4 kernel_size: 3 kernel_size: 2 stride: 1 stride: 2"),
    "conv no bias train": conv(
        "num_output: 4 kernel_size: 3 pad: 1 bias_term: false", (2, 5, 4, 6), phase=TRAIN
    ),
    "conv rectangular dilation": conv(
        "num_output: 2 kernel_size: 3 dilation: 2 dilation: 1 pad: 2 pad: 1", (1, 5, 7, 6)
    ),
    "conv group dilation stride train": conv(
        "num_output: 4 kernel_size: 3 dilation: 2 stride: 2 pad: 3 group: 2",
        (2, 6, 7, 8),
        phase=TRAIN,
    ),
    "conv 1x1 stride": conv("num_output: 4 kernel_size: 1 stride: 2", (1, 6, 5, 6)),
    "conv 1x1 pad": conv("num_output: 4 kernel_size: 1 pad: 1", (1, 6, 5, 6)),
    "conv whole picture": conv("num_output: 4 kernel_h: 5 kernel_w: 6", (2, 6, 5, 6)),
    "conv of two": two(
        "Convolution",
        "convolution_param { num_output: 4 kernel_size: 3 }",
        (1, 3, 5, 6),
        (1, 3, 5, 6),
        tops="p q",
        phase=TRAIN,
    ),
    "deconv": conv("num_output: 4 kernel_size: 4 stride: 2 pad: 1", kind="Deconvolution"),
    "deconv group": conv("num_output: 6 kernel_size: 3 group: 3", kind="Deconvolution"),
    "deconv train": conv("num_output: 4 kernel_size: 3", kind="Deconvolution", phase=TRAIN),
    "deconv rectangular dilation train": conv(
        "num_output: 4 kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 3 pad_h: 2 pad_w: 1 "
        "dilation: 2 dilation: 1",
        (1, 3, 5, 6),
        "Deconvolution",
        phase=TRAIN,
    ),
    "deconv group no bias train": conv(
        "num_output: 4 kernel_size: 4 stride: 2 pad: 1 group: 2 bias_term: false",
        (2, 6, 3, 4),
        "Deconvolution",
        phase=TRAIN,
    ),
    "pool max": pool("pool: MAX kernel_size: 3 stride: 2"),
    "pool max even": pool("pool: MAX kernel_size: 3 stride: 2", 12, 14),
    "pool max clip": pool("pool: MAX kernel_size: 3 stride: 2 pad: 1", 10, 12),
    "pool max wide pad": pool("pool: MAX kernel_size: 3 stride: 1 pad: 2"),
    "pool max one": pool("pool: MAX kernel_size: 3 stride: 1 pad: 1", 1, 2),
    "pool max rectangular": pool("pool: MAX kernel_h: 2 kernel_w: 4 stride_h: 2 stride_w: 3"),
    "pool max loose": pool("pool: MAX kernel_size: 2 stride: 3", 11, 14),
    "pool max global": pool("pool: MAX global_pooling: true"),
    "pool max floor": pool("pool: MAX kernel_size: 3 stride: 2 round_mode: FLOOR", 6, 8),
    "pool max pad of one axis": pool(
        "pool: MAX kernel_h: 3 pad_h: 1 kernel_w: 1 pad_w: 0 stride: 3", 10, 14, 1
    ),
    "pool max ties": one(
        "Pooling", "pooling_param { kernel_size: 3 pad: 1 }", (2, 3, 5, 6), "ties"
    ),
    "pool max mask": one(
        "Pooling",
        "pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 2 }",
        (2, 3, 9, 8),
        tops="y mask",
        backward=False,
    ),
    "pool ave": pool("pool: AVE kernel_size: 3 stride: 2"),
    "pool ave even": pool("pool: AVE kernel_size: 3 stride: 2", 12, 14),
    "pool ave pad": pool("pool: AVE kernel_size: 3 stride: 2 pad: 1", 10, 13),
    "pool ave wide pad": pool("pool: AVE kernel_size: 3 stride: 2 pad: 2", 10, 13),
    "pool ave rectangular": pool("pool: AVE kernel_h: 5 kernel_w: 2 pad_h: 1 pad_w: 0 stride: 2"),
    "pool ave floor": pool("pool: AVE kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR", 6, 8),
    "pool ave loose": pool("pool: AVE kernel_size: 2 stride: 3", 5, 8),
    "pool ave global": pool("pool: AVE global_pooling: true"),
    "lrn across": one("LRN", "lrn_param { local_size: 5 alpha: 0.7 beta: 0.75 }"),
    "lrn across k": one("LRN", "lrn_param { local_size: 3 alpha: 2 beta: 0.6 k: 2.5 }"),
    "lrn across narrow": one(
        "LRN", "lrn_param { local_size: 7 alpha: 1 beta: 0.75 }", (1, 2, 5, 6)
    ),
    "lrn within": one(
        "LRN", "lrn_param { local_size: 3 alpha: 1.5 beta: 0.75 norm_region: WITHIN_CHANNEL }"
    ),
    "lrn within k": one(
        "LRN",
        "lrn_param { local_size: 5 alpha: 1.5 beta: 0.5 k: 2 norm_region: WITHIN_CHANNEL }",
        SMALL,
    ),
    "lrn of one": one("LRN", "lrn_param { local_size: 1 alpha: 1.5 }", SMALL),
    "relu": one("ReLU"),
    "relu leaky": one("ReLU", "relu_param { negative_slope: 0.1 }"),
    "relu negative": one("ReLU", "relu_param { negative_slope: -0.3 }", SMALL, "ties"),
    "relu in place": in_place("ReLU"),
    "relu leaky in place": in_place("ReLU", "relu_param { negative_slope: 0.2 }"),
    "prelu": one("PReLU"),
    "prelu shared": one("PReLU", "prelu_param { channel_shared: true }"),
    "prelu train": one("PReLU", phase=TRAIN),
    "prelu in place": in_place("PReLU"),
    "prelu shared train": one(
        "PReLU", "prelu_param { channel_shared: true }", SMALL, "ties", phase=TRAIN
    ),
    "prelu matrix train": one("PReLU", "", (4, 3), phase=TRAIN),
    "prelu in place train": in_place("PReLU", phase=TRAIN),
    "elu": one("ELU", "elu_param { alpha: 0.7 }"),
    "elu in place": in_place("ELU"),
    **{f"{kind} extreme": extreme(kind) for kind in EXTREME},
    "sigmoid": one("Sigmoid"),
    "sigmoid in place": in_place("Sigmoid"),
    "tanh": one("TanH"),
    "tanh in place": in_place("TanH"),
    "absval": one("AbsVal"),
    "power": one("Power", "power_param { power: 2 scale: 0.5 shift: 1 }"),
    "power cubed": one("Power", "power_param { power: 3 }"),
    "power linear": one("Power", "power_param { scale: -2 shift: 3 }"),
    "power root": one("Power", "power_param { power: 0.5 shift: 0.2 }", values="positive"),
    "power nought": one("Power", "power_param { power: 0 }", SMALL),
    "power of nought": one("Power", "power_param { scale: 0 shift: 2 power: 2 }", SMALL),
    "power inverse": one("Power", "power_param { power: -1 }", SMALL, "positive"),
    "power as loss": one("Power", "loss_weight: 0.5 power_param { power: 2 }", SMALL),
    "exp": one("Exp"),
    "exp base": one("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }"),
    "exp in place": in_place("Exp"),
    "log": one("Log", values="positive"),
    "log base": one("Log", "log_param { base: 10 scale: 2 shift: 1 }", values="positive"),
    "bnll": one("BNLL"),
    "clip": one("Clip", "clip_param { min: -0.4 max: 0.7 }"),
    "clip ties": one("Clip", "clip_param { min: -1 max: 1 }", SMALL, "ties"),
    "clip in place": in_place("Clip", "clip_param { min: 0 max: 0.5 }"),
    "swish": one("Swish", "swish_param { beta: 1.5 }"),
    "threshold": one("Threshold", "threshold_param { threshold: 0.3 }", backward=False),
    "dropout": one("Dropout"),
    "batchnorm stored": one("BatchNorm"),
    "batchnorm batch": one("BatchNorm", phase=TRAIN),
    "batchnorm stored train": one(
        "BatchNorm", "batch_norm_param { use_global_stats: true }", SMALL, phase=TRAIN
    ),
    "batchnorm batch test": one("BatchNorm", "batch_norm_param { use_global_stats: false }", SMALL),
    "batchnorm eps": one(
        "BatchNorm",
        "batch_norm_param { eps: 0.3 moving_average_fraction: 0.9 }",
        SMALL,
        phase=TRAIN,
    ),
    "batchnorm matrix": one("BatchNorm", "", (5, 4), phase=TRAIN),
    "batchnorm in place train": in_place("BatchNorm", phase=TRAIN),
    "batchnorm in place": in_place("BatchNorm"),
    "scale": one("Scale"),
    "scale bias": one("Scale", "scale_param { bias_term: true }"),
    "scale train": one("Scale", "scale_param { bias_term: true }", phase=TRAIN),
    "scale axes": one("Scale", "scale_param { axis: 1 num_axes: 2 }"),
    "scale scalar": one("Scale", "scale_param { num_axes: 0 }"),
    "scale in place": in_place("Scale", "scale_param { bias_term: true }"),
    "scale in place train": in_place("Scale", "scale_param { bias_term: true }", TRAIN),
    "scale last train": one(
        "Scale", "scale_param { axis: -1 bias_term: true }", SMALL, phase=TRAIN
    ),
    "scale all train": one(
        "Scale", "scale_param { axis: 0 num_axes: -1 bias_term: true }", SMALL, phase=TRAIN
    ),
    "scale scalar train": one(
        "Scale", "scale_param { num_axes: 0 bias_term: true }", SMALL, phase=TRAIN
    ),
    "scale two scalar": two("Scale", first=(2, 3, 4), second=()),
    "scale by itself": one("Scale", "scale_param { axis: 0 }", SMALL, bottoms="a a"),
    "scale two": two("Scale", "scale_param { axis: 0 }", second=(2, 6)),
    "scale two bias": two("Scale", "scale_param { axis: 1 bias_term: true }", second=(6, 7)),
    "bias": one("Bias"),
    "bias train": one("Bias", "bias_param { axis: 0 num_axes: 2 }", SMALL, phase=TRAIN),
    "bias in place": in_place("Bias"),
    "bias axes": one("Bias", "bias_param { axis: 2 num_axes: -1 }"),
    "bias two": two("Bias", "bias_param { axis: 1 }", second=(6,)),
    "mvn": one("MVN"),
    "mvn mean": one("MVN", "mvn_param { normalize_variance: false }"),
    "mvn across": one("MVN", "mvn_param { across_channels: true }"),
    "mvn eps": one("MVN", "mvn_param { eps: 0.5 }", SMALL),
    "mvn across eps": one("MVN", "mvn_param { eps: 0.5 across_channels: true }", SMALL),
    "mvn matrix": one("MVN", "mvn_param { across_channels: true }", (3, 5)),
    "eltwise sum": two("Eltwise"),
    "eltwise coeff": two("Eltwise", "eltwise_param { coeff: 0.5 coeff: -2 }"),
    "eltwise prod": two("Eltwise", "eltwise_param { operation: PROD }"),
    "eltwise max": two("Eltwise", "eltwise_param { operation: MAX }"),
    "eltwise with itself": Case({"a": (SMALL, "noise")}, operations("a a")),
    "eltwise three": Case(dict.fromkeys("abc", ((2, 3, 4), "ties")), operations("a b c")),
    "concat": two("Concat", first=(2, 3, 4, 5), second=(2, 6, 4, 5)),
    "concat batch": two("Concat", "concat_param { axis: 0 }", (2, 3, 4), (1, 3, 4)),
    "concat last": two("Concat", "concat_param { axis: -1 }", (2, 3, 4), (2, 3, 1)),
    "concat one": one("Concat", "", SMALL),
    "concat with itself": one("Concat", "", SMALL, bottoms="a a"),
    "concat dim": two("Concat", "concat_param { concat_dim: 2 }", SMALL, (2, 3, 1, 5)),
    "slice": one("Slice", "", (2, 6, 3, 4), tops="p q r"),
    "slice points": one("Slice", "slice_param { axis: 2 slice_point: 1 }", (2, 6, 5), tops="p q"),
    "in place above slice and dropout": Case(
        {"x": ((2, 6, 5), "noise")},
        [
            layer("Slice", "x", "p q", name="s"),
            layer("ReLU", "p", "p", name="r"),
            layer("Dropout", "q", "d"),
            layer("TanH", "d", "d", name="t"),
        ],
    ),
    "in place below sums": Case(
        {"x": ((1, 3, 8, 9), "noise")},
        [
            *convolution("p", "x", 4, 3),
            *convolution("q", "x", 4, 3),
            *convolution("r", "x", 4, 3),
            layer("Bias", "r", "bias"),
            layer("Dropout", "bias", "drop"),
            layer("Eltwise", "p q drop", "sum"),
            *convolution("s", "x", 2, 3),
            layer("Concat", "sum s", "all"),
        ],
    ),
    "slice dim": one("Slice", "slice_param { slice_dim: 0 }", (4, 3, 5), tops="p q"),
    "slice last, one part silenced": Case(
        {"x": ((4, 3, 5), "noise")},
        [
            layer(
                "Slice",
                "x",
                "p q r",
                "slice_param { axis: -1 slice_point: 1 slice_point: 3 }",
                "it",
            ),
            layer("Silence", "q", "", name="z"),
        ],
    ),
    "split": one("Split", "", (2, 3, 4), tops="p q r"),
    "split implicit": Case(
        {"x": ((2, 3, 4, 5), "noise")},
        [
            layer("Sigmoid", "x", "p"),
            layer("TanH", "x", "q"),
            layer("Eltwise", "p q x", "s"),
            layer("Power", "p", "t", "power_param { power: 2 }"),
        ],
    ),
    "flatten": one("Flatten"),
    "flatten axes": one("Flatten", "flatten_param { axis: 1 end_axis: -2 }"),
    "flatten all": one("Flatten", "flatten_param { axis: 0 }", SMALL),
    "reshape": one("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 9 } }"),
    "reshape axis": one(
        "Reshape", "reshape_param { shape { dim: 3 dim: -1 } axis: 1 num_axes: 2 }"
    ),
    "reshape insert": one("Reshape", "reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }"),
    "tile": one("Tile", "tile_param { axis: 2 tiles: 3 }", (2, 3, 4)),
    "tile first": one("Tile", "tile_param { axis: 0 tiles: 2 }", (2, 3, 4)),
    "tile last": one("Tile", "tile_param { axis: -1 tiles: 4 }", (2, 3, 4)),
    "crop all": two(
        "Crop",
        "crop_param { axis: 0 offset: 0 offset: 1 offset: 2 offset: 3 }",
        (3, 5, 8, 9),
        SMALL,
    ),
    "crop last": two("Crop", "crop_param { axis: -1 offset: 2 }", SMALL, (2, 3, 4, 2)),
    "crop": two("Crop", "crop_param { axis: 2 offset: 1 offset: 2 }", (2, 3, 8, 9), (2, 5, 4, 5)),
    "crop one offset": two("Crop", "crop_param { axis: 1 offset: 1 }", (2, 5, 8, 9), (2, 3, 4, 5)),
    "reduction sum": one("Reduction"),
    "reduction asum": one("Reduction", "reduction_param { operation: ASUM axis: 1 }"),
    "reduction sumsq": one("Reduction", "reduction_param { operation: SUMSQ axis: 2 coeff: 0.3 }"),
    "reduction mean": one("Reduction", "reduction_param { operation: MEAN axis: -1 coeff: 2 }"),
    "reduction asum ties": one("Reduction", "reduction_param { operation: ASUM }", SMALL, "ties"),
    "reduction vector": one("Reduction", "reduction_param { operation: MEAN }", (7,)),
    "reduction as loss": one(
        "Reduction", "reduction_param { operation: SUMSQ } loss_weight: 0.5", SMALL
    ),
    "argmax ties": one("ArgMax", "argmax_param { top_k: 4 }", SMALL, "ties", backward=False),
    "argmax axis ties": one(
        "ArgMax", "argmax_param { top_k: 2 axis: 1 }", SMALL, "ties", backward=False
    ),
    "argmax": one("ArgMax", "argmax_param { top_k: 3 }", backward=False),
    "argmax values": one("ArgMax", "argmax_param { top_k: 2 out_max_val: true }", backward=False),
    "argmax axis": one("ArgMax", "argmax_param { axis: 1 top_k: 2 }", backward=False),
    "argmax axis values": one(
        "ArgMax", "argmax_param { axis: -1 out_max_val: true }", backward=False
    ),
    "inner product": one("InnerProduct", "inner_product_param { num_output: 5 }"),
    "inner product axis": one(
        "InnerProduct", "inner_product_param { num_output: 5 axis: 2 bias_term: false }"
    ),
    "inner product transpose": one(
        "InnerProduct", "inner_product_param { num_output: 5 transpose: true }", phase=TRAIN
    ),
    "inner product train": one(
        "InnerProduct", "inner_product_param { num_output: 5 axis: -1 }", phase=TRAIN
    ),
    "inner product all train": one(
        "InnerProduct", "inner_product_param { num_output: 5 axis: 0 }", (2, 3), phase=TRAIN
    ),
    "softmax": one("Softmax", shape=(3, 5)),
    "softmax axis": one("Softmax", "softmax_param { axis: 2 }"),
    "softmax loss": two("SoftmaxWithLoss", first=(4, 5), second=(4,), values=5),
    "softmax loss weight": two(
        "SoftmaxWithLoss", "loss_weight: 0.3", (2, 5, 3, 4), (2, 1, 3, 4), values=5
    ),
    "softmax loss ignore": two(
        "SoftmaxWithLoss", "loss_param { ignore_label: 2 }", (2, 5, 3, 4), (2, 3, 4), values=5
    ),
    "softmax loss full": two(
        "SoftmaxWithLoss",
        "loss_param { normalization: FULL ignore_label: 1 }",
        (2, 5, 3, 4),
        (2, 3, 4),
        values=5,
    ),
    "softmax loss batch": two(
        "SoftmaxWithLoss", "loss_param { normalization: BATCH_SIZE }", (2, 5, 3), (2, 3), values=5
    ),
    "softmax loss none": two(
        "SoftmaxWithLoss",
        "softmax_param { axis: 2 } loss_param { normalization: NONE }",
        (2, 3, 5),
        (2, 3),
        values=5,
    ),
    "softmax loss old normalize": two(
        "SoftmaxWithLoss", "loss_param { normalize: false }", (2, 5, 3), (2, 3), values=5
    ),
    "softmax loss of nothing": two(
        "SoftmaxWithLoss", "loss_param { ignore_label: 0 }", (2, 5, 3), (2, 3), values=1
    ),
    "two losses": Case(
        {"a": ((3, 4), "noise"), "b": ((3, 4), "noise"), "label": ((3,), 4)},
        [
            layer("EuclideanLoss", "a b", "e", "loss_weight: 2"),
            layer("SoftmaxWithLoss", "a label", "s", "loss_weight: 3"),
        ],
    ),
    "euclidean loss": two("EuclideanLoss", first=(3, 4, 2), second=(3, 4, 2)),
    "euclidean loss train": two("EuclideanLoss", "loss_weight: 2", phase=TRAIN),
    "silence": Case(
        {"x": ((2, 3), "noise"), "z": ((2, 4), "noise")},
        [layer("Silence", "z", "", name="it"), layer("Sigmoid", "x", "y")],
    ),
    "accuracy": two("Accuracy", first=(6, 5), second=(6,), values=5, backward=False),
    "accuracy top k": two(
        "Accuracy",
        "accuracy_param { top_k: 2 ignore_label: 3 }",
        (2, 5, 3, 4),
        (2, 1, 3, 4),
        values=5,
        backward=False,
    ),
    "accuracy ties": Case(
        {"x": ((8, 4), "ties"), "label": ((8,), 4)},
        [layer("Accuracy", "x label", "y", "accuracy_param { top_k: 2 }", "it")],
        backward=False,
    ),
    "accuracy axis": two(
        "Accuracy", "accuracy_param { axis: 2 }", (2, 3, 5), (2, 3), values=5, backward=False
    ),
    "accuracy per class": Case(
        {"x": ((8, 4), "noise"), "label": ((8,), 4)},
        [layer("Accuracy", "x label", "all each", name="it")],
        backward=False,
    ),
    "dummy data": Case(
        {},
        [
            'name: "it" type: "DummyData" top: "p" top: "q" dummy_data_param { '
            "shape { dim: 2 dim: 3 } shape { dim: 4 } "
            'data_filler { type: "constant" value: 1.5 } data_filler { type: "constant" } }',
            layer("Power", "p", "y", "power_param { scale: 2 }"),
        ],
        backward=False,
    ),
    "dummy data of 2014": none(
        "num: 2 channels: 3 height: 4 width: 5 data_filler { value: 2 }", "p"
    ),
    "dummy data unsaid": none("shape { dim: 2 }", "p q"),
    "shared weights": Case(
        {"x": ((2, 3, 6, 7), "noise")},
        [
            f'name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}" '
            'param { name: "w" } param { name: "b" } '
            "convolution_param { num_output: 3 kernel_size: 3 }"
            for bottom, top in ("xp", "pq")
        ],
        TRAIN,
    ),
    "fixed weights": Case(
        {"x": ((2, 3, 6, 7), "noise")},
        [
            layer(
                "Convolution",
                "x",
                "p",
                "param { lr_mult: 0 } convolution_param { num_output: 3 kernel_size: 3 }",
            )
        ],
        TRAIN,
    ),
    "rules of phase": Case(
        {"x": (SMALL, "noise")},
        [
            layer("ReLU", "x", "p", "include { phase: TRAIN }"),
            layer("Sigmoid", "x", "p", "include { phase: TEST }"),
            layer("TanH", "p", "q", "exclude { phase: TRAIN }"),
            layer("TanH", "p", "r", "include { min_level: 1 }"),
            layer("Exp", "p", "s", 'include { max_level: 0 not_stage: "a" }'),
        ],
    ),
    "propagate down": Case(
        {"a": (SMALL, "noise"), "b": (SMALL, "noise")},
        [
            layer("Sigmoid", "a", "p", "propagate_down: false"),
            layer("Eltwise", "p b", "y", "propagate_down: true propagate_down: false", "s"),
            layer("TanH", "a", "t"),
        ],
    ),
    "gradient as far as weights": Case(
        {"x": ((2, 3, 6, 7), "noise")},
        [],
        TRAIN,
        text='force_backward: false input: "x" '
        "input_shape { dim: 2 dim: 3 dim: 6 dim: 7 } "
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c" '
        "convolution_param { num_output: 2 kernel_size: 3 } } "
        'layer { name: "r" type: "ReLU" bottom: "c" top: "c" } '
        'layer { name: "d" type: "InnerProduct" bottom: "c" top: "d" '
        "inner_product_param { num_output: 2 } }",
    ),
    "hinge": two("HingeLoss", "", (4, 5), (4,), 5),
    "hinge squared": two("HingeLoss", "hinge_loss_param { norm: L2 }", (4, 5), (4,), 5),
    "hinge on maps": two("HingeLoss", "loss_weight: 0.5", (3, 2, 1, 3), (3, 1, 1, 1), 6),
    "logistic": Case(
        {"a": ((4, 5), "noise"), "b": ((4,), 5)},
        [
            layer("Softmax", "a", "p"),
            layer("MultinomialLogisticLoss", "p b", "y", "loss_weight: 2", "it"),
        ],
    ),
    "sigmoid loss": two("SigmoidCrossEntropyLoss", "", (4, 5), (4, 5), 2),
    "sigmoid loss on probabilities": two(
        "SigmoidCrossEntropyLoss", "loss_weight: 3", (4, 2, 3), (4, 2, 3), "positive"
    ),
    "sigmoid loss normalised": two(
        "SigmoidCrossEntropyLoss",
        "loss_param { normalize: true ignore_label: 2 }",
        (4, 5),
        (4, 5),
        3,
    ),
    "sigmoid loss in full": two(
        "SigmoidCrossEntropyLoss",
        "loss_param { normalization: FULL ignore_label: 0 }",
        (4, 5),
        (4, 5),
        3,
    ),
    "infogain": learned("InfogainLoss", more={"b": ((4,), 5), "h": ((1, 1, 5, 5), "positive")}),
    "infogain with probabilities": learned(
        "InfogainLoss",
        "loss_weight: 2 loss_weight: 0 loss_param { ignore_label: 1 }",
        more={"b": ((4, 1), 5), "h": ((1, 1, 5, 5), "noise")},
        tops="y p",
    ),
    "contrastive": Case(
        {"a": ((6, 3), "noise"), "b": ((6, 3), "noise"), "alike": ((6,), 2)},
        [layer("ContrastiveLoss", "a b alike", "y", "contrastive_loss_param { margin: 3 }", "it")],
    ),
    "contrastive legacy": Case(
        {"a": ((6, 3), "noise"), "b": ((6, 3), "noise"), "alike": ((6,), 2)},
        [
            layer(
                "ContrastiveLoss",
                "a b alike",
                "y",
                "contrastive_loss_param { margin: 5 legacy_version: true } loss_weight: 2",
                "it",
            )
        ],
    ),
    "batch reindex": learned("BatchReindex", more={"b": ((7,), 4)}, loss=True),
    "embed": embed("num_output: 4 input_dim: 7", (2, 3), 7),
    "embed no bias": embed("num_output: 2 input_dim: 3 bias_term: false", (5,), 3),
    "filter": learned("Filter", more={"b": ((4,), 2)}, loss=True),
    "filter two": learned(
        "Filter",
        loss=True,
        tops="y z",
        more={"a": ((4, 2, 3), "noise"), "b": ((4, 1, 1, 1), 2)},
    ),
    "im2col": one("Im2col", "convolution_param { kernel_size: 3 stride: 2 pad: 1 }", (2, 3, 7, 6)),
    "im2col rectangular": one(
        "Im2col",
        "convolution_param { kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 dilation: 2 }",
        (1, 2, 7, 9),
    ),
    "parameter": Case(
        {"x": ((2, 3), "noise")},
        [
            layer("Parameter", "", "w", "parameter_param { shape { dim: 2 dim: 3 } }"),
            layer("Eltwise", "x w", "y", "eltwise_param { operation: PROD }"),
        ],
        TRAIN,
    ),
    "spp": one("SPP", "spp_param { pyramid_height: 3 }", (2, 3, 9, 11)),
    "spp average": one("SPP", "spp_param { pyramid_height: 2 pool: AVE }", (2, 3, 7, 5)),
    "spp one level": one("SPP", "spp_param { pyramid_height: 1 }", (2, 3, 5, 6)),
    "rnn": recurrent("RNN"),
    "rnn static": recurrent("RNN", static=True),
    "rnn exposed": recurrent("RNN", exposed=True),
    "lstm": recurrent("LSTM"),
    "lstm static": recurrent("LSTM", static=True),
    "lstm exposed": recurrent("LSTM", static=True, exposed=True),
    "lstm unit": Case(
        {"c": ((1, 3, 4), "noise"), "g": ((1, 3, 16), "noise"), "goes_on": ((1, 3), 2)},
        [layer("LSTMUnit", "c g goes_on", "c_after h", name="it")],
    ),
    "python source": Case(
        {"x": ((2, 3), "noise")},
        [
            user_layer("Ramp", "", "r", param_str='{"shape": [2, 3]}'),
            layer("Eltwise", "x r", "y", "eltwise_param { operation: PROD }"),
        ],
    ),
    "python loss": Case(
        {"a": ((4, 2, 3), "noise"), "b": ((4, 2, 3), "noise")},
        [layer("Sigmoid", "a", "s"), user_layer("Distance", "s b", "y", "loss_weight: 2")],
    ),
    "python of values": Case(
        {"x": ((5, 2, 3), "noise")},
        [
            layer("TanH", "x", "t"),
            user_layer("Chosen", "t", "y rows", param_str="1.5"),
            layer("Silence", "rows", "", name="quiet"),
        ],
    ),
    "python in place": Case(
        {"x": ((2, 3), "noise")},
        [
            layer("InnerProduct", "x", "t", "inner_product_param { num_output: 3 }"),
            user_layer("Gain", "t", "t", name="it"),
        ],
    ),
    "old input": Case(
        {"x": ((1, 2, 6, 7), "noise")},
        [],
        text='input: "x" input_dim: 1 input_dim: 2 input_dim: 6 input_dim: 7 '
        'layer { name: "it" type: "Pooling" bottom: "x" top: "y" '
        "pooling_param { kernel_size: 2 } }",
    ),
    "old layers": Case(
        {"x": ((1, 4, 6, 7), "noise"), "z": ((3,), "noise")},
        [],
        text='input: "x" input_shape { dim: 1 dim: 4 dim: 6 dim: 7 } '
        'input: "z" input_shape { dim: 3 } '
        'layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" blobs_lr: 1 blobs_lr: 2 '
        "convolution_param { num_output: 6 kernel_size: 3 group: 2 } } "
        'layers { name: "r" type: RELU bottom: "c" top: "c" relu_param { negative_slope: 0.1 } } '
        'layers { name: "n" type: LRN bottom: "c" top: "n" lrn_param { local_size: 3 alpha: 1 } } '
        'layers { name: "i" type: INNER_PRODUCT bottom: "n" top: "i" '
        "inner_product_param { num_output: 3 } } "
        'layers { name: "t" type: TANH bottom: "z" top: "t" } '
        'layers { name: "s" type: SOFTMAX bottom: "i" top: "s" }',
    ),
    "old layers of every kind": Case(
        dict.fromkeys("xz", ((1, 4, 6, 7), "noise")),
        [],
        text="".join(
            f'input: "{name}" input_dim: 1 input_dim: 4 input_dim: 6 input_dim: 7 ' for name in "xz"
        )
        + " ".join(f"layers {{ {body} }}" for body in OLD_LAYERS),
    ),
    "net inception": INCEPTION,
    "net inception train": INCEPTION._replace(
        phase=TRAIN, layers=[body for body in INCEPTION.layers if "Dropout" not in body]
    ),
    "net alexnet": Case(
        IMAGE,
        [
            *convolution("conv1", "data", 8, 5, "stride: 2"),
            layer("LRN", "conv1", "norm1", "lrn_param { local_size: 5 alpha: 0.3 }"),
            layer("Pooling", "norm1", "pool1", POOL2),
            *convolution("conv2", "pool1", 12, 3, "pad: 1 group: 2"),
            layer("Pooling", "conv2", "pool2", POOL2),
            layer("InnerProduct", "pool2", "fc6", "inner_product_param { num_output: 10 }"),
            layer("ReLU", "fc6", "fc6", name="relu6"),
            layer("Dropout", "fc6", "fc6", name="drop6"),
            layer("InnerProduct", "fc6", "fc7", "inner_product_param { num_output: 6 }"),
        ],
    ),
    "net resnet": Case(
        IMAGE,
        [
            *convolution("c1", "data", 8, 3, "stride: 2 bias_term: false", relu=False),
            layer("BatchNorm", "c1", "c1", name="bn1"),
            layer("Scale", "c1", "c1", "scale_param { bias_term: true }", "s1"),
            layer("ReLU", "c1", "c1", name="r1"),
            *convolution("c2", "c1", 8, 3, "pad: 1 bias_term: false", relu=False),
            layer("BatchNorm", "c2", "bn2"),
            layer("Scale", "bn2", "s2", "scale_param { bias_term: true }"),
            layer("Eltwise", "c1 s2", "sum"),
            layer("ReLU", "sum", "sum", name="r2"),
            layer("Pooling", "sum", "pool", "pooling_param { pool: AVE kernel_size: 7 stride: 1 }"),
        ],
    ),
    "net squeezenet": Case(
        IMAGE,
        [
            *convolution("conv1", "data", 8, 3, "stride: 2"),
            layer("Pooling", "conv1", "pool1", POOL2),
            *convolution("squeeze", "pool1", 4, 1),
            *convolution("expand1", "squeeze", 6, 1),
            *convolution("expand3", "squeeze", 6, 3, "pad: 1"),
            layer("Concat", "expand1 expand3", "fire"),
            *convolution("conv10", "fire", 5, 1),
            layer(
                "Pooling", "conv10", "pool10", "pooling_param { pool: AVE global_pooling: true }"
            ),
            layer("Softmax", "pool10", "prob"),
        ],
    ),
    "net nin": Case(
        IMAGE,
        [
            *convolution("conv1", "data", 8, 5, "stride: 2"),
            *convolution("cccp1", "conv1", 8, 1),
            *convolution("cccp2", "cccp1", 6, 1),
            layer("Pooling", "cccp2", "pool1", POOL2),
            *convolution("conv2", "pool1", 5, 3, "pad: 1"),
            layer("Pooling", "conv2", "pool4", "pooling_param { pool: AVE global_pooling: true }"),
        ],
    ),
}


# -- running them ---------------------------------------------------------------------------------


def make_net(caffe, text, phase=TEST, seed=2):
    """Build a net and give it seeded parameters, positive where they are variances.

    The default seed is one for which no two candidates of a maximum differ by a rounding.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(text)
        file.flush()
        net = caffe.Net(file.name, phase)
    random = np.random.RandomState(seed)
    kinds = dict(zip(net._layer_names, (layer.type for layer in net.layers)))
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            values = random.randn(*blob.data.shape)
            if kinds[name] == "BatchNorm":
                values = np.abs(values) + 0.5
            elif kinds[name] in ("Convolution", "Deconvolution", "InnerProduct") and index == 0:
                values /= np.sqrt(values[0].size)
            blob.data[...] = values
    return net


def numbers(random, shape, kind):
    """Draw an input."""
    if kind == "noise":
        return random.randn(*shape)
    if kind == "positive":
        return random.rand(*shape) + 0.1
    if kind == "ties":
        return random.randint(-1, 2, shape)
    return random.randint(0, kind, shape)


def answers(caffe, case):
    """Run a case forward and backward; return {what: array}.

    Diffs given to the outputs and unchanged afterwards are left out.
    """
    net = make_net(caffe, prototxt(case), case.phase)
    random = np.random.RandomState(1)
    for name, (shape, kind) in case.inputs.items():
        net.blobs[name].data[...] = numbers(random, shape, kind)
    net.forward()
    found = {}
    visible = [name for name in net.blobs if "_split" not in name]
    for name in visible:
        if name not in case.inputs:
            found[f"{name} data"] = net.blobs[name].data.copy()
    if not case.backward:
        return found
    given = {}
    for name in net.outputs:
        diff = net.blobs[name].diff
        if not diff.any():  # a loss has its weight there
            diff[...] = random.randn(*diff.shape)
            given[name] = diff.copy()
    net.backward()
    for name in visible:
        diff = net.blobs[name].diff.copy()
        if name not in given or not np.array_equal(diff, given[name]):
            found[f"{name} diff"] = diff
    if case.phase == TRAIN:
        for name, blobs in net.params.items():
            for index, blob in enumerate(blobs):
                found[f"{name}[{index}] diff"] = blob.diff.copy()
                found[f"{name}[{index}] data"] = blob.data.copy()
    return found


# -- calls ----------------------------------------------------------------------------------------


def inception(caffe, seed=2):
    net = make_net(caffe, prototxt(INCEPTION), TEST, seed)
    net.blobs["data"].data[...] = np.random.RandomState(1).randn(1, 3, 27, 31)
    return net


def diffs(net, *names):
    return {f"{name} diff": net.blobs[name].diff.copy() for name in names}


def call_partial(caffe):
    """Forward and backward between two layers, diffs asked for by name."""
    net = inception(caffe)
    found = {f"forward {k}": v.copy() for k, v in net.forward(blobs=["b"], end="output").items()}
    net.blobs["output"].diff[...] = net.blobs["output"].data
    back = net.backward(diffs=["norm1", "conv1"], start="output", end="pool1")
    found.update({f"backward {k}": v.copy() for k, v in back.items()})
    net.blobs["norm1"].data[...] *= 0.5
    again = net.forward(start="a", end="output")
    found.update({f"again {k}": v.copy() for k, v in again.items()})
    return found


def call_two_diffs(caffe):
    """Step backward from layer to layer, adding a diff on the way: two objectives at once."""
    net = inception(caffe)
    net.forward(end="output")
    net.blobs["output"].diff[...] = net.blobs["output"].data
    net.backward(start="output", end="norm1")
    net.blobs["pool1"].diff[...] += 0.3 * net.blobs["pool1"].data
    net.backward(start="pool1")
    return {"data diff": net.blobs["data"].diff.copy()}


def call_keywords(caffe):
    """Inputs and output diffs as keyword arguments."""
    net = inception(caffe)
    random = np.random.RandomState(5)
    found = {k: v.copy() for k, v in net.forward(data=random.randn(1, 3, 27, 31)).items()}
    back = net.backward(prob=random.randn(1, 7).astype(np.float32))
    found["data diff"] = back["data"].copy()
    return found


def call_all(caffe):
    """More pictures than a batch holds, and not a multiple of it."""
    case = one("InnerProduct", "inner_product_param { num_output: 3 }", (2, 4))
    net = make_net(caffe, prototxt(case))
    random = np.random.RandomState(2)
    pictures, diffs = random.randn(5, 4), random.randn(5, 3)
    found = dict(net.forward_all(blobs=["x"], x=pictures))
    data, diff = net.forward_backward_all(x=pictures, y=diffs)
    found.update({f"{name} again": values for name, values in data.items()})
    found.update({f"{name} diff": values for name, values in diff.items()})
    return found


def call_reshape(caffe):
    """Another size, forward and backward, and back again."""
    net = inception(caffe)
    found = {}
    for height, width in ((50, 37), (27, 31), (20, 44)):
        net.blobs["data"].reshape(1, 3, height, width)
        net.blobs["data"].data[...] = np.random.RandomState(height).randn(1, 3, height, width)
        net.forward(end="output")
        net.blobs["output"].diff[...] = net.blobs["output"].data
        net.backward(start="output")
        found[f"{height} output"] = net.blobs["output"].data.copy()
        found[f"{height} diff"] = net.blobs["data"].diff.copy()
    net.blobs["data"].reshape(1, 3, 44, 45)
    net.reshape()
    found["prob shape"] = np.array(net.blobs["prob"].data.shape, float)
    found["output shape"] = np.array(net.blobs["output"].data.shape, float)
    return found


def call_sessions(caffe):
    """A dozen calls, drawn by chance, on one net: what stays in memory between them counts."""
    found = {}
    for seed, kind in enumerate(["inception", "resnet", "alexnet"] * 3):
        net = make_net(caffe, prototxt(CASES[f"net {kind}"]))
        random = np.random.RandomState(seed)
        net.blobs["data"].data[...] = random.randn(1, 3, 27, 31)
        net.forward()
        layers = [name for name in net._layer_names if "_split" not in name]
        blobs = [name for name in net.blobs if "_split" not in name]
        for _ in range(12):
            low, high = (layers[index] for index in sorted(random.randint(0, len(layers), 2)))
            blob = net.blobs[blobs[random.randint(len(blobs))]]
            noise = random.randn(*blob.data.shape)
            act = random.randint(8)
            if act < 4:
                ends = ({}, {"start": low}, {"end": high}, {"start": low, "end": high})[act]
                net.forward(**ends)
            elif act < 6:
                net.backward(**({"start": high}, {"start": high, "end": low})[act - 4])
            elif act == 6:
                blob.data[...] += 0.1 * noise
            else:
                blob.diff[...] = noise
        session = f"{seed} {kind}"
        found[f"{session}: data diff"] = net.blobs["data"].diff.copy()
        for what in ("data", "diff"):
            norms = [np.linalg.norm(getattr(net.blobs[name], what)) for name in blobs]
            found[f"{session}: {what}"] = np.array(norms)
    return found


def call_accumulate(caffe):
    """Diffs of parameters add up over passes in phase TRAIN."""
    case = CASES["conv train"]
    net = make_net(caffe, prototxt(case), TRAIN)
    random = np.random.RandomState(3)
    net.blobs["x"].data[...] = random.randn(2, 6, 11, 13)
    for _ in range(2):
        net.forward()
        net.blobs["y"].diff[...] = random.randn(*net.blobs["y"].data.shape)
        net.backward()
    found = {f"{index}": blob.diff.copy() for index, blob in enumerate(net.params["it"])}
    net.clear_param_diffs()
    found["cleared"] = net.params["it"][0].diff.copy()
    return found


def call_share(caffe):
    """Parameters shared with another net, changed there."""
    one_net, other = inception(caffe), inception(caffe, seed=9)
    other.share_with(one_net)
    one_net.params["conv1"][0].data[...] *= 0.5
    return {"prob": other.forward()["prob"].copy()}


def call_save(caffe):
    """Parameters written and read again."""
    net, other = inception(caffe), inception(caffe, seed=9)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "net.caffemodel")
        net.save(path)
        other.copy_from(path)
    return {"prob": other.forward()["prob"].copy()}


def call_old_weights(caffe):
    """A caffemodel of 2014: V1 layers, four-axis shapes, a layer that the net does not have."""
    pb2 = importlib.import_module(caffe.__name__ + ".proto.caffe_pb2")
    net = inception(caffe)
    random = np.random.RandomState(4)
    old = pb2.NetParameter(name="old")
    for name in ["elsewhere", *net.params]:
        layer = old.layers.add(name=name, type=pb2.V1LayerParameter.CONVOLUTION)
        blobs = net.params.get(name, []) if name != "elsewhere" else net.params["conv1"]
        for index, blob in enumerate(blobs):
            shape = (1,) * (4 - len(blob.data.shape)) + tuple(blob.data.shape)
            stored = layer.blobs.add()
            stored.num, stored.channels, stored.height, stored.width = shape
            values = random.randn(blob.data.size) / 8
            if index % 2:
                stored.double_data.extend(values)
            else:
                stored.data.extend(values)
    with tempfile.NamedTemporaryFile(suffix=".caffemodel") as file:
        file.write(old.SerializeToString())
        file.flush()
        net.copy_from(file.name)
    return {"prob": net.forward()["prob"].copy(), "fc": net.blobs["fc"].data.copy()}


def call_lists(caffe):
    """Which blobs and layers there are, as counts and positions of names."""
    net = inception(caffe)
    text = "\n".join(
        [
            *net._layer_names,
            *net.blobs,
            *net.params,
            *net.inputs,
            *net.outputs,
            *(layer.type for layer in net.layers),
            *(f"{k}: {list(v)}" for k, v in net.top_names.items()),
            *(f"{k}: {list(v)}" for k, v in net.bottom_names.items()),
            *net.layer_dict,
        ]
    )
    return {"text": np.frombuffer(text.encode(), np.uint8).astype(float)}


def call_branches(caffe):
    """Backward from within a branch: what other branches left behind is added to it again."""
    net = inception(caffe)
    random = np.random.RandomState(3)
    net.forward(end="output")
    for name in ("a", "b", "c"):  # all are followed: a and b stand before c, where d does not
        net.blobs[name].diff[...] = random.randn(*net.blobs[name].diff.shape)
    net.backward(start="c")
    found = {"before": net.blobs["norm1"].diff.copy()}
    net.blobs["output"].diff[...] = net.blobs["output"].data
    net.backward(start="output")
    net.blobs["c"].diff[...] = random.randn(*net.blobs["c"].diff.shape)
    net.backward(start="c")
    return {**found, "after": net.blobs["norm1"].diff.copy(), **diffs(net, "data", "a", "d")}


def call_backward_twice(caffe):
    """Diffs of blobs are computed anew, not added up."""
    net = inception(caffe)
    net.forward(end="output")
    net.blobs["output"].diff[...] = net.blobs["output"].data
    net.backward(start="output")
    net.backward(start="output")
    return diffs(net, "data", "norm1")


def call_edited(caffe):
    """Values changed between forward and backward: backward reads what is there then."""
    net = inception(caffe)
    net.forward(end="output")
    random = np.random.RandomState(4)
    net.params["conv1"][0].data[...] *= 2
    net.blobs["b0"].data[...] = random.randn(*net.blobs["b0"].data.shape)
    net.blobs["output"].diff[...] = 1
    net.backward(start="output")
    return diffs(net, "data", "b0", "norm1")


def call_edited_input(caffe):
    """Another picture written between forward and backward: the weights' diffs see it."""
    net = make_net(caffe, prototxt(CASES["conv train"]), TRAIN)
    random = np.random.RandomState(6)
    net.blobs["x"].data[...] = random.randn(*net.blobs["x"].data.shape)
    net.forward()
    net.blobs["x"].data[...] = random.randn(*net.blobs["x"].data.shape)
    net.blobs["y"].diff[...] = random.randn(*net.blobs["y"].diff.shape)
    net.backward()
    return {**diffs(net, "x"), "weights": net.params["it"][0].diff.copy()}


def call_into_the_middle(caffe):
    """Forward from an in-place layer on, with its blob written by hand; a split's source too."""
    net = inception(caffe)
    net.forward()
    random = np.random.RandomState(8)
    net.blobs["conv1"].data[...] = random.randn(*net.blobs["conv1"].data.shape)
    found = {"prob": net.forward(start="conv1/relu")["prob"].copy()}
    net.blobs["norm1"].data[...] = random.randn(*net.blobs["norm1"].data.shape)
    net.forward(start="c0", end="c")
    found["c"] = net.blobs["c"].data.copy()
    return found


def call_without_force(caffe):
    """Not told force_backward, in both phases: the diffs that backward leaves alone stay 7."""
    found = {}
    text = prototxt(CASES["net squeezenet"]).replace("force_backward: true", "")
    for phase in (TEST, TRAIN):
        net = make_net(caffe, text, phase)
        net.blobs["data"].data[...] = np.random.RandomState(1).randn(1, 3, 27, 31)
        net.forward(end="fire")
        for blob in net.blobs.values():
            blob.diff[...] = 7
        net.blobs["fire"].diff[...] = net.blobs["fire"].data
        net.backward(start="fire")
        for name, diff in diffs(net, "data", "conv1", "pool1", "squeeze").items():
            found[f"{phase} {name}"] = diff
        if phase == TRAIN:
            found["weights"] = net.params["conv1"][0].diff.copy()
    return found


def call_fixed_layer(caffe):
    """No weight below is learned: backward stops there, and fixed weights get no diff."""
    fixed = "param { lr_mult: 0 } param { lr_mult: 0 } "
    text = prototxt(
        Case(
            {"x": ((2, 4), "noise")},
            [
                f'name: "a" type: "InnerProduct" bottom: "x" top: "a" {fixed}'
                "inner_product_param { num_output: 4 }",
                'name: "b" type: "InnerProduct" bottom: "a" top: "b" '
                "inner_product_param { num_output: 3 }",
            ],
        )
    ).replace("force_backward: true", "")
    net = make_net(caffe, text, TRAIN)
    net.blobs["x"].data[...] = np.random.RandomState(3).randn(2, 4)
    net.forward()
    for blob in net.blobs.values():
        blob.diff[...] = 7
    net.blobs["b"].diff[...] = 2
    net.backward()
    weights = {f"{name}[0]": blobs[0].diff.copy() for name, blobs in net.params.items()}
    return {**diffs(net, "x", "a"), **weights}


def call_statistics(caffe):
    """Statistics of batches accumulate over three passes; a factor of 0 means none yet."""
    net = make_net(caffe, prototxt(CASES["batchnorm batch"]), TRAIN)
    found = {}
    for step in range(3):
        random = np.random.RandomState(step)
        net.blobs["x"].data[...] = random.randn(*net.blobs["x"].data.shape) * 2 + 1
        net.forward()
        for index, blob in enumerate(net.params["it"]):
            found[f"{step} [{index}]"] = blob.data.copy()
    net = make_net(caffe, prototxt(CASES["batchnorm batch test"]._replace(phase=TEST)))
    stored = make_net(caffe, prototxt(one("BatchNorm", shape=SMALL)))
    stored.params["it"][2].data[...] = 0
    for name, each in (("batch", net), ("stored", stored)):
        each.blobs["x"].data[...] = np.random.RandomState(7).randn(*SMALL)
        found[name] = each.forward()["y"].copy()
    return found


def call_constructors(caffe):
    """Every form in which pycaffe takes a definition, a phase and weights."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        text, weights = str(Path(folder) / "net.prototxt"), str(Path(folder) / "net.caffemodel")
        Path(text).write_text(prototxt(INCEPTION))
        inception(caffe).save(weights)
        for name, net in {
            "positions": caffe.Net(text, weights, caffe.TEST),
            "phase, then weights": caffe.Net(text, caffe.TEST, weights=weights),
            "keywords": caffe.Net(network_file=text, phase=caffe.TEST, weights=weights),
        }.items():
            net.blobs["data"].data[...] = np.random.RandomState(1).randn(1, 3, 27, 31)
            found[name] = net.forward()["prob"].copy()
    return found


def call_stages(caffe):
    """Rules of phase, level and stage pick the layers."""
    text = """force_backward: true input: "x" input_shape { dim: 2 dim: 4 }
    layer { name: "a" type: "TanH" bottom: "x" top: "a" include { phase: TRAIN } }
    layer { name: "a" type: "Sigmoid" bottom: "x" top: "a" exclude { phase: TRAIN } }
    layer { name: "b" type: "Exp" bottom: "a" top: "b" include { min_level: 1 } }
    layer { name: "c" type: "BNLL" bottom: "a" top: "c" include { stage: "s" } }
    layer { name: "d" type: "AbsVal" bottom: "a" top: "d" include { not_stage: "s" } }
    layer { name: "e" type: "ELU" bottom: "a" top: "e"
      include { max_level: 0 phase: TEST } include { phase: TRAIN stage: "t" } }"""
    found = {}
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(text)
        file.flush()
        for state in (TRAIN, 0, []), (TEST, 0, []), (TEST, 1, []), (TEST, 0, ["s"]), (0, 2, ["t"]):
            phase, level, stages = state
            net = caffe.Net(file.name, phase, level=level, stages=stages)
            net.blobs["x"].data[...] = np.linspace(-1, 1, 8).reshape(2, 4)
            for name, values in net.forward().items():
                found[f"{state} {name}"] = values.copy()
    return found


def call_shapes(caffe):
    """What a blob says of its shape, legacy names included."""
    net = inception(caffe)
    found = {}
    for name, blob in [
        *((name, blob) for name, blob in net.blobs.items() if "_split" not in name),
        *(
            (f"{name}[{i}]", blob)
            for name, blobs in net.params.items()
            for i, blob in enumerate(blobs)
        ),
    ]:
        sizes = [blob.count, blob.num, blob.channels, blob.height, blob.width, *blob.shape]
        found[name] = np.array(sizes, float)
    return found


def call_returned_names(caffe):
    """Which blobs each form of forward and backward gives back."""
    net = inception(caffe)
    found = {
        "forward": net.forward(),
        "forward to": net.forward(end="norm1"),
        "forward with": net.forward(blobs=["a", "b"]),
        "forward from": net.forward(start="fc"),
        "forward between": net.forward(start="a", end="b"),
        "backward from": net.backward(start="output"),
        "backward between": net.backward(start="output", end="norm1"),
        "backward with": net.backward(start="output", diffs=["a"]),
        "backward": net.backward(),
    }
    text = "; ".join(f"{form}: {sorted(names)}" for form, names in found.items())
    return {"text": np.frombuffer(text.encode(), np.uint8).astype(float)}


def call_hooks(caffe):
    """Which hooks run when, and that a hook changes what the layers after it see."""
    net = inception(caffe)
    said = []
    for when in ("before_forward", "after_forward", "before_backward", "after_backward"):
        getattr(net, when)(lambda position, when=when: said.append(f"{when} {position}"))
    position = list(net._layer_names).index("pool1")
    net.after_forward(lambda now: now == position and net.blobs["pool1"].data.__imul__(2))
    net.before_backward(lambda now: now == position and net.blobs["pool1"].diff.__imul__(3))
    net.forward(start="conv1", end="output")
    net.blobs["output"].diff[...] = net.blobs["output"].data
    net.backward(start="output", end="pool1")
    net.backward(start="conv1", end="data")
    found = {"output": net.blobs["output"].data.copy(), **diffs(net, "data", "norm1")}
    return {**found, "said": np.frombuffer("; ".join(said).encode(), np.uint8).astype(float)}


def call_memory_data(caffe):
    """Batches of arrays, in a circle; other arrays begin anew."""
    text = """layer { name: "m" type: "MemoryData" top: "data" top: "label"
      memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 } }
      layer { name: "p" type: "Power" bottom: "data" top: "p" power_param { scale: 2 } }"""
    net = make_net(caffe, text)
    pictures = np.arange(36, dtype=np.float32).reshape(6, 1, 2, 3)
    found = {}
    for number, count in enumerate((6, 6, 6, 6, 2, 2)):
        if number in (0, 4):
            net.set_input_arrays(pictures[:count].copy(), np.arange(count, dtype=np.float32))
        for name, values in net.forward().items():
            found[f"{number} {name}"] = values.copy()
    return found


def call_python_objects(caffe):
    """A Python layer of the net is the user's own object, and its blobs are the net's."""
    layer = user_layer("Gain", "x", "y", name="it")
    net = make_net(caffe, prototxt(Case({"x": ((2, 3), "noise")}, [layer])))
    found = {"blob": net.params["it"][0].data.copy()}
    net.layers[1].passes = 7
    found["kept"] = np.array([float(net.layers[1].passes)])
    net.params["it"][0].data[...] = 5
    net.blobs["x"].data[...] = np.arange(6).reshape(2, 3)
    found["y"] = net.forward()["y"].copy()
    is_one = str(isinstance(net.layers[1], caffe.Layer))
    names = [net.layers[1].type, net.layers[1].__class__.__name__, is_one]
    return {**found, "names": np.frombuffer(" ".join(names).encode(), np.uint8).astype(float)}


def call_state(caffe):
    """A recurrent layer goes on where the last pass ended."""
    net = make_net(caffe, prototxt(CASES["lstm"]), TRAIN)
    net.blobs["x"].data[...] = np.random.RandomState(3).randn(*net.blobs["x"].data.shape)
    net.blobs["goes_on"].data[...] = 1
    return {str(number): net.forward()["y"].copy() for number in range(3)}


CALLS = {
    name[5:].replace("_", " "): function
    for name, function in list(globals().items())
    if name.startswith("call_")
}


def everything(caffe, report=lambda name: None):
    """Return the answers of all cases and calls: {"case: what": array}."""
    found = {}
    for name, case in CASES.items():
        report(name)
        for what, values in answers(caffe, case).items():
            found[f"{name}: {what}"] = values
    for name, call in CALLS.items():
        report(name)
        for what, values in call(caffe).items():
            found[f"call {name}: {what}"] = values
    return found


if __name__ == "__main__":
    engine = importlib.import_module(sys.argv[1])
    np.savez_compressed(sys.argv[2], **everything(engine, lambda name: print(name, flush=True)))
