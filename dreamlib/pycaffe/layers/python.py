"""`Python` layers: classes of the user's, which work on blobs as numpy arrays.

`UserLayer` is what such a class derives from, ``caffe.Layer``; `Python` runs one in a net.
"""

from __future__ import annotations

import contextlib
import importlib
import sys

from dreamlib.pycaffe.blob import Blob
from dreamlib.pycaffe.layers import Layer, register


class UserBlobs(list):
    """The parameters of a `Python` layer."""

    def __init__(self, compute):
        super().__init__()
        self._compute = compute

    def add_blob(self, *shape):
        """Append a blob of zeros.

        Parameters
        ----------
        *shape : int
        """
        self.append(Blob(shape, self._compute))


class UserLayer:
    """What the classes of `Python` layers derive from: ``caffe.Layer``.

    A subclass has the four methods below; `bottom` and `top` are lists of `Blob`, whose `data`
    and `diff` are arrays to read and to write into.

    Parameters
    ----------
    param : caffe_pb2.LayerParameter

    Attributes
    ----------
    param_str : str
        The prototxt's ``python_param { param_str }``.
    phase : int
        ``caffe.TRAIN`` or ``TEST``.
    blobs : list of Blob
        Parameters, which ``self.blobs.add_blob(*shape)`` adds.
    """

    type = "Python"

    def __init__(self, param):
        self.param = param

    def setup(self, bottom, top):
        """Look at the bottoms once and read `param_str`."""

    def reshape(self, bottom, top):
        """Give the tops their shapes: ``top[0].reshape(*shape)``."""

    def forward(self, bottom, top):
        """Write the tops' data."""

    def backward(self, top, propagate_down, bottom):
        """Write the diff of each bottom for which `propagate_down`, a list of bool, is true."""


@contextlib.contextmanager
def _caffe_is_ours():
    """Let ``import caffe`` find this package, unless somebody has decided what it finds."""
    if "caffe" in sys.modules:
        yield
        return
    sys.modules["dreamlib.pycaffe"].install()
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "caffe"]:
            del sys.modules[name]


@register("Python")
class Python(Layer):
    """Runs the class ``python_param { module layer }`` on the net's own blobs.

    What this object does not have is asked of, and given to, the user's.
    """

    bottoms = (0, None)
    tops = (0, None)
    shaped_by_values = True  # for all that is known
    _own = frozenset(
        "param name phase blobs bottom_blobs in_place user top_blobs _compute _random _room".split()
    )

    def __init__(self, param, phase, compute, random):
        super().__init__(param, phase, compute, random)
        self.user = self._class()(param)
        self.blobs = UserBlobs(compute)
        self.user.blobs, self.user.phase = self.blobs, int(phase)
        self.user.param_str = param.python_param.param_str

    # so that a script finds its own class here, and ``caffe.Layer``
    __class__ = property(lambda self: type(self.user))

    def _class(self):
        module, name = self.param.python_param.module, self.param.python_param.layer
        try:
            with _caffe_is_ours():
                found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise self.fail(
                f"python_param names class {name!r} of module {module!r}, which Python does not "
                f"find ({error}); put the folder of {module}.py on PYTHONPATH"
            ) from error
        if not (isinstance(found, type) and issubclass(found, UserLayer)):
            raise self.fail(f"{module}.{name} is no class that derives from caffe.Layer")
        return found

    def __getattr__(self, name):
        if name in self._own:
            raise AttributeError(name)
        return getattr(self.user, name)

    def __setattr__(self, name, value):
        super().__setattr__(name, value) if name in self._own else setattr(self.user, name, value)

    def setup(self, shapes):
        below = dict(zip(self.param.bottom, self.bottom_blobs))
        self.top_blobs = [below.get(name) or Blob((), self._compute) for name in self.param.top]
        self.user.setup(self.bottom_blobs, self.top_blobs)

    def reshape(self, shapes):
        self.user.reshape(self.bottom_blobs, self.top_blobs)
        return [blob.shape for blob in self.top_blobs]

    def new_top(self, index, shape):
        return self.top_blobs[index]

    def forward(self, bottoms):
        for blob in (*self.bottom_blobs, *self.top_blobs):
            blob.data_memory.array()  # once asked for it is kept, for backward
        self.user.forward(self.bottom_blobs, self.top_blobs)
        return [blob.data_tensor for blob in self.top_blobs]

    def backward(self, top_diffs, bottoms, tops, wanted):
        for blob, diff in zip(self.top_blobs, top_diffs):
            blob.diff_tensor = diff
        self.user.backward(self.top_blobs, list(wanted), self.bottom_blobs)
        return [blob.diff_tensor for blob in self.bottom_blobs]
