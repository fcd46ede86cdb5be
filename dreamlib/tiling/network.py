"""Passes through a network for the steps on tiles, and the sums whose last bits depend on where.

`ArrayNetwork` serves any engine, on the arrays of its blobs; `TensorNetwork` ours, on its tensors,
so that nothing leaves the device and nothing waits for it. Both have the same methods.
"""

from __future__ import annotations

import numpy as np

from dreamlib.ascent.objectives import Arrays, Objective, objective_L2
from dreamlib.dream import climb
from dreamlib.imaging import inplace
from dreamlib.models.engines import engine_name
from dreamlib.tiling.transfer import CudaTransfer, HostTransfer
from dreamlib.util.progress import profile


def network_of(net):
    """Return what takes a net's passes.

    Parameters
    ----------
    net : caffe.Classifier

    Returns
    -------
    ArrayNetwork or TensorNetwork
        The latter for our engine.
    """
    return ArrayNetwork(net) if engine_name(net) == "caffe" else TensorNetwork(net)


class ArrayNetwork:
    """Passes on arrays.

    Parameters
    ----------
    net : caffe.Classifier

    Attributes
    ----------
    transfer : HostTransfer
    """

    def __init__(self, net):
        self._net = net
        self.transfer = HostTransfer(tensors=False)

    def reserve(self, pixels):
        """Do nothing: the network has the buffer.

        Parameters
        ----------
        pixels : int
            Of the largest tile.
        """

    def empty(self, count):
        """Make a flat buffer of `count` float32 values on the device.

        Parameters
        ----------
        count : int

        Returns
        -------
        (count,) ndarray or tensor of float32
        """
        return np.empty(count, np.float32)

    def on_device(self, array):
        """Return an array on the device; None stays None.

        Parameters
        ----------
        array : ndarray or None

        Returns
        -------
        ndarray, tensor or None
        """
        return array

    def picture(self, height, width):
        """Return the (3, height, width) float32 buffer that `gradient` is taken at.

        Parameters
        ----------
        height, width : int

        Returns
        -------
        (3, height, width) ndarray or tensor of float32
        """
        blob = self._net.blobs[self._net.inputs[0]]
        blob.reshape(1, 3, height, width)
        return blob.data[0]

    def gradient(self, image, end, objective, part_of=None):
        """Compute an objective's gradient at a picture.

        Parameters
        ----------
        image : (3, h, w) ndarray or tensor of float32
            The buffer that `picture` returned last.
        end, objective
            As for `dreamlib.dream.make_step`.
        part_of : callable, optional
            Of masks: see `Objective.climb`.

        Returns
        -------
        (3, h, w) ndarray or tensor of float32
            The caller may change it.
        """
        climb(self._net, end, objective, part_of)
        return self._net.blobs[self._net.inputs[0]].diff[0]

    def sums(self, gradient, squares):
        """Return the sum of a gradient's absolute values, then `squares`: a vector of float64.

        Parameters
        ----------
        gradient : (3, h, w) ndarray or tensor of float32
            May be a view.
        squares : list of scalars

        Returns
        -------
        (1 + len(squares),) ndarray or tensor of float64
        """
        return np.array([sum_abs(gradient), *squares], np.float64)

    def mean_abs(self, gradient):
        """Return the mean of a contiguous gradient's absolute values: a scalar.

        Parameters
        ----------
        gradient : (3, h, w) ndarray or tensor of float32

        Returns
        -------
        float or 0-d tensor
        """
        return inplace.mean_abs(gradient)

    def grown(self, mean, first, last):
        """Return a mean times the growth of a sum from `first` to `last`; of 0 nothing grows.

        Parameters
        ----------
        mean : float
        first, last : scalars

        Returns
        -------
        float or 0-d tensor
        """
        return float(mean * (last / first if first else 1))  # numpy's own would widen float32

    def as_factor(self, mean):
        """Return a mean as what float32 values are multiplied by.

        Parameters
        ----------
        mean : scalar

        Returns
        -------
        float or 0-d tensor
        """
        return mean

    def ascend(self, image, gradient, change, mean):
        """Take a step: the picture changes by `change` where the gradient is `mean`, in place.

        Parameters
        ----------
        image, gradient : (3, h, w) ndarray or tensor of float32
            Both are changed.
        change : float
            In the network's values.
        mean : scalar
            As `mean_abs` and `grown` return it.
        """
        if mean > 0:  # where nothing is active there is nowhere to climb
            inplace.add_scaled(image, gradient, change / mean)

    def scale(self, gradient, change, mean):
        """Make a gradient the step that `ascend` would take, in place.

        Parameters
        ----------
        gradient : (3, h, w) ndarray or tensor of float32
            Changed.
        change, mean
            As for `ascend`.
        """
        gradient *= change / mean if mean > 0 else 0

    def limit(self, image, limits):
        """Keep the channels of a picture within (lowest, highest), (3,) each, in place.

        Parameters
        ----------
        image : (3, h, w) ndarray or tensor of float32
            Changed.
        limits : (lowest, highest)
        """
        inplace.clip(image, *limits)


