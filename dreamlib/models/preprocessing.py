"""How a network wants its pictures, and the notebook's `preprocess` and `deprocess`, in place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.util.profiling import profile


class Preprocessing(NamedTuple):
    """How a network wants its pictures: ``(pixel[channel_order] - mean) * scale``."""

    order: tuple  #: network channel i is picture channel order[i]
    mean: np.ndarray  #: (3,) float32, grey levels, in the network's order
    scale: np.float32

    @classmethod
    def of(cls, net):
        """Read it from a net's transformer; the notebook's BGR where that is silent.

        Parameters
        ----------
        net : caffe.Classifier
        """
        transformer = net.transformer
        mean = np.float32(transformer.mean["data"])
        if mean.ndim == 3:  # a mean image, or a mean per channel shaped (3, 1, 1)
            mean = mean.mean(axis=(1, 2), dtype=np.float32)
        order = tuple(transformer.channel_swap.get("data", (2, 1, 0)))
        return cls(order, mean, np.float32(transformer.input_scale.get("data", 1.0)))

    def limits(self):
        """Lowest and highest value of each network channel that is still a colour."""
        return -self.mean * self.scale, (255 - self.mean) * self.scale

    def difference(self, levels):
        """Turn a difference of grey levels into one of the network's values: a float.

        Parameters
        ----------
        levels : float
        """
        return levels * float(self.scale)


@profile
def preprocess(net, img, out=None):
    """Turn a picture into a network's input.

    Parameters
    ----------
    net : caffe.Classifier
    img : (H, W, 3) array_like
        RGB, 0..255.
    out : (3, H, W) ndarray of float32, optional
        Written to and returned.

    Returns
    -------
    (3, H, W) ndarray of float32
    """
    img = np.asarray(img)
    if out is None:
        out = np.empty((3,) + img.shape[:2], np.float32)
    rule = Preprocessing.of(net)
    for plane, channel, mean in zip(out, rule.order, rule.mean):
        plane[:] = img[..., channel]
        plane -= mean
        plane *= rule.scale
    return out


@profile
def deprocess(net, img, out=None):
    """Turn a network's input back into a picture: the inverse of `preprocess`.

    Parameters
    ----------
    net : caffe.Classifier
    img : (3, H, W) ndarray of float32
    out : (H, W, 3) ndarray of float32, optional
        Written to and returned; must not overlap `img`.

    Returns
    -------
    (H, W, 3) ndarray of float32
        RGB, 0..255 unless the dream ran without clipping.
    """
    if out is None:
        out = np.empty(img.shape[1:] + (3,), np.float32)
    rule = Preprocessing.of(net)
    for plane, channel, mean in zip(img, rule.order, rule.mean):
        picture_plane = out[..., channel]
        np.divide(plane, rule.scale, out=picture_plane)
        picture_plane += mean
    return out
