"""``caffe.pycaffe``: where Caffe's Python makes `Net` out of what is compiled."""

from dreamlib.pycaffe.net import Net

__all__ = ["Net"]
