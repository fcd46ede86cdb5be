"""Runs in the Debian 11 root: scores of the embedded model by real Caffe.

python3 embedded_scores.py FOLDER: reads deploy.prototxt, *.caffemodel and inputs.npy (N, 3, H, W)
there, writes scores.npy (N, 1000) and gradients.npy (N, 3, H, W), those of score 281.
"""

import sys
from pathlib import Path

import caffe
import numpy as np

folder = Path(sys.argv[1])
prototxt = folder / "differentiable.prototxt"
prototxt.write_text((folder / "deploy.prototxt").read_text() + "force_backward: true\n")
net = caffe.Net(str(prototxt), str(next(folder.glob("*.caffemodel"))), caffe.TEST)
scores, gradients = [], []
for data in np.load(str(folder / "inputs.npy")):
    net.blobs["data"].reshape(1, *data.shape)
    net.blobs["data"].data[0] = data
    net.forward()
    scores.append(net.blobs["classifier"].data[0].copy())
    net.blobs["classifier"].diff[...] = 0
    net.blobs["classifier"].diff[0, 281] = 1
    net.backward(start="classifier")
    gradients.append(net.blobs["data"].diff[0].copy())
np.save(str(folder / "scores.npy"), np.array(scores))
np.save(str(folder / "gradients.npy"), np.array(gradients))
