"""A picture that a class likes: ascent out of noise, with decay, blurring and clipping."""

import caffe
import numpy as np
import scipy.ndimage as nd

caffe.set_mode_cpu()
net = caffe.Classifier(
    "deploy.prototxt",
    "random.caffemodel",
    mean=np.float32([104.0, 117.0, 123.0]),
    channel_swap=(2, 1, 0),
)
src, dst = net.blobs["data"], net.blobs["classifier"]
mean = net.transformer.mean["data"]
unit = 7
src.data[0] = np.random.RandomState(5).normal(0, 8, (3, 64, 64))
scores = []
for step in range(25):
    net.forward(end="classifier")
    scores.append(dst.data[0, unit].copy())
    dst.diff.fill(0.0)
    dst.diff[0, unit] = 1
    net.backward(start="classifier")
    g = src.diff[0]
    src.data[0] += 12.0 / np.abs(g).mean() * g * 0.1
    src.data[0] *= 1 - 0.005
    if step % 4 == 3:
        src.data[0] = nd.gaussian_filter(src.data[0], (0, 0.5, 0.5))
    src.data[0] = np.clip(src.data[0], -mean, 255 - mean)
    src.diff.fill(0.0)
assert scores[-1] > scores[0]
np.savez("out.npz", picture=net.transformer.deprocess("data", src.data[0]), scores=scores)
print("climbed", scores[-1] > scores[0])
