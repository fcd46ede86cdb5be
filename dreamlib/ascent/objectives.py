"""Objectives, which a dream maximises: weighted sums of small functions of layers.

>>> objective = l2("inception_4c/output") + 0.3 * l2("inception_3b/5x5_reduce") - mean("pool1")
>>> print(objective)
inception_4c/output, inception_3b/5x5_reduce:0.3, mean(pool1):-1

A term's function adds its gradient to a blob's diff, numpy's array or PyTorch's tensor. The
objective runs backward through the net once, whatever its layers, and stops at each of them to have
its term added.
"""

from __future__ import annotations

import math
from typing import Any, Callable, NamedTuple

import numpy as np

from dreamlib.ascent.mask import over_grid
from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Window


def objective_L2(dst):
    """Maximise half the squared L2 norm of a blob: the notebook's objective.

    Its gradient is the activation itself, so whatever the network sees it sees more of.

    Parameters
    ----------
    dst : caffe.Blob
        ``dst.diff`` is overwritten with ``dst.data``.
    """
    dst.diff[:] = dst.data


class Term(NamedTuple):
    """One function of one layer."""

    layer: str
    #: Given (data, diff, weight), adds weight times the gradient to diff. With a mask the weight is
    #: an array or a tensor (h, w), of each place of the layer.
    add_gradient: Callable
    weight: float
    text: str  #: spelling on the command line, without the weight
    mask: Any = None  #: a `dreamlib.ascent.mask.Mask` of where it counts; None is everywhere
    #: Whether `add_gradient` does the same on tensors each time, and asks the host for nothing.
    steady: bool = False

    def __str__(self):
        return self.text if self.weight == 1 else f"{self.text}:{self.weight:g}"


class Objective:
    """A weighted sum of terms; made by the functions below, by ``+``, ``-`` and ``*``.

    Parameters
    ----------
    terms : iterable of Term
    """

    def __init__(self, terms):
        self.terms = tuple(terms)

    def __add__(self, other):
        return Objective(self.terms + other.terms)

    def __sub__(self, other):
        return self + -1 * other

    def __mul__(self, factor):
        return Objective(term._replace(weight=term.weight * factor) for term in self.terms)

    __rmul__ = __mul__

    def __neg__(self):
        return -1 * self

    def __str__(self):
        return ", ".join(map(str, self.terms))

    def __repr__(self):
        return f"Objective({self})"

    @property
    def layers(self):
        """Names of the layers, each once."""
        return list(dict.fromkeys(term.layer for term in self.terms))

    def climb(self, run, part_of=None):
        """Compute the gradient of this with respect to the picture in the net.

        Parameters
        ----------
        run : Arrays
            Or its like on tensors. Afterwards the gradient is in the diff of the ``data`` blob.
        part_of : callable, optional
            Given a `Mask`, returns the part of it that lies over what the net sees: (h, w) ndarray.
            By default the net sees all of the masked picture.

        Notes
        -----
        A layer below the deepest is maximised as the layers above see it: after a ReLU that works
        in place on it. The deepest is maximised before such a ReLU, as in the notebook.
        """
        stops = self._stops(run.net)
        deepest = stops[0][0]
        run.forward(deepest, self.layers)
        run.clear(unread_blobs(run.net, deepest))
        for number, (index, terms) in enumerate(stops):
            for term in terms:
                run.add(term, part_of or run.whole)
            last = number + 1 == len(stops)
            run.backward(index, 0 if last else stops[number + 1][0] + 1)

    def _stops(self, net):
        """Return where terms are added on the way down: [(index of layer, terms)], descending."""
        stops = {}
        for term in self.terms:
            stops.setdefault(seen_after(net, term.layer, self.layers), []).append(term)
        return sorted(stops.items(), reverse=True)


def seen_after(net, layer, layers):
    """Return the layer after which an objective of several looks at the blob of one of them.

    Parameters
    ----------
    net : caffe.Net
    layer : str
    layers : list of str
        All of the objective's.

    Returns
    -------
    int
        Index of that layer: the last that works in place on the blob. Of the deepest, its own.
    """
    names = list(net._layer_names)
    index, deepest = names.index(layer), max(map(names.index, layers))
    if index != deepest:
        for later in range(index + 1, deepest + 1):
            name = names[later]
            if layer in net.top_names[name] and layer in net.bottom_names[name]:
                index = later
    return index


def unread_blobs(net, deepest):
    """List the blobs that layers up to index `deepest` make and none of them reads.

    No pass down writes their diffs, so those of an earlier pass must be cleared.

    Parameters
    ----------
    net : caffe.Net
    deepest : int

    Returns
    -------
    list of str
    """
    names = list(net._layer_names)[: deepest + 1]
    made = [top for name in names for top in net.top_names[name]]
    read = {
        bottom
        for name in names
        for bottom in net.bottom_names[name]
        if bottom not in net.top_names[name]
    }
    return [blob for blob in dict.fromkeys(made) if blob not in read]


