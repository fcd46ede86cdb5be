"""``caffe.io``: pictures into blobs and back, and blobs and data into protocol buffers."""

from __future__ import annotations

import os

import numpy as np

from dreamlib.errors import CaffeError, CaffeValueError, DreamError
from dreamlib.pycaffe.messages import (  # noqa: F401 (names of caffe.io)
    GREY,
    array_to_blobproto,
    array_to_datum,
    arraylist_to_blobprotovector_str,
    blobproto_to_array,
    blobprotovector_str_to_arraylist,
    datum_to_array,
)
from dreamlib.pycaffe.proto import caffe_pb2  # noqa: F401 (another)
from dreamlib.util.image_open import open_image, unread


class Transformer:
    """How pictures become the input blobs of a net.

    In this order: resize to the blob's size, transpose the axes, swap channels, multiply by the raw
    scale, subtract the mean, multiply by the input scale. `deprocess` goes the other way. Each
    method's `in_` is the name of an input.

    Parameters
    ----------
    inputs : dict of str -> tuple of int
        Shape of each input blob, (N, C, H, W).

    Attributes
    ----------
    inputs, transpose, channel_swap, raw_scale, mean, input_scale : dict
        Each by the name of the input; what was not set is missing.
    """

    def __init__(self, inputs):
        self.inputs = inputs
        self.transpose = {}
        self.channel_swap = {}
        self.raw_scale = {}
        self.mean = {}
        self.input_scale = {}

    def _shape(self, in_):
        if in_ not in self.inputs:
            raise CaffeError(f"{in_!r} is not one of the net's inputs: {sorted(self.inputs)}")
        return tuple(self.inputs[in_])

    def preprocess(self, in_, data):
        """Make an input of a picture.

        Parameters
        ----------
        in_ : str
        data : (H', W', K) ndarray
            Not changed (pycaffe changes a float32 picture of the input's size, where no channels
            are swapped).

        Returns
        -------
        (K, H, W) ndarray of float32
        """
        size = self._shape(in_)[2:]
        image = data.astype(np.float32, copy=False)
        if image.shape[:2] != size:
            image = resize_image(image, size)
        if in_ in self.transpose:
            image = image.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            image = image[self.channel_swap[in_], :, :]
        if np.may_share_memory(image, data):
            image = image.copy()
        if in_ in self.raw_scale:
            image *= self.raw_scale[in_]
        if in_ in self.mean:
            image -= self.mean[in_]
        if in_ in self.input_scale:
            image *= self.input_scale[in_]
        return image

    def deprocess(self, in_, data):
        """Make a picture of an input: `preprocess` undone, but for the resizing.

        Parameters
        ----------
        in_ : str
        data : ([1,] K, H, W) ndarray
            Not changed.

        Returns
        -------
        (H, W, K) ndarray
            Without a transpose as it is, less the axes of length 1, as in pycaffe; which fails for
            a K, H or W of 1 with one.
        """
        axes = len(self._shape(in_))
        image = data.copy()
        if image.ndim == axes and len(image) == 1:
            image = image[0]
        if in_ in self.input_scale:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_]), :, :]
        if in_ in self.transpose:
            return image.transpose(np.argsort(self.transpose[in_]))
        return image.squeeze()

    def set_transpose(self, in_, order):
        """Set the order of the axes: (2, 0, 1) makes (H, W, K) into (K, H, W).

        Parameters
        ----------
        in_ : str
        order : tuple of int

        Raises
        ------
        CaffeError
            Another number of axes than the input's.
        """
        axes = len(self._shape(in_)) - 1
        if len(order) != axes:
            raise CaffeError(f"transpose order {order} must name the {axes} axes of a picture")
        self.transpose[in_] = order

    def set_channel_swap(self, in_, order):
        """Set the order of the channels after the transpose: (2, 1, 0) makes RGB into BGR.

        Parameters
        ----------
        in_ : str
        order : tuple of int

        Raises
        ------
        CaffeError
            Another number of channels than the input's.
        """
        channels = self._shape(in_)[1]
        if len(order) != channels:
            raise CaffeError(f"channel swap {order} must name the input's {channels} channels")
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_, scale):
        """Set the factor before the mean: 255 takes pictures of 0 to 1 to grey levels.

        Parameters
        ----------
        in_ : str
        scale : float
        """
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_, mean):
        """Set the mean: one value a channel, or a picture, which is resized to the input.

        Parameters
        ----------
        in_ : str
        mean : (K,), (h, w) or (K, h, w) ndarray

        Raises
        ------
        CaffeError
            Channels or axes are not the input's.
        """
        shape = self._shape(in_)[1:]
        if mean.ndim not in (1, 2, 3):
            raise CaffeValueError(f"the mean must have 1 to 3 axes, got shape {mean.shape}")
        one_a_channel = mean.ndim == 1
        if one_a_channel:
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim == 2:
            mean = mean[np.newaxis]
        if len(mean) != shape[0]:
            raise CaffeValueError(f"the mean has {len(mean)} channels, the input {shape[0]}")
        if not one_a_channel and mean.shape != shape:
            mean = resize_image(mean.transpose(1, 2, 0), shape[1:]).transpose(2, 0, 1)
        self.mean[in_] = mean

    def set_input_scale(self, in_, scale):
        """Set the factor after the mean.

        Parameters
        ----------
        in_ : str
        scale : float
        """
        self._shape(in_)
        self.input_scale[in_] = scale