class TensorNetwork:
    """Passes on the tensors of our engine; its methods are `ArrayNetwork`'s.

    On the CPU the results have the bits of `ArrayNetwork`'s. The blobs' arrays hold nothing of use
    afterwards. Objectives that are no `Objective` act on the blob's arrays, for which the
    activations travel to the host and their gradient back.

    Parameters
    ----------
    net : dreamlib.pycaffe.Classifier
    """

    def __init__(self, net):
        import torch

        from dreamlib.pycaffe.device import current_device, plain_gpu
        from dreamlib.tiling.recording import CudaRecorder, Recordings

        self._torch, self._net = torch, net
        self._device = current_device()
        on_cpu = self._device.type == "cpu"
        self.transfer = HostTransfer(tensors=True) if on_cpu else CudaTransfer(self._device)
        self._image, self._recordings = None, None
        if self._device.type == "cuda" and not plain_gpu():
            self._recordings = Recordings(CudaRecorder(self._device))

    def reserve(self, pixels):
        """Make room for a picture; what was there goes first.

        Parameters
        ----------
        pixels : int
            Of the largest tile.
        """
        self._image = None
        if self._recordings:
            self._recordings.forget()  # they read the picture where it was
        self._image = self.empty(3 * pixels)

    def empty(self, count):
        return self._torch.empty(count, device=self._device)

    def on_device(self, array):
        return None if array is None else self._torch.as_tensor(array, device=self._device)

    def picture(self, height, width):
        return self._image[: 3 * height * width].view(3, height, width)

    def gradient(self, image, end, objective, part_of=None):
        def pass_():
            return self._pass(image, end, objective, part_of)

        if not self._recordings or not self._steady(end, objective):
            return pass_()
        key = tuple(image.shape), image.data_ptr(), end, objective, self._versions()
        return self._recordings.run(key, pass_)

    def _steady(self, end, objective):
        """Tell whether a pass asks PyTorch alone, and for the same each time."""
        layers = [end]
        if isinstance(objective, Objective):
            layers = objective.layers
            if not all(term.steady and term.mask is None for term in objective.terms):
                return False
        elif objective is not objective_L2:
            return False  # it acts on arrays
        last = max(map(self._net.layer_index, layers))
        return all(layer.steady for layer in self._net.layers[: last + 1])

    def _versions(self):
        """Count how often the weights may have changed."""
        blobs = (blob for layer in self._net.layers for blob in layer.blobs)
        return sum(blob.data_memory.version for blob in blobs)

    @profile
    def _pass(self, image, end, objective, part_of):
        source = self._net.blobs[self._net.inputs[0]]
        source.reshape(1, *image.shape)
        source.data_tensor = image[None]
        if isinstance(objective, Objective):
            objective.climb(Tensors(self._net), part_of)
            return source.diff_tensor[0].float().contiguous()
        layer = self._net.layer_index(end)
        blob = self._net.blobs[end]
        self._net.forward_range(0, layer)
        if objective is objective_L2:
            # A copy, since a layer in place writes its gradient over the one it is given.
            blob.diff_tensor = blob.data_tensor.clone()
        else:
            objective(blob)
        self._net.backward_range(layer, 0)
        return source.diff_tensor[0].float().contiguous()

    def sums(self, gradient, squares):
        if self._device.type == "cpu":  # in numpy's order of addition
            total = self._torch.tensor(sum_abs(gradient.numpy()), dtype=self._torch.float64)
        else:
            total = self._torch.linalg.vector_norm(gradient, 1, dtype=self._torch.float64)
        return self._torch.stack([total, *(square.double() for square in squares)])

    def mean_abs(self, gradient):
        if self._device.type == "cpu":
            return self._torch.as_tensor(inplace.mean_abs(gradient.numpy()))
        total = self._torch.linalg.vector_norm(gradient, 1, dtype=self._torch.float64)
        return total / gradient.numel()

    def grown(self, mean, first, last):
        growth = self._torch.where(first > 0, last / first, 1.0)
        return mean * self._torch.as_tensor(growth, dtype=self._torch.float64)

    def as_factor(self, mean):
        return mean.float()

    def ascend(self, image, gradient, change, mean):
        self.scale(gradient, change, mean)
        image += gradient

    def scale(self, gradient, change, mean):
        # Not number / tensor, which PyTorch takes for number * (1 / tensor) and rounds twice.
        change = self._torch.as_tensor(change, dtype=mean.dtype)
        scale = self._torch.div(change, mean)
        gradient *= self._torch.where(mean > 0, scale, 0.0)

    def limit(self, image, limits):
        for plane, low, high in zip(image, *limits):
            plane.clamp_(float(low), float(high))


class Tensors(Arrays):
    """Passes through a net of our engine, on the tensors of its blobs."""

    def forward(self, index, read):
        self.net.forward_range(0, index, read)

    def backward(self, start, end):
        self.net.backward_range(start, end)

    def clear(self, blobs):
        for name in blobs:
            blob = self.net.blobs[name]
            blob.diff_tensor = blob.diff_tensor.new_zeros(blob.shape)

    def add(self, term, part_of):
        blob = self.net.blobs[term.layer]
        # A copy, since layers share what they hand down.
        diff = blob.diff_tensor.clone()
        weight = self.weight(term, part_of)
        if term.mask:
            import torch

            weight = torch.as_tensor(weight, device=diff.device)
        term.add_gradient(blob.data_tensor, diff, weight)
        blob.diff_tensor = diff


def sum_abs(gradient):
    """Sum the absolute values of an ndarray (3, h, w), in double precision: a float.

    Parameters
    ----------
    gradient : (3, h, w) ndarray

    Returns
    -------
    float
    """
    return sum(float(np.abs(plane).sum(dtype=np.float64)) for plane in gradient)
