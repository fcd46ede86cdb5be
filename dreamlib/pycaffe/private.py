"""Attributes of `Net` that Caffe does not document, and those of the Caffe of 2014."""

from __future__ import annotations

#: Members of nets that went with Caffe's release candidates -> what to do instead.
OF_2014 = {
    "set_mode_cpu": "call caffe.set_mode_cpu() before nets are made",
    "set_mode_gpu": "call caffe.set_mode_gpu() before nets are made",
    "set_device": "call caffe.set_device(number)",
    "set_phase_test": "leave it out: make the net with Net(prototxt, weights, caffe.TEST)",
    "set_phase_train": "leave it out: make the net with Net(prototxt, weights, caffe.TRAIN)",
    **dict.fromkeys(
        ("set_mean", "set_raw_scale", "set_input_scale", "set_channel_swap"),
        "a caffe.io.Transformer has it, and a Classifier one of its own: net.transformer",
    ),
    **dict.fromkeys(
        ("preprocess", "deprocess", "mean", "raw_scale", "input_scale", "channel_swap"),
        "a caffe.io.Transformer has it, and a Classifier one of its own: net.transformer",
    ),
}


class Underscored:
    """The underscored attributes of Caffe's `Net`, for one that has layers, blobs and passes.

    Attributes
    ----------
    _layer_names, _blob_names : list of str
        In the order of the prototxt; layers of one name come as often as they are.
    _blobs : list of Blob
    _blob_loss_weights : list of float
    _inputs, _outputs : list of int
        Positions among the blobs.
    """

    _layer_names = property(lambda net: [layer.param.name for layer in net.layers])
    _blob_names = property(lambda net: list(net.blobs))
    _blobs = property(lambda net: list(net.blobs.values()))
    _blob_loss_weights = property(lambda net: list(net.blob_loss_weights.values()))
    _inputs = property(lambda net: net._positions(net.inputs))
    _outputs = property(lambda net: net._positions(net.outputs))

    def _positions(self, names):
        places = {name: place for place, name in enumerate(self.blobs)}
        return [places[name] for name in names]

    def _top_ids(self, layer):
        return self._positions(self.layers[layer].param.top)

    def _bottom_ids(self, layer):
        return self._positions(self.layers[layer].param.bottom)

    def _forward(self, first, last):
        """Run layers by position; return the loss of theirs."""
        made = {top for layer in self.layers[first : last + 1] for top in layer.param.top}
        losses = [name for name in self._loss_weights if name in made]
        self.forward_range(first, last, losses)
        return sum(self._loss_weights[name] * float(self.blobs[name].data.sum()) for name in losses)

    def _backward(self, first, last):
        """Run layers backward by position, from the upper `first` down to `last`."""
        self.backward_range(first, last)

    def __getattr__(self, name):
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in OF_2014:
            message += f", which is of the Caffe of 2014: {OF_2014[name]}"
        raise AttributeError(message)
