"""`Net`: a network read from a prototxt, run forwards and backwards between any two layers."""

from __future__ import annotations

import itertools
import os
from collections import OrderedDict

import numpy as np
import torch

from dreamlib.errors import CaffeError, CaffeValueError, nearest
from dreamlib.pycaffe.blob import Compute
from dreamlib.pycaffe.device import current_device, retain_freed_memory
from dreamlib.pycaffe.hooks import Hooks
from dreamlib.pycaffe.private import Underscored
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.prototxt import load_net
from dreamlib.pycaffe.weights import copy_weights, read_weights, write_weights

PRECISIONS = ("float32", "bfloat16", "float16")


class Net(Underscored, Hooks):
    """A Caffe network.

    ``Net(prototxt, phase)``, ``Net(prototxt, weights, phase)`` and ``Net(prototxt, phase, level,
    stages, weights)`` as in pycaffe, all also by keyword.

    Parameters
    ----------
    network_file : str, bytes or PathLike
        A prototxt of any age.
    phase : {TRAIN, TEST}
    weights : str, bytes or PathLike, optional
        A caffemodel of any age.
    level, stages : int, list of str
        Choose layers by the prototxt's include and exclude rules.
    precision : {'float32', 'bfloat16', 'float16'}
        What layers compute in; arrays stay float32. An extension.
    definition : caffe_pb2.NetParameter, optional
        The prototxt, parsed already; the file is then named in errors only. An extension.

    Attributes
    ----------
    blobs : OrderedDict of str -> Blob
    params : OrderedDict of str -> list of Blob
    layers : list of Layer
    layer_dict : OrderedDict of str -> Layer
    inputs, outputs : list of str
    top_names, bottom_names : OrderedDict of str -> list of str
        The blobs that each layer writes and reads.
    keep_intermediates : bool
        Keep data and diff of every blob, as Caffe does (the default). False keeps, of what
        `forward` computes, what `backward` needs, once: the signs behind a ReLU, the winners of
        pooling windows; and the blobs that were asked for. Other data is refused until the next
        `forward`, a freed diff reads as zero. Blobs whose array a script has asked for stay, and so
        do inputs. Weights are laid out anew when `data` of their blob was asked for. An extension.
    compute_param_diffs : bool
        Whether `backward` adds to the diffs of the parameters: by default in phase TRAIN alone
        (Caffe does so in TEST too, and one half of its work is wasted on it). An extension.

    Raises
    ------
    CaffeError
        File, layer and shapes are named where Caffe would end the process.
    """

    def __init__(
        self,
        network_file,
        *args,
        phase=None,
        weights=None,
        level=None,
        stages=None,
        precision="float32",
        definition=None,
    ):
        for value in args:
            if isinstance(value, (str, bytes, os.PathLike)) and weights is None:
                weights = value
            elif isinstance(value, int) and phase is None:
                phase = value
            elif isinstance(value, int) and level is None:
                level = value
            elif isinstance(value, (list, tuple)) and stages is None:
                stages = value
            else:
                raise CaffeError(
                    f"Net() got {value!r}; the forms are Net(prototxt, phase), Net(prototxt, "
                    "weights, phase) and Net(prototxt, phase, level, stages, weights)"
                )
        if phase not in (caffe_pb2.TRAIN, caffe_pb2.TEST):
            raise CaffeError(f"phase is {phase!r}; it must be caffe.TRAIN or caffe.TEST")
        if precision not in PRECISIONS:
            raise CaffeError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")

        retain_freed_memory()
        source = os.fsdecode(network_file)
        net_param = load_net(source, phase, level or 0, tuple(stages or ()), definition)
        compute = Compute(current_device(), getattr(torch, precision))
        super().__init__(net_param, phase, source, compute)
        if weights is not None:
            self.copy_from(weights)

    @property
    def blob_loss_weights(self):
        """Weight of each blob in the net's loss."""
        return OrderedDict((name, self._loss_weights.get(name, 0.0)) for name in self.blobs)

    # -- weights ----------------------------------------------------------------------------------

    def copy_from(self, weights):
        """Load the parameters of equally named layers from a caffemodel; others are ignored.

        Of layers of one name the first that has parameters takes them.

        Parameters
        ----------
        weights : str, bytes or PathLike
            Path of the caffemodel.
        """
        path = os.fsdecode(weights)
        copy_weights(self._first_params(), read_weights(path), path)

    def _first_params(self):
        first = {}
        for layer in self.layers:
            if layer.blobs:
                first.setdefault(layer.param.name, layer.blobs)
        return first

    def share_with(self, other):
        """Use the parameters of another net's equally named layers, not copies of them.

        Parameters
        ----------
        other : Net

        Raises
        ------
        CaffeError
            A parameter has another shape there.
        """
        others = other._first_params()
        for name, blobs in self._first_params().items():
            for own, theirs in zip(blobs, others.get(name, ())):
                if own.shape != theirs.shape:
                    raise CaffeError(
                        f"layer {name!r} cannot share parameters: {own.shape} here, "
                        f"{theirs.shape} there"
                    )
                own.data_memory = theirs.data_memory

    def save(self, path):
        """Write a caffemodel with the layers and their parameters.

        Parameters
        ----------
        path : str, bytes or PathLike
        """
        path = os.fsdecode(path)
        stored = [(layer.param, [blob.data for blob in layer.blobs]) for layer in self.layers]
        write_weights(path, self.name, stored)

    def clear_param_diffs(self):
        """Set the diffs of all parameters to zero."""
        for blob in itertools.chain.from_iterable(layer.blobs for layer in self.layers):
            blob.diff[...] = 0

    def save_hdf5(self, path):
        """Write the parameters as HDF5. Needs the package h5py.

        Parameters
        ----------
        path : str
        """
        from dreamlib.pycaffe.hdf5 import write_hdf5

        write_hdf5(path, {name: [b.data for b in blobs] for name, blobs in self.params.items()})

    def load_hdf5(self, path):
        """Load the parameters of equally named layers from HDF5. Needs the package h5py.

        Parameters
        ----------
        path : str
        """
        from dreamlib.pycaffe.hdf5 import read_hdf5

        copy_weights(self.params, read_hdf5(path), str(path))

    def set_input_arrays(self, data, labels):
        """Give pictures and labels to the MemoryData layer that the net begins with.

        Parameters
        ----------
        data : (M, C, H, W) ndarray of float32
            M is a multiple of the layer's batch; each forward takes the next batch.
        labels : (M,) or (M, 1, 1, 1) ndarray of float32

        Raises
        ------
        CaffeError
            The net begins with another layer, or the arrays have another shape or type.
        """
        if not self.layers or self.layers[0].type != "MemoryData":
            raise CaffeError(
                "set_input_arrays gives pictures to a MemoryData layer, and this net does not "
                "begin with one; write into net.blobs[name].data of its Input layer"
            )
        for name, array in ("data", data), ("labels", labels):
            if getattr(array, "dtype", None) != np.float32:
                raise CaffeError(f"{name} must be an array of float32: np.float32({name})")
        self.layers[0].set_arrays(data, labels)

    # -- running ----------------------------------------------------------------------------------

    def layer_index(self, layer):
        """Return the position of a layer, as `forward_range` counts. An extension.

        Parameters
        ----------
        layer : str

        Returns
        -------
        int

        Raises
        ------
        CaffeError
            There is no such layer; names the nearest.
        """
        if layer not in self.layer_dict:
            raise CaffeValueError(f"there is no layer {layer!r}{nearest(layer, self.layer_dict)}")
        return self._layer_names.index(layer)

    def forward(self, blobs=None, start=None, end=None, **kwargs):
        """Compute the blobs from layer `start` to layer `end`, by default all.

        Parameters
        ----------
        blobs : list of str, optional
            Blobs to return beside the tops of `end` (or the net's outputs).
        start, end : str, optional
        **kwargs : ndarray
            Values for the inputs, all of them if any.

        Returns
        -------
        dict of str -> ndarray
        """
        first = 0 if start is None else self.layer_index(start)
        last = len(self.layers) - 1 if end is None else self.layer_index(end)
        names = [*(self.outputs if end is None else self.top_names[end]), *(blobs or [])]
        self._require_blobs(names)
        if kwargs:
            self._fill(kwargs, self.inputs, "input", "data")
        self.forward_range(first, last, names)
        return {name: self.blobs[name].data for name in names}

    def backward(self, diffs=None, start=None, end=None, **kwargs):
        """Compute the diffs from layer `start` down to `end`, after a `forward` to `start`.

        Parameters
        ----------
        diffs : list of str, optional
            Blobs whose diff to return beside those of the bottoms of `end` (or the net's inputs).
        start, end : str, optional
        **kwargs : ndarray
            Diffs of the outputs, all of them if any.

        Returns
        -------
        dict of str -> ndarray
        """
        first = len(self.layers) - 1 if start is None else self.layer_index(start)
        last = 0 if end is None else self.layer_index(end)
        names = [*(self.inputs if end is None else self.bottom_names[end]), *(diffs or [])]
        self._require_blobs(names)
        if kwargs:
            self._fill(kwargs, self.outputs, "output", "diff")
        for name in names:
            self.blobs[name].diff_memory.array()  # once asked for it is kept
        self.backward_range(first, last)
        return {name: self.blobs[name].diff for name in names}

    def _require_blobs(self, names):
        for name in names:
            if name not in self.blobs:
                raise CaffeError(f"there is no blob {name!r}{nearest(name, self.blobs)}")

    def _fill(self, values, expected, kind, half):
        if set(values) != set(expected):
            raise CaffeError(
                f"got values for {sorted(values)}, the net's {kind} blobs are {sorted(expected)}"
            )
        for name, value in values.items():
            blob, shape = self.blobs[name], np.shape(value)
            try:
                fits = np.broadcast_shapes(shape, blob.shape) == blob.shape
            except ValueError:
                fits = False
            # One picture is no batch of three, one for each of its channels.
            whole = len(shape) == len(blob.shape) or np.size(value) == blob.count
            if not fits or not whole or shape[:1] != blob.shape[:1]:
                raise CaffeValueError(f"{kind} {name!r} has shape {blob.shape}, got {shape}")
            getattr(blob, half)[...] = value

    def forward_all(self, blobs=None, **kwargs):
        """Run any number of pictures through the net, a batch at a time.

        Parameters
        ----------
        blobs : list of str, optional
            Blobs to return beside the outputs.
        **kwargs : (M, ...) ndarray
            Values for all inputs; M need not be a multiple of the batch.

        Returns
        -------
        dict of str -> (M, ...) ndarray
            Of a blob without axes, such as a loss, (B,): one number for each batch.
        """
        found = {name: [] for name in [*self.outputs, *(blobs or [])]}
        for batch in self._batch(kwargs):
            _append(found, self.forward(blobs, **batch))
        return _joined(found, kwargs)

    def forward_backward_all(self, blobs=None, diffs=None, **kwargs):
        """Run any number of pictures forward and backward, a batch at a time.

        Parameters
        ----------
        blobs, diffs : list of str, optional
            Blobs whose data, or diff, to return beside the outputs' data and the inputs' diffs.
        **kwargs : (M, ...) ndarray
            Values for all inputs and diffs for all outputs.

        Returns
        -------
        data, diff : dict of str -> (M, ...) ndarray
        """
        inputs = {name: value for name, value in kwargs.items() if name in self.inputs}
        seeds = {name: value for name, value in kwargs.items() if name not in self.inputs}
        seed_batches = self._batch(seeds) if seeds else itertools.repeat({})
        data = {name: [] for name in [*self.outputs, *(blobs or [])]}
        diff = {name: [] for name in [*self.inputs, *(diffs or [])]}
        for batch, seed in zip(self._batch(inputs), seed_batches):
            _append(data, self.forward(blobs, **batch))
            _append(diff, self.backward(diffs, **seed))
        return _joined(data, kwargs), _joined(diff, kwargs)

    def _batch(self, arrays):
        """Cut arrays into batches; the last is filled up with zeros."""
        if not arrays:
            raise CaffeError(f"got no array; the net's input blobs are {self.inputs}")
        self._require_blobs(arrays)
        for name, values in arrays.items():
            shape = self.blobs[name].shape
            if not shape or np.ndim(values) != len(shape):
                wanted = ", ".join(["any number", *map(str, shape[1:])])
                raise CaffeValueError(
                    f"{name!r} takes an array of shape ({wanted}), got {np.shape(values)}; one "
                    "picture goes in as array[np.newaxis]"
                )
        count = _length(arrays)
        size = self.blobs[next(iter(arrays))].shape[0]
        for start in range(0, count, size):
            batch = {}
            for name, values in arrays.items():
                part = np.asarray(values[start : start + size])
                missing = size - len(part)
                batch[name] = np.concatenate([part, np.zeros((missing,) + part.shape[1:])])
            yield batch


def _append(collected, found):
    for name, values in found.items():
        collected[name].append(values.copy())


def _joined(collected, arrays):
    """Join what was found for each array of a batch, without what filled the last batch up."""
    return {
        name: np.concatenate(values)[: _length(arrays)] if values[0].ndim else np.array(values)
        for name, values in collected.items()
    }


def _length(arrays):
    return len(next(iter(arrays.values())))
