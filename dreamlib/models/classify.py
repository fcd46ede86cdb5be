"""The likeliest classes of a picture."""

from __future__ import annotations

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import shrunken
from dreamlib.models.preprocessing import preprocess

#: Shorter side, in network inputs, of the copy of a large picture that is classified.
COPY_SIDE = 2


def seen_as(net, model, picture):
    """Name the likeliest classes of a picture in one line.

    Parameters
    ----------
    net : caffe.Classifier
    model : dreamlib.models.model.Model
    picture : picture
        See `dreamlib.imaging.picture`.

    Returns
    -------
    str
        ``balloon 98.2 %, parachute 0.4 %, ...``
    """
    side = COPY_SIDE * max(int(length) for length in net.crop_dims)
    longest, shortest = max(picture.height, picture.width), min(picture.height, picture.width)
    pixels = shrunken(picture, -(-side * longest // shortest))
    found = classify(net, pixels, model.known_labels())
    return ", ".join(f"{name.split(',')[0]} {100 * share:.1f} %" for name, share in found)


def classify(net, pixels, labels, top=5):
    """Name the likeliest classes of a picture.

    As is usual for ImageNet, the shorter side is scaled to the network's input size, by Pillow's
    bicubic filter, and the middle is cropped.

    Parameters
    ----------
    net : caffe.Classifier
        Its last output has the classes' scores or probabilities. Its ``data`` blob is overwritten,
        in the input size.
    pixels : (H, W, 3) ndarray
        RGB, 0..255; uint16 up to 65535.
    labels : list of str
        One for each class; empty where the model has none: then classes are named by number.
    top : int
        Number of classes.

    Returns
    -------
    list of (str, float)
        Name and probability (0 to 1), the likeliest first.

    Raises
    ------
    DreamError
        Another number of labels than of classes.
    """
    found = class_probabilities(net, pixels)
    if len(labels) not in (0, len(found)):
        raise DreamError(
            f"the network has {len(found)} classes and there are {len(labels)} class names; "
            "expected as many, one a line in the order of the outputs"
        )
    names = labels or [str(index) for index in range(len(found))]
    order = np.argsort(-found, kind="stable")[:top]
    return [(names[index], float(found[index])) for index in order]


def class_probabilities(net, pixels):
    """Compute the probabilities of all classes of a picture.

    Parameters
    ----------
    net, pixels
        As for `classify`.

    Returns
    -------
    (K,) ndarray of float64
        0 to 1.
    """
    size = tuple(int(side) for side in net.crop_dims)
    source = net.blobs[net.inputs[0]]
    source.reshape(1, 3, *size)
    source.data[0] = preprocess(net, centre_crop(pixels, size))
    net.forward()
    output = net.blobs[net.outputs[-1]].data[0]
    scores = np.float64(output.reshape(len(output), -1).mean(1))
    if net.layers[-1].type == "Softmax":
        return scores
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def centre_crop(pixels, size):
    """Scale a picture until it just covers a size, and cut out its middle.

    Parameters
    ----------
    pixels : (H, W, 3) ndarray
        As for `classify`.
    size : (height, width)

    Returns
    -------
    (height, width, 3) ndarray of float32
        0..255.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    shown_height, shown_width = size[0] / scale, size[1] / scale
    left, top = (width - shown_width) / 2, (height - shown_height) / 2
    box = (left, top, left + shown_width, top + shown_height)
    levels = 257 if pixels.dtype == np.uint16 else 1
    out = np.empty(size + (3,), np.float32)
    for channel in range(3):
        plane = Image.fromarray(np.float32(pixels[..., channel]) / np.float32(levels))
        out[..., channel] = np.asarray(plane.resize(size[::-1], Image.BICUBIC, box=box))
    return np.clip(out, 0, 255, out=out)
