"""From pictures to a network's values and back: the notebook's two functions, in place.

And the mean that is taken away, as Caffe's models keep it in files.
"""

from __future__ import annotations

import math
import tokenize
from io import BytesIO
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.util.input_file import read_bytes
from dreamlib.util.progress import profile

#: Bytes of a mean picture.
MEAN_BYTES = 1 << 28

#: What numpy raises for files that are no arrays.
DAMAGED = (
    ValueError, EOFError, OSError, TypeError, MemoryError, RecursionError, SyntaxError,
    tokenize.TokenError,
)  # fmt: skip


#: Of a mean, in grey levels: beyond, float32 has nothing left of a pixel.
LARGEST = 1e6


class Preprocessing(NamedTuple):
    """A network's values of a picture: ``(pixel[order] - mean) * scale``."""

    order: tuple  #: network channel i is picture channel order[i]
    mean: np.ndarray  #: (3,) float32, grey levels, in the network's order
    scale: np.float32

    @classmethod
    def of(cls, net):
        """Read it from a net's transformer; its default is the notebook's BGR.

        Parameters
        ----------
        net : caffe.Classifier

        Returns
        -------
        Preprocessing
        """
        transformer, name = net.transformer, net.inputs[0]
        mean = np.float32(transformer.mean[name])
        if mean.ndim == 3:  # a mean image, or a mean per channel shaped (3, 1, 1)
            mean = mean.mean(axis=(1, 2), dtype=np.float32)
        order = tuple(transformer.channel_swap.get(name, (2, 1, 0)))
        return cls(order, mean, np.float32(transformer.input_scale.get(name, 1.0)))

    def limits(self):
        """Return the lowest and the highest value of each network channel: two (3,) ndarrays."""
        return -self.mean * self.scale, (255 - self.mean) * self.scale

    def difference(self, levels):
        """Return a difference of grey levels as one of the network's values: a float.

        Parameters
        ----------
        levels : float

        Returns
        -------
        float
        """
        return levels * float(self.scale)


@profile
def preprocess(net, img, out=None):
    """Turn a picture into a network's input.

    Parameters
    ----------
    net : caffe.Classifier
    img : (H, W, 3) array_like
        RGB, 0..255.
    out : (3, H, W) ndarray of float32, optional
        Written to and returned.

    Returns
    -------
    (3, H, W) ndarray of float32
    """
    img = np.asarray(img)
    if out is None:
        out = np.empty((3,) + img.shape[:2], np.float32)
    rule = Preprocessing.of(net)
    for plane, channel, mean in zip(out, rule.order, rule.mean):
        plane[:] = img[..., channel]
        plane -= mean
        plane *= rule.scale
    return out


@profile
def deprocess(net, img, out=None):
    """Turn a network's input back into a picture: the inverse of `preprocess`.

    Parameters
    ----------
    net : caffe.Classifier
    img : (3, H, W) ndarray of float32
    out : (H, W, 3) ndarray of float32, optional
        Written to and returned; must not overlap `img`.

    Returns
    -------
    (H, W, 3) ndarray of float32
        RGB, 0..255 unless the dream ran without clipping.
    """
    if out is None:
        out = np.empty(img.shape[1:] + (3,), np.float32)
    rule = Preprocessing.of(net)
    for plane, channel, mean in zip(img, rule.order, rule.mean):
        picture_plane = out[..., channel]
        np.divide(plane, rule.scale, out=picture_plane)
        picture_plane += mean
    return out


def read_mean(path):
    """Read a mean picture, or a mean colour, and average it over the picture.

    Parameters
    ----------
    path : Path
        A .npy file or Caffe's .binaryproto; (3, H, W), (1, 3, H, W) or (3,), grey levels.

    Returns
    -------
    tuple of 3 float

    Raises
    ------
    DreamError
        The file is damaged, or has another shape.
    """
    mean = _read_npy(path) if path.suffix == ".npy" else _read_binaryproto(path)
    if mean.ndim == 4 and len(mean) == 1:
        mean = mean[0]
    if mean.ndim not in (1, 3) or len(mean) != 3:
        raise DreamError(f"{path}: expected a mean of shape (3, H, W) or (3,); it has {mean.shape}")
    means = tuple(float(channel.mean(dtype=np.float64)) for channel in np.asarray(mean))
    if not all(abs(one) <= LARGEST for one in means):
        raise DreamError(f"{path}: the mean is {means}; expected finite grey levels")
    return means


def _read_npy(path):
    try:
        found = np.load(BytesIO(read_bytes(path, MEAN_BYTES)), allow_pickle=False)
        return np.asarray(found, np.float64)
    except DAMAGED as error:
        raise DreamError(f"{path} is not a NumPy array of numbers: {error}") from error


def _read_binaryproto(path):
    from google.protobuf.message import DecodeError

    try:
        from caffe.proto import caffe_pb2
    except ImportError:
        from dreamlib.pycaffe.proto import caffe_pb2
    blob = caffe_pb2.BlobProto()
    try:
        blob.ParseFromString(read_bytes(path, MEAN_BYTES))
    except DecodeError as error:
        raise DreamError(f"{path} is not a mean file of Caffe (BlobProto): {error}") from error
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    data = np.array(blob.data or blob.double_data, np.float32)
    if data.size != math.prod(shape):
        raise DreamError(f"{path}: {data.size} values do not fill the shape {shape}")
    return data.reshape(shape)
