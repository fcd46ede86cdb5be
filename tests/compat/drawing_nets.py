"""A net written in Python, built, and drawn."""

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P

weights = dict(type="xavier")


def conv_relu(bottom, ks, nout, stride=1, pad=0, group=1):
    conv = L.Convolution(
        bottom,
        kernel_size=ks,
        stride=stride,
        num_output=nout,
        pad=pad,
        group=group,
        param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)],
        weight_filler=weights,
        bias_filler=dict(type="constant", value=0.1),
    )
    return conv, L.ReLU(conv, in_place=True)


def inception(bottom, widths):
    _, relu_one = conv_relu(bottom, 1, widths[0])
    _, relu_two = conv_relu(bottom, 3, widths[1], pad=1)
    pooled = L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=3, stride=1, pad=1)
    return L.Concat(relu_one, relu_two, pooled)


n = caffe.NetSpec()
n.data = L.Input(input_param=dict(shape=dict(dim=[2, 3, 33, 35])))
n.conv1, n.relu1 = conv_relu(n.data, 5, 8, stride=2)
n.pool1 = L.Pooling(n.relu1, kernel_size=3, stride=2, pool=P.Pooling.AVE)
n.norm1 = L.LRN(n.pool1, local_size=5, alpha=1e-2, beta=0.75, norm_region=P.LRN.ACROSS_CHANNELS)
n["mixed/output"] = inception(n.norm1, (4, 6))
n.left, n.right = L.Slice(n["mixed/output"], slice_point=9, ntop=2)
n.sum = L.Eltwise(n.left, n.right, operation=P.Eltwise.SUM, coeff=[1, -0.5])
n.fc = L.InnerProduct(n.sum, num_output=5, weight_filler=weights, loss_weight=0)
n.prob = L.Softmax(n.fc)
n.silence = L.Silence(n.norm1, ntop=0)
proto = n.to_proto()
with open("written.prototxt", "w") as file:
    file.write("force_backward: true\n" + str(proto))
alone = n.pool1.to_proto()
both = caffe.to_proto(n.pool1, n.norm1)

net = caffe.Net("written.prototxt", caffe.TEST)
random = np.random.RandomState(2)
for name in net.params:
    for blob in net.params[name]:
        blob.data[...] = random.randn(*blob.data.shape) * 0.2
net.blobs["data"].data[...] = random.randn(2, 3, 33, 35)
prob = net.forward()["prob"].copy()
net.blobs["prob"].diff[...] = random.randn(2, 5)
gradient = net.backward()["data"].copy()

try:
    import caffe.draw
except ImportError as error:  # where pydot is not there
    print("not drawn:", error)
else:
    caffe.draw.draw_net_to_file(proto, "net.raw", "TB")
written = b"".join(each.SerializeToString() for each in (proto, alone, both))
written = np.frombuffer(written, np.uint8)
np.savez("out.npz", prob=prob, gradient=gradient, written=written)
