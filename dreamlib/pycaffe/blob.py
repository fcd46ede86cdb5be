"""Blobs: what a script sees as float32 numpy arrays and the layers as tensors.

Each half of a blob, data and diff, is a `Memory`. Layers put tensors in and take tensors out, in
the net's precision, on its device, in whatever layout suits them. An array exists from the moment a
script first asks for it: from then on the array is the memory on the CPU (writes by either side are
seen by the other at once, as in Caffe), and on the GPU the two are synchronised when the other side
asks, as Caffe's SyncedMemory does.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch

from dreamlib.errors import CaffeError


@dataclasses.dataclass
class Compute:
    """Where and in what precision a net computes; one object shared by its blobs."""

    device: torch.device
    dtype: torch.dtype
    reshapes: int = 0  #: rises where a blob changes its shape


class Memory:
    """One half of a blob, zero until something is written.

    Parameters
    ----------
    shape : tuple of int
    compute : Compute
    """

    def __init__(self, shape, compute):
        self.shape = tuple(shape)
        self._compute = compute
        self._array = None
        self._tensor = None
        self._array_is_stale = False
        self._is_gone = False
        self.version = 0  # rises where the values may have changed

    def array(self):
        """Return the float32 array a script reads and writes; it outdates any tensor."""
        self._require()
        self.version += 1
        if self._array is None:
            self._array = np.zeros(self.shape, np.float32)
            self._array_is_stale = self._tensor is not None
        if self._array_is_stale:
            torch.from_numpy(self._array).copy_(self._tensor)
            self._array_is_stale = False
        self._tensor = None
        return self._array

    def tensor(self):
        """Return the values for a layer: on the net's device, in its precision."""
        self._require()
        wanted = self._compute
        if self._tensor is not None:
            if self._tensor.device == wanted.device and self._tensor.dtype == wanted.dtype:
                return self._tensor
            return self._tensor.to(wanted.device, wanted.dtype)
        if self._array is None:
            return torch.zeros(self.shape, device=wanted.device, dtype=wanted.dtype)
        tensor = torch.from_numpy(self._array)
        if wanted.device.type == "cpu":
            return tensor.to(wanted.dtype)  # the array itself in float32
        self._tensor = tensor.to(wanted.device, wanted.dtype)
        return self._tensor

    def put(self, tensor):
        """Take over what a layer computed.

        Parameters
        ----------
        tensor : Tensor
            Kept, not copied, where that can be.

        Raises
        ------
        CaffeError
            The tensor has another shape.
        """
        if tensor.shape != self.shape:
            raise CaffeError(f"a layer gave shape {tuple(tensor.shape)} for a blob of {self.shape}")
        self._is_gone = False
        self.version += 1
        if self._array is None or tensor.device.type != "cpu":
            self._tensor = tensor
            self._array_is_stale = self._array is not None
        else:
            target = torch.from_numpy(self._array)
            if target.data_ptr() != tensor.data_ptr():
                target.copy_(tensor)
            self._tensor = None

    @property
    def has_array(self):
        """Whether a script has asked for the array, which it may still look at."""
        return self._array is not None

    def free(self):
        """Forget what a layer computed, unless a script holds the array. Reads as zero again."""
        if self._array is None:
            self._tensor = None

    def expend(self):
        """Free what a pass has used up, so that reading it again is an error, not zero."""
        if self._array is None:
            self._tensor = None
            self._is_gone = True

    def _require(self):
        if self._is_gone:
            raise CaffeError(
                "a pass has freed this blob's data; run forward again first, or keep everything: "
                "net.keep_intermediates = True"
            )

    def reshape(self, shape):
        """Change the shape; the values stay where their number does, else they are zero.

        Parameters
        ----------
        shape : tuple of int
        """
        shape = tuple(shape)
        if shape == self.shape:
            return
        same_count = math.prod(shape) == math.prod(self.shape)
        self.shape = shape
        self._compute.reshapes += 1
        self._is_gone = False
        if not same_count:
            self._array = self._tensor = None
            self._array_is_stale = False
        if self._array is not None:
            self._array = self._array.reshape(shape)
        if self._tensor is not None:
            self._tensor = self._tensor.reshape(shape)


def _array_of(half):
    """Return the property of `Blob` that is an array: to be changed, not to be exchanged."""

    def refuse(blob, values):
        raise AttributeError(f"assign into the array: blob.{half}[...] = values")

    return property(lambda blob: getattr(blob, f"{half}_memory").array(), refuse)


def _tensor_of(half):
    return property(
        lambda blob: getattr(blob, f"{half}_memory").tensor(),
        lambda blob, tensor: getattr(blob, f"{half}_memory").put(tensor),
    )


def _legacy_axis(axis):
    def length(blob):
        axes = len(blob.shape)
        if axes > 4:
            raise CaffeError(f"a blob of {axes} axes has no num, channels, height, width")
        return blob.shape[axis] if axis < axes else 1

    return property(length)


class Blob:
    """A named array of the network and the gradient with respect to it.

    Parameters
    ----------
    shape : tuple of int
    compute : Compute

    Attributes
    ----------
    data, diff : ndarray of float32
        C-contiguous and writable. Read them after a pass, write them before it; on the GPU ask for
        the attribute again after each pass, since the array is only then brought up to date.
    data_tensor, diff_tensor : Tensor
        The same values as layers see them: on the net's device, in its precision; not to be changed
        in place. A tensor of the blob's shape may be assigned, and is kept, not copied, where that
        can be. An extension.
    num, channels, height, width : int
        Lengths of the first four axes; 1 where there is none.
    """

    def __init__(self, shape, compute):
        self.data_memory = Memory(shape, compute)
        self.diff_memory = Memory(shape, compute)

    data, diff = map(_array_of, ("data", "diff"))
    data_tensor, diff_tensor = map(_tensor_of, ("data", "diff"))

    @property
    def shape(self):
        """The axes' lengths, a tuple as real pycaffe's behaves like."""
        return self.data_memory.shape

    @property
    def count(self):
        """Number of elements."""
        return math.prod(self.shape)

    num, channels, height, width = map(_legacy_axis, range(4))

    def reshape(self, *shape):
        """Change the shape; layers above follow on the next pass or `Net.reshape`.

        Parameters
        ----------
        *shape : int
            Values are kept where their number stays the same.

        Raises
        ------
        CaffeError
            A length is negative.
        """
        shape = tuple(int(length) for length in shape)
        if any(length < 0 for length in shape):
            raise CaffeError(f"a blob cannot have shape {shape}: lengths are not negative")
        self.data_memory.reshape(shape)
        self.diff_memory.reshape(shape)
