"""Run the whole of GoogLeNet forward, and the dream's gradient: ``googlenet_answers.py ENGINE``.

In the current folder: deploy.prototxt and random.caffemodel in, ENGINE.npz out.
"""

import importlib
import sys

import numpy as np

END = "inception_4c/output"


def answers(engine):
    """Return prob, the dreamt blob, and the gradient of its L2 objective."""
    net = engine.Net("deploy.prototxt", "random.caffemodel", engine.TEST)
    image = np.random.RandomState(0).rand(1, 3, 224, 224) * 255 - 120
    net.blobs["data"].data[...] = image
    found = {"prob": net.forward()["prob"].copy()}
    dst = net.blobs[END]
    found["end"] = dst.data.copy()
    dst.diff[...] = dst.data
    net.backward(start=END)
    found["gradient"] = net.blobs["data"].diff.copy()
    return found


if __name__ == "__main__":
    np.savez(f"{sys.argv[1]}.npz", **answers(importlib.import_module(sys.argv[1])))
