"""Weights as HDF5, where h5py is; tests/real_caffe/test_hdf5.py exchanges files with real Caffe."""

import sys

import numpy as np
import pytest

from dreamlib import pycaffe as caffe
from dreamlib.errors import CaffeError
from dreamlib.pycaffe.hdf5 import read_hdf5
from tests.pycaffe.nets import TINY, make_net

SLASHED = TINY.replace('"conv"', '"conv/one"')


@pytest.mark.parametrize("method", ["save_hdf5", "load_hdf5", "copy_from"])
def test_without_h5py_the_error_names_it_and_nothing_is_written(tmp_path, monkeypatch, method):
    monkeypatch.setitem(sys.modules, "h5py", None)
    net = make_net(tmp_path)
    if method == "copy_from":
        (tmp_path / "w.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 64)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CaffeError, match="h5py, which is not installed: pip install h5py"):
        getattr(net, method)(str(tmp_path / "w.h5"))
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def saved(tmp_path):
    """A net and the HDF5 file of its weights."""
    pytest.importorskip("h5py")
    net = make_net(tmp_path, SLASHED)
    net.save_hdf5(str(tmp_path / "weights.h5"))
    return net, str(tmp_path / "weights.h5")


@pytest.mark.parametrize("method", ["load_hdf5", "copy_from"])
def test_a_saved_net_is_loaded_with_slashes_in_its_names(tmp_path, saved, method):
    net, path = saved
    other = make_net(tmp_path, SLASHED, seed=1)
    getattr(other, method)(path)
    for name, blobs in net.params.items():
        for blob, loaded in zip(blobs, other.params[name]):
            np.testing.assert_array_equal(loaded.data, blob.data)


def test_the_file_has_caffes_names(saved):
    import h5py

    with h5py.File(saved[1], "r") as file:
        assert sorted(file["data"]) == ["conv", "ip"]
        assert file["data/conv/one/0"].shape == (4, 3, 3, 3)
        assert file["data/ip/1"].dtype == np.float32


def test_another_shape_is_refused_with_both(tmp_path, saved):
    wider = make_net(tmp_path, SLASHED.replace("num_output: 4", "num_output: 6"))
    with pytest.raises(CaffeError, match=r"\(4, 3, 3, 3\).*\(6, 3, 3, 3\)"):
        wider.load_hdf5(saved[1])


def test_other_files_are_refused_by_name(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(CaffeError, match=r"text\.h5: cannot be read as HDF5"):
        read_hdf5(str(tmp_path / "text.h5"))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["values"] = np.zeros(3)
    with pytest.raises(CaffeError, match=r"other\.h5: is HDF5 without a group 'data'"):
        read_hdf5(str(tmp_path / "other.h5"))


def test_a_net_is_made_with_hdf5_weights(tmp_path, saved):
    net, path = saved
    other = caffe.Net(str(tmp_path / "net.prototxt"), path, caffe.TEST)
    np.testing.assert_array_equal(other.params["ip"][0].data, net.params["ip"][0].data)
