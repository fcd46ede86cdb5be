"""What made a unit active: plain gradients, guided ones and the deconvolution of 2013."""

import caffe
import numpy as np

caffe.set_mode_cpu()
net = caffe.Net("deploy.prototxt", "random.caffemodel", caffe.TEST)
picture = np.load("picture.npy")[:64, :64].transpose(2, 0, 1)[::-1] * 255 - 110
net.blobs["data"].data[...] = picture
names = list(net._layer_names)
kinds = dict(zip(names, (layer.type for layer in net.layers)))


def seed(blob, unit):
    diff = net.blobs[blob].diff
    diff[...] = 0
    diff[0, unit] = net.blobs[blob].data[0, unit]


def walk(top, rule):
    """Go down layer by layer, and treat what passes each ReLU by a rule."""
    for name in reversed(names[1 : names.index(top) + 1]):
        if kinds[name] == "ReLU":
            blob = net.blobs[net.top_names[name][0]]
            if rule == "guided":
                blob.diff[...] = np.maximum(blob.diff, 0)
            elif rule == "deconvolution":  # the ReLU is applied to the gradient instead
                blob.diff[...] = np.maximum(blob.diff, 0)
                continue
        net.backward(start=name, end=name)
    return net.blobs["data"].diff[0].copy()


net.forward()
scores = net.blobs["classifier"].data[0].copy()
one_hot = np.zeros_like(net.blobs["prob"].data)
one_hot[0, scores.argmax()] = 1
saliency = net.backward(prob=one_hot)["data"][0].copy()

found = {}
for rule in ("plain", "guided", "deconvolution"):
    net.forward(end="mixed/output")
    seed("mixed/output", 3)
    found[rule] = walk("mixed/output", rule)
net.forward(end="mixed/output")
seed("mixed/output", 3)
whole = net.backward(start="mixed/output", diffs=["norm1"])
np.testing.assert_allclose(found["plain"], whole["data"][0], rtol=1e-4, atol=1e-7)
np.savez("out.npz", saliency=saliency, heat=np.abs(saliency).max(0), norm1=whole["norm1"], **found)
print("layers", *(f"{name}:{kinds[name]}" for name in names))
