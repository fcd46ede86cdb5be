"""What every layer is: shapes, a forward and, next to it, its backward.

A layer is given tensors and returns tensors; the net keeps them in blobs. Nothing here knows of
names or order. `Layer` subclasses write their backward out; `Function` subclasses write only the
forward, and PyTorch's autograd differentiates it when a gradient is asked for.

The modules of this package are imported when a net first has a layer of theirs: see `registry`.
"""

from __future__ import annotations

import math
import mmap

import numpy as np
import torch

from dreamlib.errors import CaffeError
from dreamlib.pycaffe.blob import Blob
from dreamlib.pycaffe.layers.registry import (  # noqa: F401  for those who write layers
    LAYERS,
    MODULES,
    layer_class,
    layer_type_list,
    register,
)
from dreamlib.pycaffe.weights import fill
from dreamlib.util.memory import available_memory

#: Values below which a blob is left to PyTorch's own operators: a picture of 64 x 64 starts sooner.
FEW = 1 << 17

#: Values that a blob may have: Caffe counts them by an int.
MOST_VALUES = (1 << 31) - 1


class Layer:
    """One layer of a net.

    Parameters
    ----------
    param : caffe_pb2.LayerParameter
    phase : int
        ``caffe_pb2.TRAIN`` or ``TEST``.
    compute : Compute
        For the layer's own blobs.
    random : numpy.random.RandomState
        For fillers.

    Attributes
    ----------
    type : str
    blobs : list of Blob
        The parameters.
    """

    type = ""
    #: how many bottoms and tops the layer takes: (least, most); None for any number
    bottoms = (1, 1)
    tops = (1, 1)
    #: of the first top in the net's loss, unless the prototxt says otherwise
    loss_weight = 0.0
    #: whether the gradient depends on the bottoms' shapes alone, not on their values
    linear = False
    #: bytes that its parameters take besides, laid out for passes that keep little
    laid_out = 0
    #: bottoms that hold labels or positions, for which ``force_backward`` forces no gradient
    labels = ()
    #: whether the tops' shapes depend on the bottoms' values, too
    shaped_by_values = False
    #: whether the tops have the shapes that `setup` leaves in `shapes`, or that a script gives them
    is_source = False

    def __init__(self, param, phase, compute, random):
        self.param = param
        self.name = param.name
        self.phase = phase
        self.blobs = []
        self.bottom_blobs, self.top_blobs = [], []  # the net's
        self.in_place = bool(param.top) and bool(param.bottom) and param.top[0] == param.bottom[0]
        self._compute = compute
        self._random = random
        self._room = None
        self._check_count("bottom", len(param.bottom), self.bottoms)
        self._check_count("top", len(param.top), self.tops)

    @property
    def steady(self):
        """Whether a pass asks PyTorch alone, and for the same each time: it can be recorded."""
        looks = self.labels or self.shaped_by_values  # at values, on the host
        return not looks and (not self.is_source or self.type == "Input")

    @classmethod
    def suited(cls, param, shapes):
        """Return the class that serves this layer: `cls`, or another one for unusual bottoms.

        Parameters
        ----------
        param : caffe_pb2.LayerParameter
        shapes : list of tuple of int
            Of the bottoms.

        Returns
        -------
        type
        """
        return cls

    def setup(self, shapes):
        """Make the parameter blobs for bottoms of these shapes; see `reshape`."""

    def reshape(self, shapes):
        """Return the shapes of the tops for bottoms of these shapes.

        Parameters
        ----------
        shapes : list of tuple of int

        Returns
        -------
        list of tuple of int
        """
        return [shapes[0]]

    def new_top(self, index, shape):
        """Return a `Blob` of this shape for the top at `index`, where no layer below made it."""
        return Blob(shape, self._compute)

    def forward(self, bottoms):
        """Return the tops' values; in place, the first bottom's tensor may be changed.

        Parameters
        ----------
        bottoms : list of Tensor

        Returns
        -------
        list of Tensor
        """
        raise NotImplementedError

    def backward(self, top_diffs, bottoms, tops, wanted):
        """Return the gradients with respect to the bottoms.

        Parameters
        ----------
        top_diffs : list of Tensor
            Gradients with respect to the tops. A layer that runs in place may write its result
            into the first; so nobody returns them as they are.
        bottoms, tops : list of Tensor
            The blobs' values now; where a layer ran in place the bottom holds the top.
        wanted : list of bool
            For which bottoms a gradient is asked; others may be None in the result.

        Returns
        -------
        list of Tensor
        """
        raise NotImplementedError

    def trace(self, bottoms):
        """Run forward and keep, of what the gradient needs, as little as can be.

        Parameters
        ----------
        bottoms : list of Tensor
            As for `forward`.

        Returns
        -------
        tops : list of Tensor
        kept : object
            For `retrace`, once.
        """
        return self._kept(bottoms, self.forward(bottoms))

    def _kept(self, bottoms, tops):
        return tops, [tuple(x.shape) for x in bottoms] if self.linear else (bottoms, tops)

    def retrace(self, top_diffs, kept, wanted):
        """Return the gradients with respect to the bottoms, as `backward` does.

        Parameters
        ----------
        top_diffs : list of Tensor
            May be written into, and handed down.
        wanted : list of bool
        kept : object
            What `trace` kept.

        Returns
        -------
        list of Tensor
        """
        if self.linear:
            bottoms = [unwritten(shape, top_diffs[0]) for shape in kept]
            return self.backward(top_diffs, bottoms, None, wanted)
        return self.backward(top_diffs, *kept, wanted)

    def parameter_gradients(self, top_diffs, bottoms, tops):
        """Return the gradients with respect to the parameters, for the net to add to their diffs.

        Parameters as for `backward`.

        Returns
        -------
        list of Tensor
        """
        return []

    def room(self, count):
        """Return bytes for what `trace` keeps: the same ones each time.

        They are no part of the heap, where what stays between passes would cut the holes that
        blobs leave into pieces too small for the next ones.

        Parameters
        ----------
        count : int

        Returns
        -------
        (count,) ndarray of uint8
        """
        if self._room is None or len(self._room) < count:
            self._room = None
            self._room = mmap.mmap(-1, max(count, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return np.frombuffer(self._room, np.uint8, count)

    def add_blob(self, shape, filler=None):
        """Append a parameter blob, filled as the prototxt says (zero by default).

        Parameters
        ----------
        shape : tuple of int
        filler : caffe_pb2.FillerParameter, optional
        """
        count, room = math.prod(shape), available_memory() // 4
        if count > min(MOST_VALUES, room):
            raise self.fail(
                f"a parameter of shape {tuple(shape)} has {count} values; expected "
                f"{MOST_VALUES} at most, as in Caffe, and there is memory for {room}"
            )
        blob = Blob(shape, self._compute)
        if filler is not None:
            try:
                fill(blob.data, filler, self._random)
            except CaffeError as error:
                raise self.fail(error) from None
        self.blobs.append(blob)

    def value(self, index, like=None):
        """Parameter `index` as a tensor, in the dtype and on the device of `like`.

        Parameters
        ----------
        index : int
        like : Tensor, optional

        Returns
        -------
        Tensor
        """
        tensor = self.blobs[index].data_tensor
        return tensor if like is None else tensor.to(like.device, like.dtype)

    def fail(self, problem):
        """Build the error that names this layer.

        Parameters
        ----------
        problem : str

        Returns
        -------
        CaffeError
        """
        return CaffeError(f"layer {self.name!r} ({self.type}): {problem}")

    def axis(self, index, dimensions):
        """Resolve a possibly negative axis, as Caffe's CanonicalAxisIndex.

        Parameters
        ----------
        index : int
        dimensions : int
            Number of the blob's axes.

        Returns
        -------
        int
        """
        if not -dimensions <= index < dimensions:
            raise self.fail(f"axis {index} of a blob with {dimensions} axes")
        return index % dimensions

    def _check_count(self, what, given, allowed):
        least, most = allowed
        if given < least or (most is not None and given > most):
            more = "" if least == most else f" to {'any number' if most is None else most}"
            raise self.fail(f"it has {given} {what} blobs and takes {least}{more}")


def kernels_take(tensor):
    """Tell whether `dreamlib.pycaffe.kernels` can work on a tensor, and are worth their import.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    bool
    """
    known = tensor.dtype in (torch.float32, torch.bfloat16)
    dense = tensor.is_contiguous() or (
        tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    )
    return known and dense and tensor.device.type == "cpu" and tensor.numel() >= FEW


def unwritten(shape, like, dtype=None):
    """Return a tensor of a shape that nobody may read: of the type, and on the device, of another.

    Parameters
    ----------
    shape : tuple of int
    like : Tensor
    dtype : torch.dtype, optional
        By default that of `like`.

    Returns
    -------
    Tensor
    """
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=dtype or like.dtype, device=like.device, memory_format=layout)


class Function(Layer):
    """A layer whose gradient is left to autograd: for what is rare or small.

    A subclass writes `function`. Running in place it keeps the input, which the blob loses.
    """

    _input = None

    def function(self, *values):
        """Return the top, or a tuple of tops, of bottoms and then parameters, differentiably."""
        raise NotImplementedError

    def _tops(self, values):
        tops = self.function(*values)
        return list(tops) if isinstance(tops, tuple) else [tops]

    def _parameters(self, like):
        return [self.value(index, like) for index in range(len(self.blobs))]

    def forward(self, bottoms):
        if self.in_place:
            self._input = bottoms[0].clone()
        return self._tops([*bottoms, *self._parameters(bottoms[0])])

    def trace(self, bottoms):
        self._input = None  # it keeps the bottoms themselves
        return self._kept(bottoms, self._tops([*bottoms, *self._parameters(bottoms[0])]))

    def _gradients(self, top_diffs, bottoms, wanted):
        """Differentiate with respect to those bottoms and parameters that `wanted` marks."""
        values = list(bottoms) + self._parameters(bottoms[0])
        if self.in_place and self._input is not None:
            values[0] = self._input
        with torch.enable_grad():
            values = [value.detach().requires_grad_(ask) for value, ask in zip(values, wanted)]
            tops = self._tops(values)
        asked = [value for value in values if value.requires_grad]
        given = {diff.data_ptr() for diff in top_diffs}
        diffs = top_diffs[: len(tops)]
        found = iter(torch.autograd.grad(tops, asked, diffs, allow_unused=True))
        gradients = [next(found) if value.requires_grad else None for value in values]
        for index, (value, gradient, ask) in enumerate(zip(values, gradients, wanted)):
            if ask and gradient is None:
                gradients[index] = torch.zeros_like(value)
            elif ask and gradient.data_ptr() in given:
                gradients[index] = gradient.clone()  # of a sum autograd returns what it was given
        return gradients

    def backward(self, top_diffs, bottoms, tops, wanted):
        asked = list(wanted) + [False] * len(self.blobs)
        return self._gradients(top_diffs, bottoms, asked)[: len(bottoms)]

    def parameter_gradients(self, top_diffs, bottoms, tops):
        asked = [False] * len(bottoms) + [True] * len(self.blobs)
        return self._gradients(top_diffs, bottoms, asked)[len(bottoms) :]
