"""Runs in the Debian 11 root: a network made fully convolutional by real Caffe's own messages.

python3 fully_convolutional_scores.py FOLDER LAYER: converts the model in FOLDER, which also holds
own.npy and larger.npy (1, 3, H, W); writes scores.npz with the layer's scores: original, own,
larger.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from dreamlib.models.engines import load_net
from dreamlib.models.fully_convolutional import fully_convolutional
from dreamlib.models.model import load_model

folder, layer = Path(sys.argv[1]), sys.argv[2]
own, larger = (np.load(str(folder / name)) for name in ("own.npy", "larger.npy"))


def scores(model, data):
    net = load_net(model, "caffe")
    net.blobs["data"].reshape(*data.shape)
    net.blobs["data"].data[...] = data
    net.forward(end=layer)
    net.blobs[layer].diff[...] = 1
    net.backward(start=layer)
    assert np.abs(net.blobs["data"].diff).max() > 0
    return net.blobs[layer].data.copy()


original = load_model(folder)
with tempfile.TemporaryDirectory() as place:
    made = fully_convolutional(original, "caffe", place)
    np.savez(
        str(folder / "scores.npz"),
        original=scores(original, own), own=scores(made, own), larger=scores(made, larger),
    )  # fmt: skip
