"""The layers and blobs of a definition, and which of them a gradient reaches."""

from __future__ import annotations

import itertools
from collections import OrderedDict

from dreamlib.errors import CaffeError
from dreamlib.pycaffe.device import random_stream
from dreamlib.pycaffe.layers import layer_class
from dreamlib.pycaffe.proto import caffe_pb2

#: The blob of a loss that names none, as in Caffe; of a second one "(automatic) 2".
AUTOMATIC = "(automatic)"


class Graph:
    """What `Net` runs: layers made in the order of the definition, each with its blobs.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
        As `prototxt.load_net` makes it.
    phase : {TRAIN, TEST}
    source : str
        Named in errors.
    compute : Compute

    Raises
    ------
    CaffeError
        A layer is unknown, or does not fit what is below it.
    """

    def __init__(self, net_param, phase, source, compute):
        self.name = net_param.name
        self._source, self._compute = source, compute
        self.layers = []
        self.blobs = OrderedDict()
        self.params = OrderedDict()  # of layers of one name the last is found, as in pycaffe
        self.layer_dict = OrderedDict()
        self.top_names = OrderedDict()
        self.bottom_names = OrderedDict()
        self._loss_weights = {}
        unread = OrderedDict()  # the blobs that nobody has read yet: what is left is the output
        shared = {}  # name of a shared parameter -> the blob that owns it
        for param in net_param.layer:
            layer = self._make_layer(param, phase)
            for name in param.bottom:
                unread.pop(name, None)
            for name in param.top:
                if not name.startswith(AUTOMATIC):
                    unread[name] = True
            self.layers.append(layer)
            self.layer_dict[param.name] = layer
            self.bottom_names[param.name] = list(param.bottom)
            self.top_names[param.name] = list(param.top)
            if layer.blobs:
                self._share_named(layer, shared)
                self.params[param.name] = layer.blobs
        self.inputs = [
            top for layer in self.layers if layer.type == "Input" for top in layer.param.top
        ]
        self.outputs = sorted(unread)  # Caffe keeps them in a std::set
        self._mark_needs(net_param.force_backward)

    def _make_layer(self, param, phase):
        kind = layer_class(param.type)
        if kind.loss_weight and not param.top:
            others = sum(name.startswith(AUTOMATIC) for name in self.blobs)
            param.top.append(f"{AUTOMATIC} {others + 1}" if others else AUTOMATIC)
        try:
            shapes = [self.blobs[name].shape for name in param.bottom]
            layer = kind.suited(param, shapes)(param, phase, self._compute, random_stream())
            same = sum(other.param.name == param.name for other in self.layers)
            if same:
                layer.name = f"{param.name} ({same + 1})"  # by which passes tell layers apart
            layer.bottom_blobs = [self.blobs[name] for name in param.bottom]
            layer.setup(shapes)
            tops = layer.shapes if layer.is_source else layer.reshape(shapes)
        except CaffeError as error:
            raise CaffeError(f"{self._source}: {error}") from None
        except (ArithmeticError, LookupError, MemoryError, RuntimeError, ValueError) as error:
            # Parameters that contradict each other in a way that no layer looked for.
            raise CaffeError(
                f"{self._source}: layer {param.name!r} ({param.type}): {error}"
            ) from error
        for index, (name, shape) in enumerate(zip(param.top, tops)):
            if name not in self.blobs:
                self.blobs[name] = layer.new_top(index, shape)
                if param.type == "Split":  # one memory: what is written into the one is in all
                    self.blobs[name].data_memory = self.blobs[param.bottom[0]].data_memory
            elif name in param.bottom:
                self.blobs[name].reshape(*shape)
            else:
                raise CaffeError(
                    f"{self._source}: layer {param.name!r} overwrites blob {name!r} in place, "
                    "which another layer reads too"
                )
            self._set_loss_weight(layer, index, name)
        layer.top_blobs = [self.blobs[name] for name in param.top]
        return layer

    def _set_loss_weight(self, layer, index, name):
        weights = layer.param.loss_weight or [layer.loss_weight]
        weight = weights[index] if index < len(weights) else 0
        if weight:
            self._loss_weights[name] = weight
            self.blobs[name].diff[...] = weight

    def _share_named(self, layer, owners):
        for index, spec in enumerate(layer.param.param[: len(layer.blobs)]):
            if not spec.name:
                continue
            owner = owners.setdefault(spec.name, layer.blobs[index])
            if owner.shape != layer.blobs[index].shape:
                raise CaffeError(
                    f"{self._source}: layer {layer.name!r} shares parameter {spec.name!r} of shape "
                    f"{owner.shape}, its own is {layer.blobs[index].shape}"
                )
            layer.blobs[index] = owner

    def _mark_needs(self, force_backward):
        """Decide, as Caffe does, which layers run backward and which bottoms get a gradient."""
        needing = set()  # blobs with learned or forced values below them
        self._wanted = OrderedDict()
        runs = {}
        self._learns = {}  # layer name -> for each parameter whether it gets a diff
        for layer in self.layers:
            param = layer.param
            wanted = [name in needing for name in param.bottom]
            for index, ask in enumerate(param.propagate_down):
                wanted[index] = ask
            specs = itertools.chain(param.param, itertools.repeat(caffe_pb2.ParamSpec()))
            learns = [force_backward or spec.lr_mult != 0 for spec, _ in zip(specs, layer.blobs)]
            self._learns[layer.name] = learns
            runs[layer.name] = any(learns) or any(wanted)
            if runs[layer.name]:
                needing.update(param.top)
            self._wanted[layer.name] = wanted
        under_loss = set()
        for layer in reversed(self.layers):
            tops, bottoms = layer.param.top, layer.param.bottom
            contributes = any(top in self._loss_weights or top in under_loss for top in tops)
            if contributes:
                under_loss.update(bottoms)
            else:
                runs[layer.name] = False
                self._wanted[layer.name] = [False] * len(bottoms)
        if force_backward:
            for layer in self.layers:
                runs[layer.name] = True
                self._wanted[layer.name] = [
                    ask or index not in layer.labels
                    for index, ask in enumerate(self._wanted[layer.name])
                ]
        self._runs_backward = runs
