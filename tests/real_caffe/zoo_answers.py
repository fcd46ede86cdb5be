"""Run models of the repository forward, and the dream's gradient: ``zoo_answers.py ENGINE``.

In the current folder: ends.json (model -> layer to dream) and MODEL.prototxt in, ENGINE.npz out.
The weights are drawn here, the same for every engine, so that no caffemodel need be written.
"""

import importlib
import json
import sys

import numpy as np

SIDE, PICTURES = 64, 5  # of the small pictures that are dreamt


def fill(net, random):
    """Draw weights as Caffe's xavier filler does, from a stream that is the same everywhere."""
    for weights, bias in net.params.values():
        limit = np.sqrt(3.0 / np.prod(weights.data.shape[1:]))
        weights.data[...] = random.uniform(-limit, limit, weights.data.shape)
        bias.data[...] = 0.2


def answers(engine):
    """Return for every model prob at its own size, and of small pictures end and gradient.

    End is the dreamt blob, the gradient that of its L2 objective; a row per picture.
    """
    with open("ends.json") as file:
        ends = json.load(file)
    found = {}
    for model, end in sorted(ends.items()):
        random = np.random.RandomState(0)
        net = engine.Net(model + ".prototxt", engine.TEST)
        fill(net, random)
        data, dreamt = net.blobs["data"], net.blobs[end]
        data.data[...] = random.uniform(-120, 135, data.data.shape)
        found[model + " prob"] = net.forward()["prob"].copy()
        data.reshape(1, 3, SIDE, SIDE)
        small = []
        for _ in range(PICTURES):
            data.data[...] = random.uniform(-120, 135, data.data.shape)
            net.forward(end=end)
            dreamt.diff[...] = dreamt.data
            net.backward(start=end)
            small.append((dreamt.data.copy(), data.diff.copy()))
        found[model + " end"], found[model + " gradient"] = map(np.concatenate, zip(*small))
    return found


if __name__ == "__main__":
    np.savez(sys.argv[1] + ".npz", **answers(importlib.import_module(sys.argv[1])))
