"""Record what real Caffe makes of small inputs, into ``recorded_io.npz``, for the tests here.

Run by a Python that has real Caffe, from the repository root::

    python3 tests/pycaffe/record_io.py

Inputs come from seeds and are recorded too; a caffemodel is held as the bytes that Caffe wrote.
"""

import os
import tempfile

import caffe
import caffe.io
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))

TINY = """
name: "tiny"
input: "data" input_shape { dim: 4 dim: 3 dim: 7 dim: 6 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3
    weight_filler { type: "gaussian" std: 0.02 } bias_filler { type: "uniform" min: -1 max: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.2 } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""

BILINEAR = """
input: "data" input_shape { dim: 1 dim: 2 dim: 4 dim: 4 }
layer { name: "up" type: "Deconvolution" bottom: "data" top: "up"
  convolution_param { num_output: 2 group: 2 kernel_size: SIDE bias_term: false
    weight_filler { type: "bilinear" } } }
"""

SQUARE = """
input: "data" input_shape { dim: 2 dim: 3 dim: 8 dim: 8 }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.01 } } }
"""

#: (top, left, bottom, right), some at the picture's edges
WINDOWS = [(5, 6, 15, 14), (0, 0, 9, 9), (0, 3, 20, 30), (12, 25, 20, 30), (8, 0, 12, 30)]

SIZES = {"up": (13, 11), "down": (3, 4), "mixed": (12, 4), "same": (8, 9)}


def net_file(folder, text):
    path = os.path.join(folder, "net.prototxt")
    with open(path, "w") as file:
        file.write(text)
    return path


def record_pictures(record):
    random = np.random.RandomState(1)
    for channels in (1, 3, 4):
        image = random.uniform(-20, 255, (8, 9, channels)).astype(np.float32)
        record[f"resize_{channels}"] = image
        for name, size in SIZES.items():
            record[f"resize_{channels}_{name}"] = caffe.io.resize_image(image, size)
    images = random.uniform(0, 1, (2, 8, 9, 3)).astype(np.float32)
    record["oversample"] = images
    for size in ((8, 9), (5, 4), (4, 5), (7, 7)):
        record[f"oversample_{size[0]}_{size[1]}"] = caffe.io.oversample(images, size)
    mean = random.uniform(0, 255, (3, 5, 6)).astype(np.float32)
    transformer = caffe.io.Transformer({"data": (1, 3, 8, 9)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", mean)
    transformer.set_channel_swap("data", (2, 0, 1))
    transformer.set_raw_scale("data", 255)
    transformer.set_input_scale("data", 0.017)
    record["mean"], record["mean_resized"] = mean, transformer.mean["data"]
    picture = random.uniform(0, 1, (6, 10, 3)).astype(np.float32)
    record["picture"] = picture
    record["preprocessed"] = transformer.preprocess("data", picture)


def record_classifier(record, folder):
    caffe.set_random_seed(3)
    path, weights = net_file(folder, TINY), os.path.join(folder, "tiny.caffemodel")
    caffe.Net(path, caffe.TEST).save(weights)
    net = caffe.Classifier(
        path,
        weights,
        image_dims=(10, 9),
        mean=np.float32([104, 116, 122]),
        raw_scale=255,
        channel_swap=(2, 1, 0),
    )
    images = np.random.RandomState(4).uniform(0, 1, (3, 12, 8, 3)).astype(np.float32)
    record["prototxt"], record["images"] = TINY, images
    record["predicted"] = net.predict(images, oversample=False)
    record["predicted_oversampled"] = net.predict(images)
    with open(weights, "rb") as file:
        record["caffemodel"] = np.frombuffer(file.read(), np.uint8)
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            record[f"param_{name}_{index}"] = blob.data.copy()


class Picture(np.ndarray):
    """Takes the whole floats that Detector.crop cuts with, which numpy has refused since 1.12."""

    def __getitem__(self, key):
        return np.asarray(self)[tuple(slice(int(cut.start), int(cut.stop)) for cut in key)]


def record_detector(record, folder):
    path, weights = net_file(folder, SQUARE), os.path.join(folder, "square.caffemodel")
    caffe.Net(path, caffe.TEST).save(weights)
    image = np.random.RandomState(6).uniform(0, 1, (20, 30, 3)).astype(np.float32)
    record["square"], record["windows"], record["window_picture"] = SQUARE, WINDOWS, image
    options = {"mean": np.float32([104, 116, 122]), "raw_scale": 255, "channel_swap": (2, 1, 0)}
    for context_pad in (1, 2):
        net = caffe.Detector(path, weights, context_pad=context_pad, **options)
        record[f"crops_{context_pad}"] = [
            net.crop(image.view(Picture), np.array(window)) for window in WINDOWS
        ]


def main():
    record = {}
    with tempfile.TemporaryDirectory() as folder:
        record_pictures(record)
        record_classifier(record, folder)
        record_detector(record, folder)
        for side in (1, 2, 3, 4, 5):
            net = caffe.Net(net_file(folder, BILINEAR.replace("SIDE", str(side))), caffe.TEST)
            record[f"bilinear_{side}"] = net.params["up"][0].data.copy()
    np.savez_compressed(os.path.join(HERE, "recorded_io.npz"), **record)


if __name__ == "__main__":
    main()
