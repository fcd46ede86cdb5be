"""Net surgery: edit filters, and turn a classifier into one that slides over larger pictures."""

import caffe
import numpy as np

caffe.set_mode_cpu()
text = open("deploy.prototxt").read()
net = caffe.Net("deploy.prototxt", "random.caffemodel", caffe.TEST)
picture = np.load("picture.npy").transpose(2, 0, 1)[::-1] * 255 - 110

# The classifier as a convolution behind a pooling that slides.
sliding = text.replace("global_pooling: true", "kernel_size: 16 stride: 1")
sliding = sliding.replace(
    'name: "classifier" type: "InnerProduct"', 'name: "classifier-conv" type: "Convolution"'
)
sliding = sliding.replace(
    "inner_product_param { num_output: 10", "convolution_param { num_output: 10 kernel_size: 1"
)
with open("sliding.prototxt", "w") as file:
    file.write(sliding)
full = caffe.Net("sliding.prototxt", "random.caffemodel", caffe.TEST)
for index in (0, 1):
    full.params["classifier-conv"][index].data.flat = net.params["classifier"][index].data.flat
full.save("sliding.caffemodel")

full = caffe.Net("sliding.prototxt", "sliding.caffemodel", caffe.TEST)
full.blobs["data"].reshape(1, 3, 96, 80)
full.reshape()
large = np.tile(picture, (1, 2, 2))[:, :96, :80]
full.blobs["data"].data[...] = large
scores = full.forward()["prob"].copy()
print("scores", scores.shape)

net.blobs["data"].data[...] = picture[:, :64, :64]
whole = net.forward()["prob"].copy()
full.blobs["data"].reshape(1, 3, 64, 64)
same = full.forward(data=picture[None, :, :64, :64])["prob"].copy()
np.testing.assert_allclose(same[..., 0, 0], whole, rtol=1e-4)

# Another bias, and a filter that blurs instead of what was learned.
before = net.blobs["conv1"].data.copy()
net.params["conv1"][1].data[0] += 1
net.params["conv1"][0].data[1] = 1.0 / 147
net.forward()
after = net.blobs["conv1"].data.copy()

shared = caffe.Net("deploy.prototxt", caffe.TEST)
shared.share_with(net)
shared.blobs["data"].data[...] = net.blobs["data"].data
np.savez(
    "out.npz", scores=scores, whole=whole, moved=after - before, shared=shared.forward()["prob"]
)
