"""Runs in the Debian 11 root: real Caffe and `dreamlib.pycaffe.hdf5` read each other's files.

Arguments: the path of that module, which runs without the rest of the package, and a folder.
"""

import importlib.util
import sys
from pathlib import Path

import caffe
import numpy as np

spec = importlib.util.spec_from_file_location("hdf5", sys.argv[1])
hdf5 = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hdf5)

folder = Path(sys.argv[2])
net = caffe.Net(str(folder / "net.prototxt"), caffe.TEST)
net.save_hdf5("theirs.h5")
params = {name: [blob.data for blob in blobs] for name, blobs in net.params.items()}
read = hdf5.read_hdf5("theirs.h5")
assert sorted(read) == sorted(params)
for name, arrays in params.items():
    for ours, array in zip(read[name], arrays):
        np.testing.assert_array_equal(ours, array)

hdf5.write_hdf5("ours.h5", {name: [array + 1 for array in params[name]] for name in params})
net.load_hdf5("ours.h5")
for name, blobs in net.params.items():
    for blob, array in zip(blobs, read[name]):
        np.testing.assert_array_equal(blob.data, array + 1)
print("exchanged", sorted(read))
