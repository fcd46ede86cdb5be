"""Caffe's protocol buffers: ``caffe_pb2``, as ``caffe.proto.caffe_pb2`` is in pycaffe."""
