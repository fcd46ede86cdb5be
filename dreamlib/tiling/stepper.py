"""A tile's turn: from the canvas through the network's `make_step` and back."""

from __future__ import annotations

import numpy as np

from dreamlib.ascent.objectives import objective_L2
from dreamlib.dream import climb, make_step
from dreamlib.imaging import inplace
from dreamlib.models.engines import engine_name
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.quantize import Encoding
from dreamlib.util.profiling import profile


def make_painter(net, *args, **kwargs):
    """Make the painter that suits a net's engine.

    Parameters
    ----------
    net : caffe.Classifier
    *args, **kwargs
        As for `Painter`.

    Returns
    -------
    Painter or dreamlib.tiling.device_stepper.DevicePainter
        The latter for our engine, where tiles stay on the network's device.
    """
    if engine_name(net) == "caffe":
        return Painter(net, *args, **kwargs)
    from dreamlib.tiling.device_stepper import DevicePainter

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
    looks : dreamlib.ascent.regularizers.Looks, optional
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
    def paint(self, visit, canvas, target, mean_gradient, turn, deviations=None, base=None):
        """Dream a tile.

        Parameters
        ----------
        visit : dreamlib.tiling.schedule.Visit
        canvas : dreamlib.tiling.canvas.Canvas
            Read.
        target : dreamlib.tiling.canvas.Canvas
            The tile's core is written there; may be `canvas`.
        mean_gradient : float or None
            See `make_step`.
        turn : int
            See `Encoding.encode`.
        deviations : list of float, optional
            Of the gradient's bands, where looks split it: see `normalise_laplacian`.
        base : dreamlib.tiling.canvas.Canvas, optional
            The undreamt picture, where looks pull towards it.

        Returns
        -------
        tuple of float
            Sums over the core, before the first step: of the gradient's absolute values, then of
            the squares of each of its bands, if looks split it.
        """
        image = self._load(visit, canvas)
        before = None if visit.row_weight is None else core_of(image, visit).copy()
        strength = strength_of(self._looks, visit, canvas)
        undreamt = None
        if base is not None:
            undreamt = self.encoding.decode(base.read(visit.window), np.empty_like(image))
        sums = []

        def on_gradient(gradient, image):
            sums.append(self._sums(gradient, visit, deviations))
            if mean_gradient is None:
                mean = inplace.mean_abs(gradient)
            else:
                # Within a visit gradients grow; the picture's mean is taken to grow with them.
                known = len(sums) > 1 and sums[0][0]
                mean = mean_gradient * (sums[-2][0] / sums[0][0] if known else 1)
            if self._looks:
                rule = self.encoding.rule
                self._looks.steer(gradient, image, mean, rule, undreamt, strength)
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
        return self._sums(self._net.blobs["data"].diff[0], visit)

    def _sums(self, gradient, visit, deviations=None):
        """Shape a gradient by the looks, in place; return what a visit reports of it."""
        squares = []
        if self._looks:
            squares = self._looks.shape(gradient, deviations, core_slices(visit))
        return (sum_abs(core_of(gradient, visit)), *map(float, squares))

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
    return image[(..., *core_slices(visit))]


def core_slices(visit):
    """Return the rows and the columns of a window that are its core: two slices."""
    top, left = visit.core.top - visit.window.top, visit.core.left - visit.window.left
    return slice(top, top + visit.core.height), slice(left, left + visit.core.width)


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
