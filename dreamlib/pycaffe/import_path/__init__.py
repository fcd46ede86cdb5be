"""The folder that `dreamlib.pycaffe.install` puts on the path: ``caffe.py`` lies in it."""
