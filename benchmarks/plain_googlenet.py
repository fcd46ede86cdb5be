"""GoogLeNet up to inception_4c in plain PyTorch: the limit that the engine is measured against."""

import torch
from torch import nn

# out of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
}


def convolution(inputs, outputs, kernel, stride=1):
    """Convolution, padded to keep the size, and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.ReLU(inplace=True)
    )


class Inception(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs, one, reduce3, three, reduce5, five, projection):
        super().__init__()
        self.branches = nn.ModuleList(
            [
                convolution(inputs, one, 1),
                nn.Sequential(convolution(inputs, reduce3, 1), convolution(reduce3, three, 3)),
                nn.Sequential(convolution(inputs, reduce5, 1), convolution(reduce5, five, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), convolution(inputs, projection, 1)),
            ]
        )

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def googlenet_to_4c():
    """Build the network up to inception_4c/output, with PyTorch's random weights."""

    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    parts = [
        convolution(3, 64, 7, 2),
        pool(),
        nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
        convolution(64, 64, 1),
        convolution(64, 192, 3),
        nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
        pool(),
    ]
    channels = 192
    for name, widths in INCEPTIONS.items():
        if name == "4a":
            parts.append(pool())
        parts.append(Inception(channels, *widths))
        channels = widths[0] + widths[2] + widths[4] + widths[5]
    net = nn.Sequential(*parts).to(memory_format=torch.channels_last)
    return net.requires_grad_(False)


def gradient(net, image, dtype=torch.float32):
    """Run forward and backward of the L2 objective, as a dream's step needs.

    Parameters
    ----------
    net : nn.Module
    image : (1, 3, H, W) Tensor of float32
    dtype : torch.dtype
        The network's.

    Returns
    -------
    (1, 3, H, W) Tensor
    """
    image = image.to(dtype, memory_format=torch.channels_last).detach().requires_grad_()
    top = net(image)
    top.backward(top.detach())
    return image.grad
