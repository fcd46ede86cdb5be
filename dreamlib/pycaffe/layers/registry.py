"""Which layers there are, and the module that each is made in."""

from __future__ import annotations

import importlib

#: type name -> class, filled by `register`.
LAYERS = {}

#: The layers of Caffe that are there, by module.
MODULES = {
    "elementwise": (
        *("AbsVal", "BNLL", "Bias", "Clip", "Dropout", "ELU", "Eltwise", "Exp", "Log", "PReLU"),
        *("Power", "ReLU", "Scale", "Sigmoid", "Softmax", "Swish", "TanH", "Threshold"),
    ),
    "forks": (
        *("Axpy", "BN", "ConvolutionDepthwise", "DepthwiseConvolution", "Interp", "Normalize"),
        *("Permute", "ReLU6", "Reorg", "ShuffleChannel"),
    ),
    "indexing": ("BatchReindex", "Embed", "Filter"),
    "losses": (
        *("ContrastiveLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss"),
        *("MultinomialLogisticLoss", "SigmoidCrossEntropyLoss", "SoftmaxWithLoss"),
    ),
    "normalisation": ("BatchNorm", "LRN", "MVN"),
    "patches": ("Im2col", "SPP"),
    "shaping": (
        *("ArgMax", "Concat", "Crop", "Flatten", "Input", "Reduction", "Reshape", "Silence"),
        *("Slice", "Split", "Tile"),
    ),
    "training": ("Accuracy", "DummyData", "MemoryData", "Parameter"),
    "pooling": ("Pooling",),
    "python": ("Python",),
    "recurrent": ("LSTM", "LSTMUnit", "RNN"),
    "windows": ("Convolution", "Deconvolution", "InnerProduct"),
}
_MODULE_OF = {name: module for module, names in MODULES.items() for name in names}


def layer_type_list():
    """Return the names of all types that a net may have, sorted."""
    return sorted({*_MODULE_OF, *LAYERS})


def layer_class(name):
    """Return the subclass of `Layer` for a type, one of `layer_type_list`.

    Parameters
    ----------
    name : str

    Returns
    -------
    type
    """
    if name not in LAYERS:
        importlib.import_module(f"{__package__}.{_MODULE_OF[name]}")
    return LAYERS[name]


def register(name):
    """Class decorator: make a layer known under Caffe's type name.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable
    """

    def add(layer_class):
        layer_class.type = name
        LAYERS[name] = layer_class
        return layer_class

    return add
