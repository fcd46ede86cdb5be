"""A tile's turn: from the canvas through the network's `make_step` and back."""

from __future__ import annotations

import numpy as np

from . import inplace
from .dream import Preprocessing, climb, make_step
from .encoding import Encoding
from .engines import engine_name
from .objectives import objective_L2
from .profiling import profile


def make_painter(net, *args, **kwargs):
    """Make the painter that suits a net's engine.

    Parameters
    ----------
    net : caffe.Classifier
    *args, **kwargs
        As for `Painter`.

    Returns
    -------
    Painter or dreamlib.pycaffe.painter.DevicePainter
        The latter for our engine, where tiles stay on the network's device.
    """
    if engine_name(net) == "caffe":
        return Painter(net, *args, **kwargs)
    from .pycaffe.painter import DevicePainter  # needs torch, which real Caffe's machine may lack

    return DevicePainter(net, *args, **kwargs)


class Painter:
    """Paints visits with one net, of any engine.

    Parameters
    ----------
    net : caffe.Classifier
    dtype : {uint8, uint16, float32}
        Of the canvases.
    end, step_size, clip, objective
        As for `dreamlib.dream.make_step`.
    steps : int
        Steps of ascent in a visit.
    looks : dreamlib.looks.Looks, optional
        What is done to gradients.
    """

    def __init__(
        self, net, dtype, end, step_size=1.5, clip=True, objective=objective_L2, steps=1, looks=None
    ):
        self.encoding = Encoding(Preprocessing.of(net), dtype)
        self._net, self._end, self._objective = net, end, objective
        self._ascent = {"step_size": step_size, "clip": clip}
        self._steps, self._looks = steps, looks

    @profile
    def paint(self, visit, canvas, target, mean_gradient, turn):
        """Dream a tile.

        Parameters
        ----------
        visit : dreamlib.tiles.Visit
        canvas : dreamlib.canvas.Canvas
            Read.
        target : dreamlib.canvas.Canvas
            The tile's core is written there; may be `canvas`.
        mean_gradient : float or None
            See `make_step`.
        turn : int
            See `Encoding.encode`.

        Returns
        -------
        float
            Sum of the gradient's absolute values over the core, before the first step.
        """
        image = self._load(visit, canvas)
        before = None if visit.row_weight is None else core_of(image, visit).copy()
        strength = strength_of(self._looks, visit, canvas)
        sums = []

        def on_gradient(gradient, image):
            if self._looks:
                self._looks.shape(gradient)
            sums.append(sum_abs(core_of(gradient, visit)))
            if mean_gradient is None:
                mean = inplace.mean_abs(gradient)
            else:
                # Within a visit gradients grow; the picture's mean is taken to grow with them.
                mean = mean_gradient * (sums[-2] / sums[0] if len(sums) > 1 and sums[0] else 1)
            if self._looks:
                self._looks.steer(gradient, image, mean, self.encoding.rule, None, strength)
            return mean

        for _ in range(self._steps):
            make_step(
                self._net, end=self._end, jitter=0, objective=self._objective, **self._ascent,
                on_gradient=on_gradient,
            )  # fmt: skip
        core = core_of(self._net.blobs["data"].data[0], visit)
        if before is not None:
            blend(core, before, visit.row_weight, visit.column_weight)
        target.write(visit.core, self.encoding.encode(core, visit.core, turn))
        return sums[0]

    def measure(self, visit, canvas):
        """Return what `paint` would, but leave the picture as it is."""
        self._load(visit, canvas)
        climb(self._net, self._end, self._objective)
        gradient = self._net.blobs["data"].diff[0]
        if self._looks:
            self._looks.shape(gradient)
        return sum_abs(core_of(gradient, visit))

    def _load(self, visit, canvas):
        blob = self._net.blobs["data"]
        blob.reshape(1, 3, visit.window.height, visit.window.width)
        return self.encoding.decode(canvas.read(visit.window), blob.data[0])


def strength_of(looks, visit, canvas):
    """Return a mask's strength for each pixel of a visit's window, (h, w) float32; None if none."""
    if looks is None or not looks.masks_steps:
        return None
    return looks.mask.part(visit.window, canvas.shape[:2], canvas.wrap)


# What follows is the same for arrays and for PyTorch's tensors, unless it says otherwise.


def core_of(image, visit):
    """View the core of a window's picture (..., h, w)."""
    top, left = visit.core.top - visit.window.top, visit.core.left - visit.window.left
    return image[..., top : top + visit.core.height, left : left + visit.core.width]


def blend(image, before, row_weight, column_weight):
    """Feather a dreamt picture (3, h, w) into what was there before, in place.

    Parameters
    ----------
    image, before : (3, h, w) float32
        `image` is changed, `before` is not.
    row_weight, column_weight : (h,) and (w,) float32
        Their product is each pixel's weight in what it becomes.
    """
    image -= before
    image *= row_weight[:, None]
    image *= column_weight
    image += before


def sum_abs(gradient):
    """Sum the absolute values of an ndarray (3, h, w), in double precision: a float."""
    return sum(float(np.abs(plane).sum(dtype=np.float64)) for plane in gradient)
