"""HDF5 weights, written by each for the other."""

from tests.pycaffe.nets import TINY
from tests.real_caffe import root


def test_real_caffe_and_ours_read_each_others_hdf5_weights(real_caffe, tmp_path):
    (tmp_path / "net.prototxt").write_text(TINY)
    module = "{project}/dreamlib/pycaffe/hdf5.py"
    said = root.ask(["{project}/tests/real_caffe/hdf5_exchange.py", module, "."], tmp_path)
    assert said.splitlines()[-1] == "exchanged ['conv', 'ip']"
