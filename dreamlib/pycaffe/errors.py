"""The error that replaces Caffe's CHECK failures, which would end the process."""

from dreamlib.errors import DreamError


class CaffeError(DreamError, RuntimeError):
    """A network, a weights file or a call that Caffe would refuse; names file, layer and shapes.

    A ``RuntimeError`` too, because that is what pycaffe raises where it raises at all.
    """
