# fmt: off
# ruff: noqa
# An unchanged script in the manner of 2015: it knows nothing of dreamlib.
#   python script_of_2015.py MODEL_FOLDER
# (The test runs it by way of dreamlib.pycaffe.install(), or beside real Caffe.)
from __future__ import print_function

import os
import sys

import numpy as np
import caffe
import caffe.io
from caffe.proto import caffe_pb2
from google.protobuf import text_format

model_path = sys.argv[1]
net_fn = os.path.join(model_path, 'deploy.prototxt')
param_fn = os.path.join(model_path, 'random.caffemodel')

# the gradient with respect to the picture is wanted
model = caffe_pb2.NetParameter()
text_format.Merge(open(net_fn).read(), model)
model.force_backward = True
patched = os.path.join(model_path, 'tmp.prototxt')
open(patched, 'w').write(str(model))

caffe.set_mode_cpu()
net = caffe.Classifier(patched, param_fn,
                       mean=np.float32([104.0, 116.0, 122.0]),
                       channel_swap=(2, 1, 0))

end = 'mixed/output'
image = np.float32(np.random.RandomState(0).uniform(0, 255, (48, 56, 3)))
src, dst = net.blobs['data'], net.blobs[end]
src.reshape(1, 3, image.shape[0], image.shape[1])
src.data[0] = np.float32(np.rollaxis(image, 2)[::-1]) - net.transformer.mean['data']
before = src.data.copy()

net.forward(end=end)
dst.diff[:] = dst.data
net.backward(start=end)
g = src.diff[0]
src.data[:] += 1.5 / np.abs(g).mean() * g

print('layers', len(net._layer_names), 'blobs', ' '.join(net.blobs.keys()))
print('moved by', np.abs(src.data - before).mean())
blob = caffe.io.array_to_blobproto(src.data)
assert isinstance(blob, caffe_pb2.BlobProto)
assert caffe.io.blobproto_to_array(blob).shape == src.data.shape
np.save(os.path.join(model_path, 'dreamed.npy'), src.data)
