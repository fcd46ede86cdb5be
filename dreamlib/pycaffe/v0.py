"""Layers of 2013 (V0), with all their settings in one message, as present ones."""

from __future__ import annotations

from dreamlib.errors import MISSPELT, CaffeError, nearest
from dreamlib.pycaffe.proto import caffe_pb2

#: V0 type -> present one.
TYPES = {
    "accuracy": "Accuracy",
    "bnll": "BNLL",
    "concat": "Concat",
    "conv": "Convolution",
    "data": "Data",
    "dropout": "Dropout",
    "euclidean_loss": "EuclideanLoss",
    "flatten": "Flatten",
    "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output",
    "im2col": "Im2col",
    "images": "ImageData",
    "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "pool": "Pooling",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
    "tanh": "TanH",
    "window_data": "WindowData",
}

#: Of a layer whose only task was to pad the next one's bottom.
PADDING = "padding"

#: V0 field -> (present message, field), by present type; a field of all types under "".
FIELDS = {
    "Convolution": {
        "num_output": ("convolution_param", "num_output"),
        "biasterm": ("convolution_param", "bias_term"),
        "weight_filler": ("convolution_param", "weight_filler"),
        "bias_filler": ("convolution_param", "bias_filler"),
        "pad": ("convolution_param", "pad"),
        "kernelsize": ("convolution_param", "kernel_size"),
        "group": ("convolution_param", "group"),
        "stride": ("convolution_param", "stride"),
    },
    "InnerProduct": {
        "num_output": ("inner_product_param", "num_output"),
        "biasterm": ("inner_product_param", "bias_term"),
        "weight_filler": ("inner_product_param", "weight_filler"),
        "bias_filler": ("inner_product_param", "bias_filler"),
    },
    "Pooling": {
        "pad": ("pooling_param", "pad"),
        "kernelsize": ("pooling_param", "kernel_size"),
        "stride": ("pooling_param", "stride"),
        "pool": ("pooling_param", "pool"),
    },
    "LRN": {
        "local_size": ("lrn_param", "local_size"),
        "alpha": ("lrn_param", "alpha"),
        "beta": ("lrn_param", "beta"),
        "k": ("lrn_param", "k"),
    },
    "Dropout": {"dropout_ratio": ("dropout_param", "dropout_ratio")},
    "Concat": {"concat_dim": ("concat_param", "concat_dim")},
    "InfogainLoss": {"source": ("infogain_loss_param", "source")},
    "Data": {
        "source": ("data_param", "source"),
        "batchsize": ("data_param", "batch_size"),
        "rand_skip": ("data_param", "rand_skip"),
    },
    "HDF5Data": {
        "source": ("hdf5_data_param", "source"),
        "batchsize": ("hdf5_data_param", "batch_size"),
    },
    "ImageData": {
        "source": ("image_data_param", "source"),
        "batchsize": ("image_data_param", "batch_size"),
        "rand_skip": ("image_data_param", "rand_skip"),
        "shuffle_images": ("image_data_param", "shuffle"),
        "new_height": ("image_data_param", "new_height"),
        "new_width": ("image_data_param", "new_width"),
    },
    "WindowData": {
        "source": ("window_data_param", "source"),
        "batchsize": ("window_data_param", "batch_size"),
        "det_fg_threshold": ("window_data_param", "fg_threshold"),
        "det_bg_threshold": ("window_data_param", "bg_threshold"),
        "det_fg_fraction": ("window_data_param", "fg_fraction"),
        "det_context_pad": ("window_data_param", "context_pad"),
        "det_crop_mode": ("window_data_param", "crop_mode"),
    },
    "HDF5Output": {},
}

#: The same, of every layer that reads pictures.
TRANSFORM = {
    "scale": ("transform_param", "scale"),
    "meanfile": ("transform_param", "mean_file"),
    "cropsize": ("transform_param", "crop_size"),
    "mirror": ("transform_param", "mirror"),
}
READERS = ("Data", "ImageData", "WindowData")


def upgrade_v0(layers):
    """Turn the layers of a V0 net into present ones.

    Parameters
    ----------
    layers : iterable of caffe_pb2.V1LayerParameter
        Each with a V0 layer in its field ``layer``.

    Returns
    -------
    list of caffe_pb2.LayerParameter
        Without those that only pad: the layer above takes over what is padded.

    Raises
    ------
    CaffeError
        An unknown type; a padding that a layer reads which cannot pad.
    """
    upgraded, paddings = [], {}  # top of a padding -> (bottom, pixels)
    for connection in layers:
        old = connection.layer
        if old.type == PADDING:
            paddings[connection.top[0]] = (connection.bottom[0], old.pad)
            continue
        new = _upgraded(old)
        new.bottom.extend(connection.bottom)
        new.top.extend(connection.top)
        for index, blob in enumerate(new.bottom):
            if blob in paddings:
                new.bottom[index], pad = paddings[blob]
                _pad(new, pad)
        upgraded.append(new)
    return upgraded


def _upgraded(old):
    if old.type not in TYPES:
        raise CaffeError(
            f"layer {old.name!r} has type {old.type!r}, which no layer of 2013 (V0) had"
            f"{nearest(old.type, TYPES, MISSPELT)}"
        )
    new = caffe_pb2.LayerParameter(name=old.name, type=TYPES[old.type], blobs=old.blobs)
    fields = FIELDS.get(new.type, {})
    if new.type in READERS:
        fields = {**fields, **TRANSFORM}
    for field, value in old.ListFields():
        if field.name in fields:
            message, name = fields[field.name]
            _set(getattr(new, message), name, value)
    for index in range(max(len(old.blobs_lr), len(old.weight_decay))):
        spec = new.param.add()
        if index < len(old.blobs_lr):
            spec.lr_mult = old.blobs_lr[index]
        if index < len(old.weight_decay):
            spec.decay_mult = old.weight_decay[index]
    return new


def _set(message, name, value):
    if hasattr(value, "ListFields"):
        getattr(message, name).CopyFrom(value)
    elif hasattr(getattr(message, name), "append"):  # repeated: one for all axes of a convolution
        getattr(message, name).append(value)
    else:
        setattr(message, name, value)


def _pad(layer, pixels):
    if layer.type not in ("Convolution", "Pooling"):
        raise CaffeError(
            f"layer {layer.name!r} ({layer.type}) reads a padding, which convolutions and poolings "
            "alone do"
        )
    param = layer.convolution_param if layer.type == "Convolution" else layer.pooling_param
    param.ClearField("pad")
    _set(param, "pad", pixels)
