"""Writing a net in Python: ``caffe.NetSpec``, ``caffe.layers``, ``caffe.params``, ``to_proto``.

>>> net = NetSpec()
>>> net.data = layers.Input(shape={"dim": [1, 3, 8, 8]})
>>> net.conv = layers.Convolution(net.data, kernel_size=3, num_output=4)
>>> net.relu = layers.ReLU(net.conv, in_place=True)
>>> [layer.type for layer in net.to_proto().layer]
['Input', 'Convolution', 'ReLU']
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from dreamlib.errors import CaffeError
from dreamlib.pycaffe.proto import caffe_pb2

#: type of a layer -> the field of its parameters: Pooling -> pooling_param
PARAMETERS = {
    field.message_type.name[: -len("Parameter")]: field.name
    for field in caffe_pb2.LayerParameter.DESCRIPTOR.fields
    if field.name.endswith("_param")
}


class Function:
    """A layer that is yet to be named: its type, the tops that it reads, and its parameters.

    Parameters
    ----------
    type_name : str
    inputs : sequence of Top
    params : dict
        Fields of the layer, or of the parameters of its type. ``ntop`` is the number of tops, by
        default 1; ``in_place`` writes into the bottoms.

    Attributes
    ----------
    tops : tuple of Top
    """

    def __init__(self, type_name, inputs, params):
        for index, given in enumerate(inputs):
            if not isinstance(given, Top):
                raise TypeError(
                    f"{type_name}: input {index} is a {type(given).__name__}; expected what "
                    "caffe.layers returned"
                )
        self.type_name, self.inputs, self.params = type_name, inputs, dict(params)
        self.ntop = self.params.pop("ntop", 1)
        self.in_place = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _add_to(self, made, names, count):
        """Append the layer to `made`, behind those that it reads.

        Parameters
        ----------
        made : OrderedDict of Function -> caffe_pb2.LayerParameter
        names : dict of Top or Function -> str
            Those that have none yet get one: the type with a number.
        count : Counter
            How many of each type have been named so.
        """
        if self in made:
            return
        bottoms = []
        for top in self.inputs:
            top.fn._add_to(made, names, count)
            bottoms.append(made[top.fn].top[top.n])
        layer = caffe_pb2.LayerParameter(type=self.type_name, bottom=bottoms)
        layer.top.extend(
            bottoms if self.in_place else (_named(top, names, count) for top in self.tops)
        )
        layer.name = _named(self.tops[0] if self.tops else self, names, count)
        own = PARAMETERS.get(self.type_name)
        for key, value in self.params.items():
            fields = getattr(layer, own).DESCRIPTOR.fields_by_name if own else ()
            inside = key in fields and not key.endswith("param")
            _assign(getattr(layer, own) if inside else layer, key, value)
        made[self] = layer


def _named(thing, names, count):
    if thing not in names:
        kind = thing.fn.type_name if isinstance(thing, Top) else thing.type_name
        count[kind] += 1
        names[thing] = f"{kind}{count[kind]}"
    return names[thing]


def _assign(message, name, value):
    """Set a field: lists to repeated ones, dicts to messages, one value to a list of one."""
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        raise AttributeError(f"{message.DESCRIPTOR.name} has no field {name!r}")
    target = getattr(message, name)
    if hasattr(target, "extend"):
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, dict):
                _fill(target.add(), item)
            else:
                target.append(item)
    elif isinstance(value, dict):
        target.SetInParent()
        _fill(target, value)
    elif field.message_type is not None:
        target.CopyFrom(value)
    else:
        setattr(message, name, value)


def _fill(message, values):
    for name, value in values.items():
        _assign(message, name, value)


class Top:
    """One blob that a layer is to write.

    Parameters
    ----------
    fn : Function
    n : int
    """

    def __init__(self, fn, n):
        self.fn, self.n = fn, n

    def to_proto(self):
        """Return a net of all layers that this blob needs; see `to_proto`."""
        return to_proto(self)


def to_proto(*tops):
    """Return a net of all layers that some blobs need, named by their types and numbers.

    Parameters
    ----------
    *tops : Top

    Returns
    -------
    caffe_pb2.NetParameter
    """
    return _net(tops, {})


def _net(things, names):
    made, count = OrderedDict(), Counter()
    for thing in things:
        (thing.fn if isinstance(thing, Top) else thing)._add_to(made, names, count)
    net = caffe_pb2.NetParameter()
    net.layer.extend(made.values())
    return net


class NetSpec:
    """A net whose blobs are attributes: what is assigned gets the attribute's name.

    Names with other letters are assigned as items: ``net["conv1/relu"] = ...``.

    Attributes
    ----------
    tops : OrderedDict of str -> Top
    """

    def __init__(self):
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name, value):
        self.tops[name] = value

    def __getattr__(self, name):
        if name.startswith("__"):  # copy and pickle ask for such
            raise AttributeError(name)
        return self.tops[name]

    __setitem__, __getitem__ = __setattr__, __getattr__

    def __delattr__(self, name):
        del self.tops[name]

    __delitem__ = __delattr__

    def to_proto(self):
        """Return the net of all layers that the assigned blobs need.

        Returns
        -------
        caffe_pb2.NetParameter
            ``str()`` of it is a prototxt.

        Raises
        ------
        CaffeError
            What was assigned is no blob.
        """
        for name, top in self.tops.items():
            if not isinstance(top, (Top, Function)):
                raise CaffeError(
                    f"NetSpec: {name} is a {type(top).__name__}; expected what caffe.layers "
                    "returned, of a layer with several tops each by itself"
                )
        return _net(self.tops.values(), {top: name for name, top in self.tops.items()})


class _Layers:
    """``caffe.layers``: a function for each type of layer, known here or not."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def layer(*inputs, **params):
            function = Function(name, inputs, params)
            if function.ntop == 0:
                return function
            return function.tops[0] if function.ntop == 1 else function.tops

        layer.__name__ = name
        return layer


class _Parameters:
    """``caffe.params``: the constants of the parameters of each type: ``params.Pooling.MAX``."""

    def __getattr__(self, name):
        return getattr(caffe_pb2, f"{name}Parameter")


layers, params = _Layers(), _Parameters()
