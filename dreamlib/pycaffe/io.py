"""``caffe.io``: pictures into blobs and back, and blobs and data into protocol buffers."""

from __future__ import annotations

import numpy as np

from dreamlib.errors import CaffeError, DreamError
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.weights import LEGACY_AXES
from dreamlib.util.image_open import open_image


def blobproto_to_array(blob, return_diff=False):
    """Turn a BlobProto into an array.

    Parameters
    ----------
    blob : caffe_pb2.BlobProto
    return_diff : bool
        Instead of the data.

    Returns
    -------
    ndarray of float64
        Shaped as the proto says, four axes where it says so in the old way.
    """
    # Without the dtype some versions of protobuf give float32, Caffe's gives float64.
    values = np.array(blob.diff if return_diff else blob.data, float)
    if any(blob.HasField(axis) for axis in LEGACY_AXES):
        return values.reshape([getattr(blob, axis) for axis in LEGACY_AXES])
    return values.reshape(tuple(blob.shape.dim))


def array_to_blobproto(arr, diff=None):
    """Turn an array, and optionally its diff, into a BlobProto.

    Parameters
    ----------
    arr : ndarray
    diff : ndarray of the same shape, optional

    Returns
    -------
    caffe_pb2.BlobProto
    """
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(np.asarray(arr, float).ravel())
    if diff is not None:
        blob.diff.extend(np.asarray(diff, float).ravel())
    return blob


def arraylist_to_blobprotovector_str(arraylist):
    """Serialise a list of arrays as a BlobProtoVector.

    Parameters
    ----------
    arraylist : list of ndarray

    Returns
    -------
    bytes
    """
    vector = caffe_pb2.BlobProtoVector()
    vector.blobs.extend([array_to_blobproto(array) for array in arraylist])
    return vector.SerializeToString()


def blobprotovector_str_to_arraylist(str):
    """Read a list of arrays from a serialised BlobProtoVector.

    Parameters
    ----------
    str : bytes

    Returns
    -------
    list of ndarray
    """
    return [blobproto_to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr, label=None):
    """Turn a (C, H, W) array into a Datum: uint8 as bytes, anything else as floats.

    Parameters
    ----------
    arr : (C, H, W) ndarray
    label : int, optional

    Returns
    -------
    caffe_pb2.Datum

    Raises
    ------
    CaffeError
        The array has not three axes.
    """
    if arr.ndim != 3:
        raise CaffeError(f"a Datum holds a (C, H, W) array, got shape {arr.shape}")
    datum = caffe_pb2.Datum(channels=arr.shape[0], height=arr.shape[1], width=arr.shape[2])
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(np.asarray(arr, float).ravel())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum):
    """Turn a Datum into a (C, H, W) array, uint8 or float. The label is ``datum.label``.

    Parameters
    ----------
    datum : caffe_pb2.Datum

    Returns
    -------
    (C, H, W) ndarray
    """
    shape = (datum.channels, datum.height, datum.width)
    if datum.data:
        return np.frombuffer(datum.data, np.uint8).reshape(shape).copy()
    return np.array(datum.float_data, float).reshape(shape)


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
        """
        self._shape(in_)
        image = data.copy().squeeze()
        if in_ in self.input_scale:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_]), :, :]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

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
            raise CaffeError(f"the mean must have 1 to 3 axes, got shape {mean.shape}")
        one_a_channel = mean.ndim == 1
        if one_a_channel:
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim == 2:
            mean = mean[np.newaxis]
        if len(mean) != shape[0]:
            raise CaffeError(f"the mean has {len(mean)} channels, the input {shape[0]}")
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
    filename : str
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
    try:
        with open_image(filename) as picture:
            values = _values(picture)
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
    grey = picture.mode in ("1", "L", "LA")
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
    """
    height, width = (int(side) for side in crop_dims)
    crops = []
    for image in images:
        bottom, right = image.shape[0] - height, image.shape[1] - width
        centre = int(image.shape[0] / 2 - height / 2), int(image.shape[1] / 2 - width / 2)
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), centre]
        five = [image[top : top + height, left : left + width] for top, left in corners]
        crops += five + [crop[:, ::-1] for crop in five]
    return np.array(crops, np.float32)
