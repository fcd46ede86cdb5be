"""Weights as HDF5, as Caffe lays them out: ``data/LAYER/NUMBER`` for each blob.

Needs the package h5py, which nothing else here does.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from dreamlib.errors import CaffeError
from dreamlib.util.atomic_write import replacing


def _h5py(path):
    try:
        import h5py
    except ImportError as error:
        raise CaffeError(
            f"{path}: HDF5 files need the package h5py, which is not installed: pip install h5py; "
            "or use a binary caffemodel, which net.save writes"
        ) from error
    return h5py


def write_hdf5(path, params):
    """Write the parameters of layers, atomically.

    Parameters
    ----------
    path : str
    params : mapping of str -> list of ndarray
        Layer name to its parameters. A slash in a name makes groups within groups.

    Raises
    ------
    CaffeError
        There is no h5py, or the file cannot be written.
    """
    h5py = _h5py(path)
    content = io.BytesIO()  # HDF5 locks files, as `replacing` does
    with h5py.File(content, "w") as file:
        group = file.create_group("data")
        for layer, arrays in params.items():
            for index, array in enumerate(arrays):
                group.create_dataset(f"{layer}/{index}", data=np.float32(array))
    try:
        with replacing(Path(path)) as temporary:
            Path(temporary).write_bytes(content.getbuffer())
    except OSError as error:
        raise CaffeError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_hdf5(path):
    """Read the parameters of layers.

    Parameters
    ----------
    path : str

    Returns
    -------
    dict of str -> list of ndarray of float32
        Layers with parameters only.

    Raises
    ------
    CaffeError
        There is no h5py, or the file is missing, damaged, or holds no weights of Caffe's.
    """
    h5py = _h5py(path)
    found = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            layer, _, index = name.rpartition("/")
            found.setdefault(layer, {})[index] = np.asarray(item, np.float32)

    try:
        with h5py.File(path, "r") as file:
            if "data" not in file:
                raise CaffeError(f"{path}: is HDF5 without a group 'data', no weights of Caffe's")
            file["data"].visititems(collect)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, CaffeError):
            raise
        raise CaffeError(f"{path}: cannot be read as HDF5: {error}") from error
    weights = {}
    for layer, blobs in found.items():
        expected = [str(index) for index in range(len(blobs))]
        if set(blobs) != set(expected):
            raise CaffeError(
                f"{path}: layer {layer!r} has the parameters {', '.join(sorted(blobs))}; expected "
                f"{', '.join(expected)}"
            )
        weights[layer] = [blobs[index] for index in expected]
    return weights
