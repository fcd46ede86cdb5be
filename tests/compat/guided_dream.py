"""Dream towards the features of another picture, over octaves, with jitter."""

import caffe
import numpy as np
import scipy.ndimage as nd

caffe.set_mode_cpu()
net = caffe.Classifier(
    "deploy.prototxt",
    "random.caffemodel",
    mean=np.float32([104.0, 116.0, 122.0]),
    channel_swap=(2, 1, 0),
)
end = "mixed/output"


def preprocess(img):
    return np.float32(np.rollaxis(img, 2)[::-1]) - net.transformer.mean["data"]


def deprocess(img):
    return np.dstack((img + net.transformer.mean["data"])[::-1])


def features_of(img):
    src, dst = net.blobs["data"], net.blobs[end]
    h, w = img.shape[:2]
    src.reshape(1, 3, h, w)
    src.data[0] = preprocess(img)
    net.forward(end=end)
    return dst.data[0].copy()


def objective_guide(dst, guide):
    x = dst.data[0].copy()
    ch = x.shape[0]
    x, y = x.reshape(ch, -1), guide.reshape(ch, -1)
    a = x.T.dot(y)
    dst.diff[0].reshape(ch, -1)[:] = y[:, a.argmax(1)]


def make_step(guide, random, step_size=1.5, jitter=6):
    src, dst = net.blobs["data"], net.blobs[end]
    ox, oy = random.randint(-jitter, jitter + 1, 2)
    src.data[0] = np.roll(np.roll(src.data[0], ox, -1), oy, -2)
    net.forward(end=end)
    objective_guide(dst, guide)
    net.backward(start=end)
    g = src.diff[0]
    src.data[:] += step_size / np.abs(g).mean() * g
    src.data[0] = np.roll(np.roll(src.data[0], -ox, -1), -oy, -2)
    bias = net.transformer.mean["data"]
    src.data[:] = np.clip(src.data, -bias, 255 - bias)


picture = np.load("picture.npy") * 255
guide = features_of(picture[::-1, 10:70].copy())
random = np.random.RandomState(3)
octaves = [preprocess(picture)]
octaves.append(nd.zoom(octaves[-1], (1, 1 / 1.4, 1 / 1.4), order=1))
detail = np.zeros_like(octaves[-1])
for octave, base in enumerate(octaves[::-1]):
    h, w = base.shape[-2:]
    if octave > 0:
        h1, w1 = detail.shape[-2:]
        detail = nd.zoom(detail, (1, 1.0 * h / h1, 1.0 * w / w1), order=1)
    net.blobs["data"].reshape(1, 3, h, w)
    net.blobs["data"].data[0] = base + detail
    for _ in range(4):
        make_step(guide, random)
    detail = net.blobs["data"].data[0] - base
np.savez("out.npz", guide=guide, dream=deprocess(net.blobs["data"].data[0]))
print("octaves", *(base.shape for base in octaves))
