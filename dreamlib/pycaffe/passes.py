"""Passes through a net's layers, up and down, that keep all blobs or as little as can be."""

from __future__ import annotations

import math

import torch

from dreamlib.pycaffe.device import current_device, map_large_blocks
from dreamlib.pycaffe.graph import Graph
from dreamlib.pycaffe.proto import caffe_pb2

#: Values of the inputs from which on a pass is large: two thirds of a megapixel.
LARGE = 2_000_000


class Passes(Graph):
    """Runs a graph's layers by position: see `Net`, which runs them by name.

    Parameters
    ----------
    net_param, phase, source, compute
        As for `Graph`.

    Attributes
    ----------
    keep_intermediates, compute_param_diffs : bool
        As for `Net`.
    """

    def __init__(self, net_param, phase, source, compute):
        super().__init__(net_param, phase, source, compute)
        self.keep_intermediates = True
        self.compute_param_diffs = phase == caffe_pb2.TRAIN
        self._kept = {}  # name of a layer -> what its `trace` kept
        self._passed = set()  # passes that were made: first and last layer, shapes of the inputs
        self._final = {}  # what `_final_readers` found
        self._fitted = None  # first and last layer of the last pass, and how often blobs changed

    def reshape(self):
        """Carry the inputs' shapes through all layers."""
        for layer in self.layers:
            self._reshape_layer(layer)

    def _reshape_layer(self, layer):
        if layer.is_source:
            return
        shapes = layer.reshape([blob.shape for blob in layer.bottom_blobs])
        for blob, shape in zip(layer.top_blobs, shapes):
            blob.reshape(*shape)

    @torch.no_grad()
    def forward_range(self, first, last, read=(), way_back=True):
        """Run layers by position and leave their results in the blobs. An extension.

        Parameters
        ----------
        first, last : int
            Both run.
        read : collection of str
            Blobs whose data is looked at afterwards, beside the tops of `last`: where
            `keep_intermediates` is false others are given up once no layer reads them.
        way_back : bool
            False gives all others up in any case, and keeps nothing for `backward`.
        """
        self._compute.device = current_device()
        layers = self.layers[first : last + 1]
        frugal = not way_back or not (self.keep_intermediates or self.compute_param_diffs)
        final = self._final_readers(first, last, tuple(read)) if frugal else {}
        for layer in self.layers[first:]:
            self._kept.pop(layer.name, None)  # of an earlier pass
        if frugal:
            shapes = tuple(self.blobs[name].shape for name in self.inputs)
            map_large_blocks(_large(shapes) and (first, last, shapes) not in self._passed)
            self._passed.add((first, last, shapes))
        fits = self._fitted == (first, last, self._compute.reshapes)
        for layer in layers:
            if layer.type == "Input":
                continue
            if not fits or layer.shaped_by_values:
                self._reshape_layer(layer)
            bottoms = [blob.data_memory.tensor() for blob in layer.bottom_blobs]
            if frugal and way_back:
                tops, self._kept[layer.name] = layer.trace(bottoms)
            else:
                tops = layer.forward(bottoms)
            for blob, top in zip(layer.top_blobs, tops):
                blob.data_memory.put(top)
            del bottoms, tops
            for memory in final.get(layer.name, ()):
                memory.expend()
        self._fitted = first, last, self._compute.reshapes

    def _final_readers(self, first, last, read):
        """Return for names of layers the memories that none up to `last` reads after them.

        What lay there before is not among them: layers that do not run now may read it, too.
        """
        if (first, last, read) in self._final:
            return self._final[first, last, read]
        layers = self.layers[first : last + 1]
        reads = [(name, layer.name) for layer in layers for name in layer.param.bottom]
        reads += [(name, None) for name in [*layers[-1].param.top, *read, *self.inputs]]
        # A Split's results have their bottom's memory.
        final = {id(self.blobs[name].data_memory): (name, layer) for name, layer in reads}
        made = {id(self.blobs[name].data_memory) for layer in layers for name in layer.param.top}
        found = {}
        for memory, (name, layer) in final.items():
            if memory in made:
                found.setdefault(layer, []).append(self.blobs[name].data_memory)
        self._final[first, last, read] = found
        return found

    @torch.no_grad()
    def backward_range(self, first, last):
        """Run layers backward by position and leave the gradients in the blobs. An extension.

        Parameters
        ----------
        first, last : int
            Both run, from the upper `first` down to `last`.
        """
        self._compute.device = current_device()
        for layer in reversed(self.layers[last : first + 1]):
            if layer.type == "Input" or not self._runs_backward[layer.name]:
                continue
            wanted = self._wanted[layer.name]
            diffs = [blob.diff_memory.tensor() for blob in layer.top_blobs]
            if layer.name in self._kept:
                kept = self._kept.pop(layer.name)
                if not any(wanted):
                    continue
                for index, blob in enumerate(layer.top_blobs):
                    if blob.diff_memory.has_array:
                        diffs[index] = diffs[index].clone()  # `retrace` may write into it
                gradients = layer.retrace(diffs, kept, wanted)
                del kept, diffs
            else:
                bottoms = [blob.data_memory.tensor() for blob in layer.bottom_blobs]
                tops = [blob.data_memory.tensor() for blob in layer.top_blobs]
                if self.compute_param_diffs and layer.blobs:
                    self._add_param_diffs(layer, diffs, bottoms, tops)
                if not any(wanted):
                    continue
                gradients = layer.backward(diffs, bottoms, tops, wanted)
                del bottoms, tops, diffs
            if not self.keep_intermediates:
                self._free_tops(layer)
            for blob, gradient, ask in zip(layer.bottom_blobs, gradients, wanted):
                if ask:
                    blob.diff_memory.put(gradient)

    def _add_param_diffs(self, layer, diffs, bottoms, tops):
        gradients = layer.parameter_gradients(diffs, bottoms, tops)
        for blob, gradient, learns in zip(layer.blobs, gradients, self._learns[layer.name]):
            if learns:
                blob.diff_tensor = blob.diff_tensor + gradient

    def _free_tops(self, layer):
        """Free the results of this layer: the layers below do not need them."""
        for name, blob in zip(layer.param.top, layer.top_blobs):
            if blob not in layer.bottom_blobs and name not in self._loss_weights:
                if layer.type != "Split":  # its data is its bottom's
                    blob.data_memory.expend()
                blob.diff_memory.free()


def _large(shapes):
    """Tell whether memory matters more for a pass on inputs of these shapes than its first time."""
    return sum(map(math.prod, shapes)) > LARGE
