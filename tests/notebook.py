"""The 2015 notebook's algorithm, written out as it is there: the judge of `dreamlib.dream`.

Nothing of dreamlib is used here. Plain numpy with its temporaries, whole-picture ``np.roll``,
``scipy.ndimage.zoom``; only the display between steps is left out and the syntax is Python 3's.
"""

import numpy as np
import scipy.ndimage as nd


def preprocess(net, img):
    return np.float32(np.rollaxis(img, 2)[::-1]) - net.transformer.mean["data"]


def deprocess(net, img):
    return np.dstack((img + net.transformer.mean["data"])[::-1])


def objective_L2(dst):
    dst.diff[:] = dst.data


def make_step(
    net,
    step_size=1.5,
    end="inception_4c/output",
    jitter=32,
    clip=True,
    objective=objective_L2,
):
    src = net.blobs["data"]
    dst = net.blobs[end]

    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    src.data[0] = np.roll(np.roll(src.data[0], ox, -1), oy, -2)

    net.forward(end=end)
    objective(dst)
    net.backward(start=end)
    g = src.diff[0]
    src.data[:] += step_size / np.abs(g).mean() * g

    src.data[0] = np.roll(np.roll(src.data[0], -ox, -1), -oy, -2)

    if clip:
        bias = net.transformer.mean["data"]
        src.data[:] = np.clip(src.data, -bias, 255 - bias)


def deepdream(
    net,
    base_img,
    iter_n=10,
    octave_n=4,
    octave_scale=1.4,
    end="inception_4c/output",
    clip=True,
    **step_params,
):
    octaves = [preprocess(net, base_img)]
    for _ in range(octave_n - 1):
        octaves.append(nd.zoom(octaves[-1], (1, 1.0 / octave_scale, 1.0 / octave_scale), order=1))

    src = net.blobs["data"]
    detail = np.zeros_like(octaves[-1])
    for octave, octave_base in enumerate(octaves[::-1]):
        h, w = octave_base.shape[-2:]
        if octave > 0:
            h1, w1 = detail.shape[-2:]
            detail = nd.zoom(detail, (1, 1.0 * h / h1, 1.0 * w / w1), order=1)

        src.reshape(1, 3, h, w)
        src.data[0] = octave_base + detail
        for _ in range(iter_n):
            make_step(net, end=end, clip=clip, **step_params)

        detail = src.data[0] - octave_base
    return deprocess(net, src.data[0])


def guide_features(net, guide, end):
    h, w = guide.shape[:2]
    src, dst = net.blobs["data"], net.blobs[end]
    src.reshape(1, 3, h, w)
    src.data[0] = preprocess(net, guide)
    net.forward(end=end)
    return dst.data[0].copy()


def objective_guide(features):
    def objective(dst):
        x = dst.data[0].copy()
        ch = x.shape[0]
        x, y = x.reshape(ch, -1), features.reshape(ch, -1)
        matches = x.T.dot(y)
        dst.diff[0].reshape(ch, -1)[:] = y[:, matches.argmax(1)]

    return objective
