"""Draw a class: gradient ascent on its score, blurred at every step, from small to large.

After Audun Øygard, "Visualizing GoogLeNet Classes" (2015). Plain ascent on a class score ends in
noise of high frequency that the network takes for the class. Blurring the picture after every step
takes that away again, and what survives are shapes; the blur grows weaker as the drawing goes on,
and octaves of growing size add detail. What is drawn when is data: see
`dreamlib.ascent.octave_script`.
"""

from __future__ import annotations

import contextlib
import math
from typing import NamedTuple

import numpy as np

from dreamlib.dream import Step, climb
from dreamlib.errors import DreamError, nearest
from dreamlib.imaging import inplace
from dreamlib.imaging.picture import Noise
from dreamlib.imaging.resample import as_picture, resize, shrink_in_place
from dreamlib.models.layers import dreamable_layers
from dreamlib.models.preprocessing import Preprocessing, deprocess, preprocess
from dreamlib.util.profiling import phase, profile

#: What a drawing from noise begins with, in grey levels: mean of red, green and blue; deviation.
GREY, DEVIATION = (124, 116, 104), 8


class Sketch(NamedTuple):
    """A drawing on its way: all that is needed to go on with it."""

    octave: int  #: number of the octave that is drawn, from 0
    steps: int  #: made on it
    image: np.ndarray  #: (3, h, w) float32, the network's values
    random: tuple  #: ``np.random.get_state()``


@profile
def deepdraw(
    net,
    base_img,
    script,
    aim,
    class_layer,
    whole=False,
    keep=False,
    clip=True,
    on_step=None,
    on_gradient=None,
    sketch=None,
    on_sketch=None,
):
    """Draw what objectives ask for into a picture.

    The network sees a window of its own input size, at a random place where the picture is larger,
    drawn from ``np.random``.

    Parameters
    ----------
    net : caffe.Classifier
        Its ``data`` blob is overwritten.
    base_img : (H, W, 3) ndarray
        RGB, 0..255, of the size that the drawing is to have: a photograph, or `grey_noise`. Not
        changed.
    script : list of dreamlib.ascent.octave_script.Octave
    aim : callable
        Given the name of an octave's layer, returns the objective: see `objectives.class_scores`.
    class_layer : str
        The layer of octaves that name none.
    whole : bool
        The network sees the whole picture: for networks that take any size, see
        `dreamlib.models.fully_convolutional`.
    keep : bool
        Blur only what was drawn, not `base_img` underneath: for photographs. Takes another
        picture's memory.
    clip : bool
        Keep the pixels within 0..255.
    on_step : callable, optional
        Called with a `Step` after every step. Where it returns True no more steps are taken.
    on_gradient : callable, optional
        As for `dreamlib.dream.make_step`.
    sketch : Sketch, optional
        Go on from there, to the very drawing that would have come of it; sets ``np.random``'s
        state.
    on_sketch : callable, optional
        Called after every step with what makes a `Sketch`, and whether it is the last step that is
        taken: ``on_sketch(make, last)``. What ``make()`` returns shares its image with the drawing.

    Returns
    -------
    (H, W, 3) ndarray of float32
        RGB; not clipped where `clip` is false.

    Raises
    ------
    DreamError
        A layer that the network does not have, or a picture smaller than the network's input.
    """
    height, width = base_img.shape[:2]
    window = tuple(int(side) for side in net.crop_dims)
    if height < window[0] or width < window[1]:
        raise DreamError(
            f"the picture is {width} x {height} and the network looks at windows of {window[1]} x "
            f"{window[0]}; enlarge the picture to at least that"
        )
    check_layers(net, script, class_layer)
    sizes = drawing_sizes((height, width), script, window)
    buffer, spare = (np.empty(3 * height * width, np.float32) for _ in range(2))
    preprocess(net, base_img, out=as_picture(buffer, 3, (height, width)))
    first = sketch.octave if sketch else 0
    image = shrink_in_place(buffer, 3, (height, width), sizes[first])
    base = image.copy() if keep else None
    if sketch:
        image[...] = sketch.image
        np.random.set_state(sketch.random)
    stopped = False
    for number, (octave, size) in enumerate(zip(script[first:], sizes[first:]), first):
        phase(f"octave {number + 1}/{len(sizes)}")
        if image.shape[1:] != size:
            if keep:
                image -= base
            resize(image, out=as_picture(spare, 3, size))
            buffer, spare = spare, buffer
            image = as_picture(buffer, 3, size)
            if keep:
                preprocess(net, base_img, out=as_picture(spare, 3, (height, width)))
                base = shrink_in_place(spare, 3, (height, width), size).copy()
                image += base
        layer = octave.layer or class_layer
        objective = aim(layer)
        seen = size if whole else window
        steps = windows_of(octave, size, seen)
        made = sketch.steps if sketch and number == first else 0
        for iteration in range(made, 0 if stopped else steps):
            step_size, sigma = octave.at(iteration / max(1, steps - 1))
            with _window(image, base, seen, octave.jitter) as (part, under):
                _climb(net, part, layer, objective, step_size, on_gradient)
                _settle(net, part, under, sigma, clip)
            step = Step(number, iteration, layer, size, seen[0] * seen[1])
            stopped = on_step is not None and bool(on_step(step))
            if on_sketch is not None:
                state = number, iteration + 1, image
                on_sketch(lambda state=state: Sketch(*state, np.random.get_state()), stopped)
            if stopped:
                break
    return deprocess(net, image, out=spare.reshape(height, width, 3))


