"""Deep dreams on Caffe networks: the 2015 notebook, in place and in bounded memory."""

__version__ = "0.1.0"
