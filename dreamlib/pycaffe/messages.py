"""Arrays into Caffe's protocol buffers and back: blobs, and the data that nets are trained on."""

from __future__ import annotations

from io import BytesIO

import numpy as np

from dreamlib.errors import CaffeValueError
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.weights import LEGACY_AXES
from dreamlib.util.image_open import open_binary

#: Pillow's modes of one channel, and alpha.
GREY = ("1", "L", "LA")


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
        raise CaffeValueError(f"a Datum holds a (C, H, W) array, got shape {arr.shape}")
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
        Of an encoded one (a JPEG, for instance) what Caffe's own layers make of it: BGR, or grey.

    Raises
    ------
    CaffeError
        It is encoded, and no picture.
    """
    if datum.encoded:
        try:
            with open_binary(BytesIO(datum.data)) as picture:
                grey = picture.mode in GREY
                values = np.array(picture.convert("L" if grey else "RGB"))
        except OSError as error:
            raise CaffeValueError(f"an encoded Datum that is no picture: {error}") from error
        return values[np.newaxis] if grey else values.transpose(2, 0, 1)[::-1].copy()
    shape = (datum.channels, datum.height, datum.width)
    if datum.data:
        return np.frombuffer(datum.data, np.uint8).reshape(shape).copy()
    return np.array(datum.float_data, float).reshape(shape)