class Arrays:
    """Passes through a net of any engine, on the arrays of its blobs.

    Parameters
    ----------
    net : caffe.Net
    """

    def __init__(self, net):
        self.net = net
        self._names = list(net._layer_names)

    def forward(self, index, read):
        """Run the layers up to an index.

        Parameters
        ----------
        index : int
        read : list of str
            Blobs whose data terms look at.
        """
        self.net.forward(end=self._names[index], blobs=read)

    def backward(self, start, end):
        """Run the layers from an index down to another, both included.

        Parameters
        ----------
        start, end : int
        """
        self.net.backward(start=self._names[start], end=self._names[end])

    def clear(self, blobs):
        """Set the diffs of blobs to zero.

        Parameters
        ----------
        blobs : list of str
        """
        for name in blobs:
            self.net.blobs[name].diff[...] = 0

    def add(self, term, part_of):
        """Add a term's gradient to its blob's diff.

        Parameters
        ----------
        term : Term
        part_of : callable
            See `Objective.climb`.
        """
        blob = self.net.blobs[term.layer]
        term.add_gradient(blob.data, blob.diff, self.weight(term, part_of))

    def weight(self, term, part_of):
        """Return a term's weight; with a mask that of each place of its layer: (h, w) ndarray.

        Parameters
        ----------
        term, part_of
            As for `add`.

        Returns
        -------
        float or ndarray of float32
        """
        if term.mask is None:
            return term.weight
        grid = tuple(self.net.blobs[term.layer].shape)[2:]
        return over_grid(part_of(term.mask), grid) * np.float32(term.weight)

    def whole(self, mask):
        """Return all of a mask, stretched over what the net sees: (h, w) ndarray of float32.

        Parameters
        ----------
        mask : dreamlib.ascent.mask.Mask
        """
        size = tuple(self.net.blobs[self.net.inputs[0]].shape)[2:]
        return mask.part(Window(0, 0, *size), size)


def like_data(array, data, held):
    """Return an array as what `data` is: an ndarray, or a tensor on its device.

    Parameters
    ----------
    array : ndarray
    data : ndarray or tensor
    held : dict
        Of what was made before, which is kept there.

    Returns
    -------
    ndarray or tensor
    """
    if isinstance(data, np.ndarray):
        return array
    key = (data.device, data.dtype)
    if key not in held:
        held[key] = data.new_tensor(array)
    return held[key]


def l2(layer, channels=None):
    """Half the squared L2 norm of a layer, or of some of its channels.

    Parameters
    ----------
    layer : str
    channels : list of int, optional

    Returns
    -------
    Objective
    """
    held = {}

    def add(data, diff, weight):
        chosen = _channels_of(channels, data, held)
        diff[:, chosen] += weight * data[:, chosen]

    return Objective([Term(layer, add, 1.0, layer + _written(channels), steady=True)])


def mean(layer, channels=None):
    """Mean of a layer, or of some of its channels: strong and weak activations count alike.

    Parameters
    ----------
    layer : str
    channels : list of int, optional

    Returns
    -------
    Objective
    """
    held = {}

    def add(data, diff, weight):
        chosen = _channels_of(channels, data, held)
        diff[:, chosen] += weight / math.prod(data[:, chosen].shape)

    return Objective([Term(layer, add, 1.0, f"mean({layer}{_written(channels)})", steady=True)])


def neuron(layer, channel, x=None, y=None):
    """One activation: a channel at column `x` and row `y`, by default in the middle.

    Parameters
    ----------
    layer : str
    channel : int
    x, y : int, optional

    Returns
    -------
    Objective
        Its gradient raises a DreamError where the layer has no such place.
    """

    def add(data, diff, weight):
        place = (0, channel)
        if len(data.shape) == 4:
            height, width = data.shape[2:]
            row, column = (height // 2 if y is None else y), (width // 2 if x is None else x)
            if row >= height or column >= width:
                raise DreamError(
                    f"layer {layer!r} has {width} x {height} neurons in a channel here; there is "
                    f"none at column {column}, row {row}"
                )
            place += (row, column)
        diff[place] += weight

    where = "@" if x is None else f"@{x}x{y}"
    return Objective([Term(layer, add, 1.0, f"{layer}[{channel}]{where}", steady=True)])


def _channels_of(channels, data, held):
    """Return what chooses channels, a list or None for all, of an ndarray or a tensor.

    A GPU gets a list's numbers once, and keeps them in `held`: else it would at each step.
    """
    if channels is None:
        return slice(None)
    if isinstance(data, np.ndarray):
        return list(channels)
    if data.device not in held:
        import torch

        held[data.device] = torch.as_tensor(list(channels), device=data.device)
    return held[data.device]


def _written(channels):
    return "" if channels is None else "[" + ",".join(map(str, channels)) + "]"


def class_scores(layer, targets):
    """Weighted sum of the scores of classes.

    Parameters
    ----------
    layer : str
        Of the scores before the softmax, (1, K) or a map of them (1, K, h, w); over a map a score
        is the map's mean, so that the objective does not grow with the picture.
    targets : iterable of (int, float)
        Number of the class, and its weight; below 0 the class is avoided.

    Returns
    -------
    Objective
    """
    objective = Objective([])
    for index, weight in targets:
        objective += weight * mean(layer, [index])
    return objective