def check_layers(net, script, class_layer):
    """Refuse a script with layers that cannot be dreamt, by a `DreamError`."""
    names = [name for name, _, _ in dreamable_layers(net)]
    for octave in script:
        layer = octave.layer or class_layer
        if layer not in names:
            raise DreamError(
                f"the network has no layer {layer!r} to draw (all: --list-layers)"
                f"{nearest(layer, names)}"
            )


def windows_of(octave, size, window):
    """Count the windows of an octave, so that a pixel takes its `iter_n` steps on average."""
    return math.ceil(octave.iter_n * (size[0] * size[1]) / (window[0] * window[1]))


@contextlib.contextmanager
def _window(image, base, size, jitter):
    """Open a window on the picture, and on what it was drawn on: views (3, h, w), or None.

    The pictures are rolled only where the window cannot move: else the network's strides would
    draw a lattice there.
    """
    top, left = (_place(*pair) for pair in zip(image.shape[1:], size))
    dy, dx = (
        np.random.randint(-jitter, jitter + 1) if side == seen else 0
        for side, seen in zip(image.shape[1:], size)
    )
    pictures = [image] if base is None else [image, base]
    for picture in pictures:
        inplace.roll(picture, dx, dy)
    parts = [picture[:, top : top + size[0], left : left + size[1]] for picture in pictures]
    yield parts[0], None if base is None else parts[1]
    for picture in pictures:
        inplace.roll(picture, -dx, -dy)


def _climb(net, part, layer, objective, step_size, on_gradient):
    """Take a step of gradient ascent from a window; the result is in the net's ``data``."""
    source = net.blobs["data"]
    source.reshape(1, *part.shape)
    source.data[0] = part
    climb(net, layer, objective)
    seen, gradient = source.data[0], source.diff[0]
    mean = on_gradient(gradient, seen) if on_gradient else inplace.mean_abs(gradient)
    if mean > 0:  # where nothing is active there is nowhere to climb
        inplace.add_scaled(seen, gradient, Preprocessing.of(net).difference(step_size) / mean)


def _settle(net, part, under, sigma, clip):
    """Blur what is in the net's ``data`` and put it into the window; `under` is not blurred."""
    seen = net.blobs["data"].data[0]
    if under is not None:
        seen -= under
    blur(seen, sigma)
    if under is not None:
        seen += under
    if clip:
        inplace.clip(seen, *Preprocessing.of(net).limits())
    part[...] = seen


def _place(length, window):
    """Where along an axis a window lies: it is drawn beyond the ends and moved inside.

    Else the pixels near the ends would hardly ever be seen.
    """
    free = length - window
    overhang = min(free, window) // 4
    return int(np.clip(np.random.randint(-overhang, free + overhang + 1), 0, free))


def drawing_sizes(size, script, window):
    """Sizes (list of (height, width)) of the octaves: the last is `size`, none below `window`."""
    sizes = [tuple(size)]
    for octave in reversed(script[1:]):
        smaller = (round(side / octave.scale) for side in sizes[-1])
        sizes.append(tuple(max(pair) for pair in zip(smaller, window)))
    return sizes[::-1]


def grey_noise(height, width, seed):
    """Make the grey, hardly noisy picture that a drawing begins with: a `Noise`."""
    return Noise(height, width, seed, GREY, DEVIATION)


def blur(image, sigma):
    """Blur a picture with a Gaussian, in place.

    Rows, then columns; scipy filters a line through a buffer of its own, so that a plane can be its
    own output, and scratch is a few lines. Beyond its borders the picture is mirrored.

    Parameters
    ----------
    image : (C, H, W) ndarray of float32
        Changed.
    sigma : float
        In pixels; 0 changes nothing.
    """
    from scipy.ndimage import gaussian_filter1d

    if sigma > 0:
        for plane in image:
            for axis in (1, 0):
                gaussian_filter1d(plane, sigma, axis=axis, output=plane)
