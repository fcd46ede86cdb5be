"""A converter: reads prototxt and caffemodel by their messages alone, and computes in numpy."""

import caffe
import numpy as np
from caffe.proto import caffe_pb2
from google.protobuf import text_format

definition = caffe_pb2.NetParameter()
text_format.Merge(open("deploy.prototxt").read(), definition)
model = caffe_pb2.NetParameter()
with open("random.caffemodel", "rb") as file:
    model.ParseFromString(file.read())

weights = {}
for layer in model.layer or model.layers:
    if len(layer.blobs):
        weights[layer.name] = [
            np.array(blob.data, np.float32).reshape(
                tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
            )
            for blob in layer.blobs
        ]
graph = []
for layer in definition.layer:
    kind = layer.type
    settings = {}
    if kind == "Convolution":
        param = layer.convolution_param
        settings = dict(
            kernel=param.kernel_size[0],
            stride=param.stride[0] if len(param.stride) else 1,
            pad=param.pad[0] if param.pad else 0,
            bias=param.bias_term,
            group=param.group,
        )
    elif kind == "Pooling":
        pool = caffe_pb2.PoolingParameter.PoolMethod.Name(layer.pooling_param.pool)
        settings = dict(pool=pool)
    elif kind == "LRN":
        settings = dict(alpha=layer.lrn_param.alpha, size=layer.lrn_param.local_size)
    assert all(field.name != "blobs" for field, _ in layer.ListFields())
    graph.append((layer.name, kind, list(layer.bottom), list(layer.top), settings))


def convolve(x, name, kernel, stride, pad, **_):
    weight, bias = weights[name]
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = ((side - kernel) // stride + 1 for side in x.shape[1:])
    out = np.empty((len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            out[:, i, j] = np.tensordot(weight, window, 3) + bias
    return out


net = caffe.Net("deploy.prototxt", "random.caffemodel", caffe.TEST)
x = np.random.RandomState(0).randn(3, 64, 64)
net.blobs["data"].data[0] = x
net.forward(end="relu1")
settings = dict((entry[0], entry[4]) for entry in graph)
ours = np.maximum(convolve(x, "conv1", **settings["conv1"]), 0)
np.testing.assert_allclose(ours, net.blobs["conv1"].data[0], rtol=1e-3, atol=1e-4)

# BatchNorm-like folding: a scale and a shift go into weights that are written back.
for layer in model.layer:
    if layer.name == "conv1":
        folded = np.array(layer.blobs[0].data, np.float32) * 2
        del layer.blobs[0].data[:]
        layer.blobs[0].data.extend(folded.tolist())
        layer.blobs[1].data[:] = [value * 2 for value in layer.blobs[1].data]
with open("folded.caffemodel", "wb") as file:
    file.write(model.SerializeToString())
folded = caffe.Net("deploy.prototxt", "folded.caffemodel", caffe.TEST)
folded.blobs["data"].data[0] = x
folded.forward(end="relu1")
np.testing.assert_allclose(folded.blobs["conv1"].data[0], 2 * ours, rtol=1e-3, atol=1e-3)
np.savez(
    "out.npz", conv1=folded.blobs["conv1"].data, **{f"w {k}": v[0] for k, v in weights.items()}
)
print(*(f"{name}:{kind}:{sorted(values.items())}" for name, kind, _, _, values in graph))
print(text_format.MessageToString(definition.layer[1].convolution_param, as_one_line=True))