def load_image(filename, color=True):
    """Read a picture file.

    Parameters
    ----------
    filename : str, bytes or PathLike
    color : bool
        Three channels (grey is repeated), or one of intensity.

    Returns
    -------
    (H, W, 3) or (H, W, 1) ndarray of float32
        0..1. An alpha channel is dropped.

    Raises
    ------
    CaffeError
        Missing file, or not a picture.
    """
    from PIL import UnidentifiedImageError

    filename = os.fsdecode(filename)
    try:
        with open_image(filename) as picture:
            values = _values(picture)
    except UnidentifiedImageError as error:
        raise CaffeError(
            f"{filename}: cannot be read as a picture: it {unread(filename, 'Pillow')}"
        ) from error
    except (OSError, DreamError) as error:
        raise CaffeError(f"{filename}: cannot be read as a picture: {error}") from error
    if values.ndim == 2:
        values = values[:, :, np.newaxis]
        return np.tile(values, (1, 1, 3)) if color else values
    return values if color else values @ LUMINANCE[:, np.newaxis]


#: Of red, green and blue, in scikit-image's grey and so in pycaffe's.
LUMINANCE = np.float32([0.2125, 0.7154, 0.0721])


def _values(picture):
    """Return a Pillow picture as float32 of 0..1, (H, W) or (H, W, 3)."""
    if picture.mode == "F":
        return np.array(picture, np.float32)
    if picture.mode.startswith("I"):  # 16 bit; some versions of Pillow widen it to 32
        return np.asarray(picture).astype(np.float32) / 65535
    grey = picture.mode in GREY
    return np.asarray(picture.convert("L" if grey else "RGB"), np.float32) / 255


def resize_image(im, new_dims, interp_order=1):
    """Resample a picture.

    Parameters
    ----------
    im : (H, W, K) ndarray
    new_dims : (height, width)
    interp_order : int
        Of the spline; 1 is linear. From 2 on, results for one and three channels depend on the
        version of scikit-image, with pycaffe too.

    Returns
    -------
    (height, width, K) ndarray of float32
        One and three channels go through ``skimage.transform.resize``, which smooths before it
        shrinks; others through ``scipy.ndimage.zoom``: as in pycaffe.
    """
    if im.shape[-1] not in (1, 3):
        from scipy.ndimage import zoom

        factors = (new_dims[0] / im.shape[0], new_dims[1] / im.shape[1], 1)
        return zoom(im, factors, order=interp_order).astype(np.float32)
    low, high = im.min(), im.max()
    if low == high:
        return np.full(tuple(new_dims) + im.shape[-1:], low, np.float32)
    from skimage.transform import resize

    normal = (im - low) / (high - low)
    resized = resize(normal, tuple(new_dims), order=interp_order, mode="constant")
    return (resized * (high - low) + low).astype(np.float32)


def oversample(images, crop_dims):
    """Cut the four corners and the centre out of each picture, and mirror them.

    Parameters
    ----------
    images : iterable of (H, W, K) ndarray
    crop_dims : (height, width)

    Returns
    -------
    (10 N, height, width, K) ndarray of float32
        For each picture five crops, then the same five mirrored.

    Raises
    ------
    CaffeError
        A picture is smaller than a crop.
    """
    height, width = (int(side) for side in crop_dims)
    crops = []
    for image in images:
        if image.shape[0] < height or image.shape[1] < width:
            raise CaffeValueError(
                f"crops of {height} x {width} do not fit into a picture of {image.shape[0]} x "
                f"{image.shape[1]}; resize it before (caffe.io.resize_image)"
            )
        bottom, right = image.shape[0] - height, image.shape[1] - width
        centre = int(image.shape[0] / 2 - height / 2), int(image.shape[1] / 2 - width / 2)
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), centre]
        five = [image[top : top + height, left : left + width] for top, left in corners]
        crops += five + [crop[:, ::-1] for crop in five]
    return np.array(crops, np.float32)
