"""Ask an engine what trained GoogLeNet answers: ``trained_answers.py ENGINE``.

In the current folder: deploy.prototxt, googlenet.caffemodel and pictures.npz in, ENGINE.npz out.
The engine ``caffe`` runs the notebook's own code, ours runs `dreamlib.dream`.
"""

import importlib
import sys

import numpy as np
import scipy.ndimage as nd

from tests import notebook

DEPTHS = (
    "conv2/norm2",
    "inception_3b/output",
    "inception_4c/output",
    "inception_4e/output",
    "inception_5b/output",
)
SCORES = "loss3/classifier"
CLASSES = {"goldfish": 1, "ostrich": 9}
STROKES, GUIDED = "inception_3b/5x5_reduce", "inception_3b/output"
CELLS = ("dream", "strokes", "frame 0", "frame 1", "guided")
FRAMES, ZOOM = 2, 0.05
SMALL = {"octave_n": 3, "iter_n": 5}  # of the small pictures that are dreamt
KEPT = 512  # values of each blob, evenly spaced, so that answers can be recorded


def load(engine):
    """GoogLeNet as the notebook loads it."""
    return engine.Classifier(
        "deploy.prototxt",
        "googlenet.caffemodel",
        mean=np.float32([104.0, 116.0, 122.0]),
        channel_swap=(2, 1, 0),
    )


def sample(values):
    """KEPT of the values."""
    places = np.linspace(0, values.size - 1, KEPT).round().astype(int)
    return values.ravel()[places]


def look(net, picture):
    """The probabilities of a picture's classes; samples of activations and gradients.

    `picture` is (224, 224, 3). Gradients are those of the L2 objective at every depth, and of two
    classes' scores before the softmax, to the data.
    """
    data = net.blobs["data"]
    data.reshape(1, 3, *picture.shape[:2])
    data.data[0] = notebook.preprocess(net, picture)
    found = {"probabilities": net.forward()["prob"].reshape(-1).copy()}
    for depth in DEPTHS:
        net.forward(end=depth)
        blob = net.blobs[depth]
        found[f"{depth} activation"] = sample(blob.data)
        blob.diff[...] = blob.data
        net.backward(start=depth)
        found[f"{depth} gradient"] = sample(data.diff)
    for name, number in CLASSES.items():
        net.forward(end=SCORES)
        net.blobs[SCORES].diff[...] = 0
        net.blobs[SCORES].diff[0, number] = 1
        net.backward(start=SCORES)
        found[f"{name} gradient"] = sample(data.diff)
    return found


def cells(net, deepdream, picture, guide):
    """The notebook's cells, as pictures (H, W, 3) float: dream, strokes, zoom frames, guide."""
    found = {}
    np.random.seed(0)
    found["dream"] = deepdream(net, picture, **SMALL)
    found["strokes"] = deepdream(net, picture, end=STROKES, **SMALL)
    frame = picture
    height, width = picture.shape[:2]
    for number in range(FRAMES):
        frame = deepdream(net, frame, **SMALL)
        found[f"frame {number}"] = frame
        offset = [height * ZOOM / 2, width * ZOOM / 2, 0]
        frame = nd.affine_transform(frame, [1 - ZOOM, 1 - ZOOM, 1], offset, order=1)
    objective = notebook.objective_guide(notebook.guide_features(net, guide, GUIDED))
    found["guided"] = deepdream(net, picture, end=GUIDED, objective=objective, **SMALL)
    return {name: np.float32(dreamt) for name, dreamt in found.items()}


def answers(engine, deepdream, pictures):
    """Everything, as {"PICTURE: WHAT": array}; `pictures` are some of `trained.pictures`."""
    net = load(engine)
    found = {}
    for name, picture in pictures.items():
        if not name.startswith("small"):
            for what, values in look(net, picture).items():
                found[f"{name}: {what}"] = values
    guide = pictures["small guide"]
    for name in ("small sky", "small sky moved"):
        if name in pictures:
            for what, values in cells(net, deepdream, pictures[name], guide).items():
                found[f"{name}: {what}"] = values
    return found


if __name__ == "__main__":
    name = sys.argv[1]
    with np.load("pictures.npz") as stored:
        pictures = {key: np.float32(stored[key]) for key in stored.files}
    dreaming = notebook if name == "caffe" else importlib.import_module("dreamlib.dream")
    np.savez(f"{name}.npz", **answers(importlib.import_module(name), dreaming.deepdream, pictures))
