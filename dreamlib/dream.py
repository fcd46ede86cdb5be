"""The notebook's two functions, `make_step` and `deepdream`, rewritten in place.

Source: Google's DeepDream notebook of 2015. Signatures, arithmetic and random stream are its own:
with the same network and ``np.random.seed`` the pictures are the same. What differs is memory. A
dream of a picture of P pixels holds, beside the caller's picture and the network's own blobs, one
buffer of 12 P bytes for the octave's base and one, smaller, for the detail between octaves; both
live as long as the call, and the result is returned in the first.

`net` is a ``caffe.Classifier`` (or any ``caffe.Net`` with a ``transformer``), real pycaffe's or
`dreamlib.pycaffe`'s. Its first input is the picture, called ``data`` below whatever its name is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.ascent.objectives import Arrays, Objective, objective_L2
from dreamlib.imaging import inplace
from dreamlib.imaging.picture import Window
from dreamlib.imaging.resample import as_picture, octave_sizes, resize, shrink_in_place
from dreamlib.models.preprocessing import Preprocessing, deprocess, preprocess
from dreamlib.util.progress import phase, profile


class Step(NamedTuple):
    """What `deepdream` tells after each step of the ascent."""

    octave: int  #: counted from the smallest, from 0
    iteration: int  #: within the octave, from 0
    end: str  #: the layer that is dreamt
    shape: tuple  #: (height, width) of the octave
    pixels: int  #: number of its pixels that were taken a step further


def climb(net, end, objective, part_of=None):
    """Compute the gradient of an objective at the picture in the net's ``data`` blob.

    Parameters
    ----------
    net : caffe.Classifier
        The gradient is in the blob's ``diff`` afterwards.
    end, objective
        As for `make_step`.
    part_of : callable, optional
        Of masks: see `Objective.climb`.
    """
    if isinstance(objective, Objective):
        objective.climb(Arrays(net), part_of)
        return
    net.forward(end=end)
    objective(net.blobs[end])
    net.backward(start=end)


@profile
def make_step(
    net,
    step_size=1.5,
    end="inception_4c/output",
    jitter=32,
    clip=True,
    objective=objective_L2,
):
    """Take one step of gradient ascent on the picture in the net's ``data`` blob.

    Parameters
    ----------
    net : caffe.Classifier
        ``net.blobs['data'].data`` is changed in place; its ``diff`` holds the gradient afterwards,
        rolled by the jitter.
    step_size : float
        Mean change of a pixel, in grey levels.
    end : str
        The layer whose objective is maximised.
    jitter : int
        The picture is rolled by up to this number of pixels, drawn from ``np.random``, and back.
    clip : bool
        Keep the pixels within 0..255.
    objective : callable or Objective
        Given the ``end`` blob, writes the gradient of what is maximised into its ``diff``; or a
        `dreamlib.ascent.objectives.Objective`, which knows its own layers.
    """
    src = net.blobs[net.inputs[0]]
    ox, oy = np.random.randint(-jitter, jitter + 1, 2)
    inplace.roll(src.data[0], ox, oy)

    size = tuple(src.shape)[2:]
    rolled = Window(-int(oy), -int(ox), *size)
    climb(net, end, objective, lambda mask: mask.part(rolled, size, "both"))

    image, gradient = src.data[0], src.diff[0]
    rule = Preprocessing.of(net)
    mean = inplace.mean_abs(gradient)
    if mean > 0:  # where nothing is active there is nowhere to climb; the notebook made NaNs here
        inplace.add_scaled(image, gradient, rule.difference(step_size) / mean)
    inplace.roll(image, -ox, -oy)
    if clip:
        inplace.clip(image, *rule.limits())


@profile
def deepdream(
    net,
    base_img,
    iter_n=10,
    octave_n=4,
    octave_scale=1.4,
    end="inception_4c/output",
    clip=True,
    on_step=None,
    **step_params,
):
    """Dream a picture octave by octave, carrying the detail up.

    Parameters
    ----------
    net : caffe.Classifier
        Its ``data`` blob is reshaped to each octave and holds the last one afterwards.
    base_img : (H, W, 3) ndarray
        RGB, 0..255; uint8 takes a quarter of float32's memory. Not changed.
    iter_n : int
        Steps on each octave.
    octave_n : int
        Number of octaves.
    octave_scale : float
        Ratio between neighbouring octaves.
    end : str
        The layer whose objective is maximised.
    clip : bool
        Keep the pixels within 0..255.
    on_step : callable, optional
        Called with a `Step` after every step. Where it returns True no more steps are taken; the
        detail so far is still carried up to the full size.
    **step_params
        `make_step`'s: `step_size`, `jitter`, `objective`.

    Returns
    -------
    (H, W, 3) ndarray of float32
        RGB; not clipped where `clip` is false.
    """
    height, width = base_img.shape[:2]
    sizes = octave_sizes(height, width, octave_n, octave_scale)
    base_buffer = np.empty(3 * height * width, np.float32)
    detail_buffer = np.empty(3 * max([0] + [h * w for h, w in sizes[:-1]]), np.float32)
    detail = None
    src = net.blobs[net.inputs[0]]
    stopped = False

    for octave, (h, w) in enumerate(sizes):
        phase(f"octave {octave + 1}/{len(sizes)}")
        octave_base = _octave_base(net, base_img, sizes[octave:], base_buffer)
        src.reshape(1, 3, h, w)
        image = src.data[0]
        if detail is None:
            image[:] = octave_base
        else:
            resize(detail, out=image)
            image += octave_base
        for iteration in range(0 if stopped else iter_n):
            make_step(net, end=end, clip=clip, **step_params)
            if on_step is not None and on_step(Step(octave, iteration, end, (h, w), h * w)):
                stopped = True
                break
        if octave < octave_n - 1:
            detail = as_picture(detail_buffer, 3, (h, w))
            np.subtract(src.data[0], octave_base, out=detail)
    return deprocess(net, src.data[0], out=base_buffer.reshape(height, width, 3))


@profile
def _octave_base(net, base_img, sizes, buffer):
    """Make an octave of the undreamt picture at the start of `buffer`.

    The notebook keeps every octave as floats. Here each is made anew from the source when its turn
    comes, by the same chain of reductions: `sizes` from this octave's up to the source's own.
    """
    size = sizes[-1]
    octave_base = preprocess(net, base_img, out=as_picture(buffer, 3, size))
    for smaller in sizes[-2::-1]:
        octave_base = shrink_in_place(buffer, 3, size, smaller)
        size = smaller
    return octave_base
