"""What a dream maximises: weighted sums of small functions of layers.

>>> objective = l2("inception_4c/output") + 0.3 * l2("inception_3b/5x5_reduce") - mean("pool1")
>>> print(objective)
inception_4c/output, inception_3b/5x5_reduce:0.3, mean(pool1):-1

A term's function adds its gradient to a blob's diff; the objective runs backward through the net
once, whatever its layers, and stops at each of them to have its term added. Functions take numpy's
arrays and PyTorch's tensors alike.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np

from dreamlib.errors import DreamError


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
    add_gradient: Callable  #: of (data, diff, weight): adds weight times the gradient to diff
    weight: float
    text: str  #: as it is written, without the weight

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

    def climb(self, run):
        """Compute the gradient of this with respect to the picture in the net.

        Parameters
        ----------
        run : Arrays
            Or what does the same on tensors. Its net's ``data`` blob has the gradient afterwards.

        Notes
        -----
        A layer below the deepest is seen as the layers above see it: after a ReLU that works in
        place on it. The deepest is seen before, as in the notebook.
        """
        stops = self._stops(run.net)
        deepest = stops[0][0]
        run.forward(deepest)
        run.clear(unread_blobs(run.net, deepest))
        for number, (index, terms) in enumerate(stops):
            for term in terms:
                run.add(term)
            last = number + 1 == len(stops)
            run.backward(index, 0 if last else stops[number + 1][0] + 1)

    def _stops(self, net):
        """Return where terms are added on the way down: (index of layer, its terms), descending."""
        names = list(net._layer_names)
        deepest = max(names.index(layer) for layer in self.layers)
        stops = {}
        for term in self.terms:
            index = names.index(term.layer)
            if index != deepest:
                index = max(
                    [index]
                    + [
                        later
                        for later, name in enumerate(names[: deepest + 1])
                        if term.layer in net.top_names[name]
                        and term.layer in net.bottom_names[name]
                    ]
                )
            stops.setdefault(index, []).append(term)
        return sorted(stops.items(), reverse=True)


def unread_blobs(net, deepest):
    """List the blobs that layers up to index `deepest` make and none of them reads.

    Nothing writes their diff on the way down, where an earlier pass may have left something.

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
    read = {bottom for name in names for bottom in net.bottom_names[name]
            if bottom not in net.top_names[name]}  # fmt: skip
    return [blob for blob in dict.fromkeys(made) if blob not in read]


class Arrays:
    """Passes through a net of any engine, on the arrays of its blobs."""

    def __init__(self, net):
        self.net = net
        self._names = list(net._layer_names)

    def forward(self, index):
        """Run the layers up to an index.

        Parameters
        ----------
        index : int
        """
        self.net.forward(end=self._names[index])

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

    def add(self, term):
        """Add a term's gradient to its blob's diff.

        Parameters
        ----------
        term : Term
        """
        blob = self.net.blobs[term.layer]
        term.add_gradient(blob.data, blob.diff, term.weight)


# The functions.


def l2(layer, channels=None):
    """Half the squared L2 norm of a layer, or of some of its channels.

    Parameters
    ----------
    layer : str
    channels : list of int, optional
    """
    chosen = slice(None) if channels is None else list(channels)

    def add(data, diff, weight):
        diff[:, chosen] += weight * data[:, chosen]

    return Objective([Term(layer, add, 1.0, layer + _written(channels))])


def mean(layer, channels=None):
    """Mean of a layer, or of some of its channels: activations count alike, weak or strong.

    Parameters
    ----------
    layer : str
    channels : list of int, optional
    """
    chosen = slice(None) if channels is None else list(channels)

    def add(data, diff, weight):
        count = 1
        for length in data[:, chosen].shape:
            count *= length
        diff[:, chosen] += weight / count

    return Objective([Term(layer, add, 1.0, f"mean({layer}{_written(channels)})")])


def neuron(layer, channel, x=None, y=None):
    """One activation: a channel at column `x` and row `y`, by default in the middle.

    Parameters
    ----------
    layer : str
    channel : int
    x, y : int, optional
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
    return Objective([Term(layer, add, 1.0, f"{layer}[{channel}]{where}")])


#: Elements of the matrix of dot products that a guide makes at once: 64 MB of float32.
MATCHES = 1 << 24


def guide(layer, features, name="guide"):
    """Make every place of a layer more like the best matching place of a guide picture.

    The notebook's: the gradient at a place is the guide's feature vector with the largest dot
    product with the activations there. Dot products are made for some places at a time.

    Parameters
    ----------
    layer : str
    features : (C, h, w) ndarray of float32
        The layer's activations for the guide picture.
    name : str
        Written for it.
    """
    theirs = features.reshape(len(features), -1)
    step = max(1, MATCHES // theirs.shape[1])
    held = {}  # the same on another device

    def add(data, diff, weight):
        wanted = _like(theirs, data, held)
        ours = data[0].reshape(len(theirs), -1)
        target = diff[0].reshape(len(theirs), -1)
        for start in range(0, ours.shape[1], step):
            matches = ours[:, start : start + step].T @ wanted
            target[:, start : start + step] += weight * wanted[:, matches.argmax(1)]

    return Objective([Term(layer, add, 1.0, f"{name}({layer})")])


def channel_guide(layer, features, name="channels"):
    """Excite each channel of a layer as much as a guide picture does, wherever in the picture.

    Cheaper than `guide`: only the guide's mean over each channel counts.
    """
    means = features.reshape(len(features), -1).mean(axis=1)[None, :, None, None]
    held = {}

    def add(data, diff, weight):
        diff[:] += weight * _like(means, data, held)

    return Objective([Term(layer, add, 1.0, f"{name}({layer})")])


def _like(array, data, held):
    """Return an array as what `data` is: an ndarray, or a tensor on its device."""
    if isinstance(data, np.ndarray):
        return array
    key = (data.device, data.dtype)
    if key not in held:
        held[key] = data.new_tensor(array)
    return held[key]


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
    """
    objective = Objective([])
    for index, weight in targets:
        objective += weight * mean(layer, [index])
    return objective
