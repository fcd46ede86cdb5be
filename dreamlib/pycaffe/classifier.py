"""`Classifier`: a net with its pictures' preprocessing, as the notebook uses it."""

from __future__ import annotations

import numpy as np

from dreamlib.errors import CaffeError, CaffeValueError
from dreamlib.pycaffe import io
from dreamlib.pycaffe.net import Net
from dreamlib.pycaffe.proto import caffe_pb2


def make_transformer(net, mean=None, input_scale=None, raw_scale=None, channel_swap=None):
    """Make the `Transformer` of a net's first input, for (H, W, K) pictures; None sets nothing.

    Parameters
    ----------
    net : Net
    mean, input_scale, raw_scale, channel_swap
        As for `Classifier`.

    Returns
    -------
    caffe.io.Transformer

    Raises
    ------
    CaffeError
        The net has no input.
    """
    if not net.inputs:
        raise CaffeError(f"{net._source}: has no input; expected an Input layer for the pictures")
    name = net.inputs[0]
    transformer = io.Transformer({name: net.blobs[name].shape})
    transformer.set_transpose(name, (2, 0, 1))
    for set_one, value in (
        (transformer.set_mean, mean),
        (transformer.set_input_scale, input_scale),
        (transformer.set_raw_scale, raw_scale),
        (transformer.set_channel_swap, channel_swap),
    ):
        if value is not None:
            set_one(name, value)
    return transformer


def refuse_gpu(options):
    """Refuse the keyword ``gpu`` of 2014, when a net ran on the device it was made for.

    Parameters
    ----------
    options : dict
        Keywords of a net.

    Raises
    ------
    CaffeError
        It is there; says what to do.
    """
    if "gpu" in options:
        raise CaffeError(
            f"gpu={options['gpu']!r} is of the Caffe of 2014; leave it out, and call "
            "caffe.set_mode_gpu() or caffe.set_mode_cpu() before"
        )


class Classifier(Net):
    """A net in phase TEST that takes pictures.

    Parameters
    ----------
    model_file, pretrained_file : str, bytes or PathLike
        Prototxt and caffemodel.
    image_dims : (height, width), optional
        Size of pictures before they are cropped; the input's by default.
    mean : (K,) or (K, h, w) ndarray, optional
    input_scale, raw_scale : float, optional
    channel_swap : tuple of int, optional
        See `caffe.io.Transformer`.
    **net_options
        Further keywords of `Net`.

    Attributes
    ----------
    transformer : caffe.io.Transformer
    image_dims, crop_dims : (2,) array_like of int
    """

    def __init__(
        self,
        model_file,
        pretrained_file,
        image_dims=None,
        mean=None,
        input_scale=None,
        raw_scale=None,
        channel_swap=None,
        **net_options,
    ):
        refuse_gpu(net_options)
        super().__init__(model_file, caffe_pb2.TEST, weights=pretrained_file, **net_options)
        self.transformer = make_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims = self.crop_dims if image_dims is None else image_dims

    def predict(self, inputs, oversample=True):
        """Classify pictures.

        Parameters
        ----------
        inputs : list of (H, W, K) ndarray
        oversample : bool
            Average over centre, corners and their mirrors; else the centre alone.

        Returns
        -------
        (N, C) ndarray
            Class probabilities.
        """
        smaller = any(image < crop for image, crop in zip(self.image_dims, self.crop_dims))
        if smaller:
            raise CaffeValueError(
                f"image_dims {tuple(map(int, self.image_dims))} is smaller than the net's input, "
                f"{tuple(map(int, self.crop_dims))}, which is cut out of it; leave it out, or take "
                "a larger one"
            )
        images = np.array([io.resize_image(image, self.image_dims) for image in inputs])
        if oversample:
            crops = io.oversample(images, self.crop_dims)
        else:
            height, width = self.crop_dims
            top = int(self.image_dims[0] / 2 - height / 2)
            left = int(self.image_dims[1] / 2 - width / 2)
            crops = images[:, top : top + height, left : left + width]
        name = self.inputs[0]
        blobs = np.array([self.transformer.preprocess(name, crop) for crop in crops])
        predictions = self.forward_all(**{name: blobs})[self.outputs[0]]
        if oversample:
            predictions = predictions.reshape(len(images), 10, -1).mean(1)
        return predictions
