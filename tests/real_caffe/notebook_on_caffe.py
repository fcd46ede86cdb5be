"""Runs in the root: dream with the notebook's code and with ours on real Caffe, save both."""

import json
import sys

import caffe
import numpy as np

from dreamlib import dream
from tests import notebook

END = "mixed/output"

if __name__ == "__main__":
    net = caffe.Classifier(
        "deploy.prototxt",
        "random.caffemodel",
        mean=np.float32([104, 116, 122]),
        channel_swap=(2, 1, 0),
    )
    image = np.load("picture.npy")
    results = {}
    for number, settings in enumerate(json.loads(sys.argv[1])):
        for module in (notebook, dream):
            np.random.seed(0)
            picture = np.float32(image) if module is notebook else image
            result = module.deepdream(net, picture, end=END, **settings)
            results[f"{module.__name__}{number}"] = result
    np.savez("dreams.npz", **results)
