"""The content of one picture in the style of another: Gram matrices, and SciPy's L-BFGS."""

import caffe
import numpy as np
from scipy.optimize import minimize

caffe.set_mode_cpu()
net = caffe.Net("deploy.prototxt", "random.caffemodel", caffe.TEST)
STYLE, CONTENT = {"conv1": 0.5, "norm1": 0.5}, {"mixed/output": 1e-3}
LAYERS = [name for name in net.blobs if name in STYLE or name in CONTENT]
net.blobs["data"].reshape(1, 3, 48, 48)


def grams_and_contents(data):
    net.blobs["data"].data[...] = data
    net.forward(end="mixed/output")
    flat = {
        name: net.blobs[name].data[0].reshape(net.blobs[name].data.shape[1], -1) for name in LAYERS
    }
    grams = {name: flat[name].dot(flat[name].T) / flat[name].size for name in STYLE}
    return grams, {name: flat[name].copy() for name in CONTENT}, flat


picture = np.load("picture.npy")[:48, :48].transpose(2, 0, 1)[::-1] * 255 - 110
texture = np.load("picture.npy")[-48:, -48:].transpose(2, 1, 0) * 180 - 60
wanted_grams = grams_and_contents(texture)[0]
wanted_contents = grams_and_contents(picture)[1]


def loss_and_gradient(x):
    grams, contents, flat = grams_and_contents(x.reshape(3, 48, 48))
    loss = 0
    net.blobs[LAYERS[-1]].diff[...] = 0
    for position in range(len(LAYERS) - 1, -1, -1):
        name = LAYERS[position]
        diff = net.blobs[name].diff
        if name in STYLE:
            apart = grams[name] - wanted_grams[name]
            loss += STYLE[name] * (apart**2).sum() / 4
            diff[0] += (STYLE[name] * apart.dot(flat[name]) / flat[name].size).reshape(
                diff.shape[1:]
            )
        else:
            apart = contents[name] - wanted_contents[name]
            loss += CONTENT[name] * (apart**2).sum() / 2
            diff[0] += (CONTENT[name] * apart).reshape(diff.shape[1:])
        if position:
            net.backward(start=writer(name), end=writer(LAYERS[position - 1], 1))
        else:
            net.backward(start=writer(name))
    return float(loss), np.float64(net.blobs["data"].diff.ravel())


def writer(blob, above=0):
    """The last layer that writes a blob, which may be in place; or one above it."""
    names = list(net._layer_names)
    writers = [name for name in names if blob in net.top_names[name]]
    return names[names.index(writers[-1]) + above]


start = np.float64(picture.ravel())
first, gradient = loss_and_gradient(start)
step = np.random.RandomState(1).randn(start.size)
above, below = (loss_and_gradient(start + sign * 0.05 * step)[0] for sign in (1, -1))
assert abs((above - below) / 0.1 - gradient.dot(step)) < 0.02 * abs(gradient.dot(step))
losses = []
found = minimize(
    loss_and_gradient,
    start,
    method="L-BFGS-B",
    jac=True,
    bounds=[(-140, 160)] * start.size,
    callback=lambda x: losses.append(loss_and_gradient(x)[0]),
    options={"maxiter": 6, "maxcor": 8},
)
assert found.fun < first / 2
np.savez(
    "out.npz", first=first, gradient=gradient, last=found.fun, picture=found.x.reshape(3, 48, 48)
)
print("fell", found.fun < first / 2)
