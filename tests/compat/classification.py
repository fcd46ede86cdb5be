"""Classify pictures: a Transformer with a mean of a binaryproto, a batch, the five best classes."""

import caffe
import numpy as np

caffe.set_mode_cpu()
picture = np.load("picture.npy")  # (H, W, 3), 0..1, RGB

mean = np.random.RandomState(0).uniform(90, 130, (1, 3, 64, 64))
with open("mean.binaryproto", "wb") as file:
    file.write(caffe.io.array_to_blobproto(mean).SerializeToString())
blob = caffe.proto.caffe_pb2.BlobProto()
with open("mean.binaryproto", "rb") as file:
    blob.ParseFromString(file.read())
mu = np.array(caffe.io.blobproto_to_array(blob))[0].mean(1).mean(1)

net = caffe.Net("deploy.prototxt", "random.caffemodel", caffe.TEST)
transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
transformer.set_transpose("data", (2, 0, 1))
transformer.set_mean("data", mu)
transformer.set_raw_scale("data", 255)
transformer.set_channel_swap("data", (2, 1, 0))

net.blobs["data"].reshape(4, 3, 64, 64)
shifted = [np.roll(picture, 9 * k, 1) for k in range(4)]
net.blobs["data"].data[...] = [transformer.preprocess("data", each) for each in shifted]
output = net.forward()
probabilities = output["prob"].copy()
best = probabilities[0].argsort()[::-1][:5]

classifier = caffe.Classifier(
    "deploy.prototxt",
    "random.caffemodel",
    image_dims=(72, 72),
    mean=mu,
    raw_scale=255,
    channel_swap=(2, 1, 0),
)
averaged = classifier.predict([picture, picture[:, ::-1]])
shown = transformer.deprocess("data", net.blobs["data"].data[0])
features = {name: blob.data.shape for name, blob in net.blobs.items()}

np.savez("out.npz", probabilities=probabilities, averaged=averaged, shown=shown)
print("best", *best)
print("features", features["mixed/output"], "weights", net.params["conv1"][0].data.shape)
