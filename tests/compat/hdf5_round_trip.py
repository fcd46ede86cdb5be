"""Weights out to HDF5 and back, by a net that is asked by name."""

import os

import caffe
import numpy as np

caffe.set_mode_cpu()
flat = open("deploy.prototxt").read().replace("mixed/", "mixed_")  # Caffe writes no slashes
with open("flat.prototxt", "w") as file:
    file.write(flat)
net = caffe.Net("flat.prototxt", caffe.TEST)
random = np.random.RandomState(4)
for blobs in net.params.values():
    for blob in blobs:
        blob.data[...] = random.randn(*blob.data.shape) * 0.1
data = random.randn(*net.blobs["data"].data.shape)
before = net.forward(data=data)["prob"].copy()
net.save_hdf5("weights.h5")
other = caffe.Net("flat.prototxt", caffe.TEST)
other.load_hdf5("weights.h5")
after = other.forward(data=data)["prob"].copy()
third = caffe.Net("flat.prototxt", caffe.TEST)
third.copy_from("weights.h5")
np.testing.assert_array_equal(before, after)
np.testing.assert_array_equal(before, third.forward(data=data)["prob"])
np.savez("out.npz", prob=after)
print(
    "bytes",
    os.path.getsize("weights.h5") > 4 * sum(b.count for bs in net.params.values() for b in bs),
)
