"""A film, frame by frame: dream each, blend in the last, zoom; frames as files."""

import os

import caffe
import numpy as np
import PIL.Image
import scipy.ndimage as nd

caffe.set_mode_cpu()
mean = np.float32([104, 117, 123]).reshape(3, 1, 1)
net = caffe.Net("deploy.prototxt", "random.caffemodel", caffe.TEST)
end, blend, zoom = "mixed/3x3", 0.4, 0.05
os.makedirs("frames", exist_ok=True)

frame = np.load("picture.npy") * 255
h, w = frame.shape[:2]
net.blobs["data"].reshape(1, 3, h, w)
last, moved = None, []
for number in range(4):
    seen = np.float32(frame)
    if last is not None:
        seen = (1 - blend) * seen + blend * last
    net.blobs["data"].data[0] = seen.transpose(2, 0, 1)[::-1] - mean
    for _ in range(3):
        net.forward(end=end)
        net.blobs[end].diff[...] = net.blobs[end].data
        net.backward(start=end)
        g = net.blobs["data"].diff
        net.blobs["data"].data[...] += 2.0 / np.abs(g).mean() * g
    last = np.clip((net.blobs["data"].data[0] + mean)[::-1].transpose(1, 2, 0), 0, 255)
    moved.append(np.abs(last - seen).mean())
    PIL.Image.fromarray(np.uint8(np.round(last))).save(f"frames/{number:04d}.png")
    smaller, shift = np.diag([1 - zoom, 1 - zoom, 1]), [h * zoom / 2, w * zoom / 2, 0]
    frame = nd.affine_transform(last, smaller, shift, order=1)
names = sorted(os.listdir("frames"))
film = np.array([np.asarray(PIL.Image.open("frames/" + name)) for name in names])
np.savez("out.npz", film=film, moved=moved)
print("frames", *names)
