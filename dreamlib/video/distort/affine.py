"""Distortions that move pixels by an affine map, and `regions`, by many small ones.

A map gives the place in the old picture, in rows and columns, that each pixel of the result comes
from. Values between pixels are interpolated linearly. Beyond its borders the picture continues as
its mirror image, which joins it without an edge. Wrapped round, it would meet its other side in a
hard edge, which a network sees and draws out; in black, nothing grows.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np
import scipy.ndimage as nd

from dreamlib.video.distort.fields import Malformed, Number, Numbers, Size, Word
from dreamlib.video.distort.registry import distortion


class Map(NamedTuple):
    """``place in the old picture = matrix @ place in the new one + offset``, in (row, column)."""

    matrix: np.ndarray  #: (2, 2) of float64
    offset: np.ndarray  #: (2,) of float64

    def after(self, later):
        """Join two maps into one: `later` is done after this one.

        Parameters
        ----------
        later : Map

        Returns
        -------
        Map
        """
        return Map(self.matrix @ later.matrix, self.matrix @ later.offset + self.offset)


def _map_around(matrix, centre, shift=(0, 0)):
    """Make a map that leaves a place, (row, column), where it is, except for a shift."""
    matrix, centre = np.float64(matrix), np.float64(centre)
    return Map(matrix, centre - matrix @ centre + np.float64(shift))


def _centre_of(height, width):
    return (height - 1) / 2, (width - 1) / 2


def resample(picture, affine_map):
    """Move pixels by an affine map, in place.

    Parameters
    ----------
    picture : (h, w, 3) ndarray of float32
        Changed in place; scratch of one plane. May be a part of a larger picture.
    affine_map : Map
    """
    matrix, offset = affine_map
    diagonal = np.diagonal(matrix)
    if np.array_equal(matrix, np.diag(diagonal)):
        if (diagonal == 1).all() and not offset.any():
            return
        matrix = diagonal  # the faster way, and the bits of the notebook
    plane = np.empty(picture.shape[:2], np.float32)
    for channel in range(picture.shape[2]):
        plane[:] = picture[..., channel]
        with warnings.catch_warnings():
            # scipy 0.18 gave such matrices another meaning, and its followers still say so.
            warnings.filterwarnings("ignore", "The behavior of affine_transform", UserWarning)
            nd.affine_transform(
                plane, matrix, offset, output=picture[..., channel], order=1, mode="mirror"
            )


@distortion(
    "zoom in by a share of the picture, as 0.05, or out by -0.05; towards the middle, or X and Y "
    "of its width and height, 0 to 1",
    is_map=True,
)
def zoom(height, width, share: Number(-1, 0.99), x: Number(0, 1) = 0.5, y: Number(0, 1) = 0.5):
    """Zoom in: with the middle for its focus, the notebook's code to the bit.

    Source: ``nd.affine_transform(frame, [1-s,1-s,1], [h*s/2,w*s/2,0], order=1)`` in the 2015
    notebook.

    Parameters
    ----------
    height, width : int
    share : float
        Of the picture that goes out of sight; below 0, that comes into sight.
    x, y : float
        The focus, 0 to 1 of width and height.

    Returns
    -------
    Map
    """
    return Map(np.diag([1 - share] * 2), np.float64([height * share * y, width * share * x]))


@distortion("zoom by a share of the width or height, along that axis alone", is_map=True)
def stretch(height, width, axis: Word("x", "y"), share: Number(-1, 0.99)):
    """Zoom along one axis.

    Parameters
    ----------
    height, width : int
    axis : {'x', 'y'}
    share : float
        As in `zoom`.

    Returns
    -------
    Map
    """
    both, along = zoom(height, width, share), 0 if axis == "y" else 1
    matrix, offset = np.eye(2), np.zeros(2)
    matrix[along, along], offset[along] = both.matrix[along, along], both.offset[along]
    return Map(matrix, offset)


@distortion("rotate about the middle, clockwise; mirrored corners come into sight", is_map=True)
def rotate(height, width, degrees: Number()):
    """Rotate about the middle.

    Parameters
    ----------
    height, width : int
    degrees : float
        Clockwise.

    Returns
    -------
    Map
    """
    angle = math.radians(degrees % 360)
    # Rounded so that quarter turns move pixels onto pixels.
    cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
    return _map_around([[cosine, -sine], [sine, cosine]], _centre_of(height, width))


@distortion("move by DX pixels to the right and DY downwards; mirrored pixels come into sight",
            is_map=True)  # fmt: skip
def shift(height, width, by: Numbers("DX", "DY")):
    """Move the picture.

    Parameters
    ----------
    height, width : int
    by : tuple of float
        Pixels to the right and downwards.

    Returns
    -------
    Map
    """
    return Map(np.eye(2), np.float64([-by[1], -by[0]]))


def _check_affine(numbers):
    if numbers[0] * numbers[4] == numbers[1] * numbers[3]:
        raise Malformed("A*E - B*D is 0: nothing would be left of the picture but a line")


@distortion(
    "the pixel X, Y from the middle is taken from A*X + B*Y + C, D*X + E*Y + F; nothing changes "
    "with 1,0,0,0,1,0",
    is_map=True, check=_check_affine,
)  # fmt: skip
def affine(height, width, numbers: Numbers(*"ABCDEF")):
    """Map by six numbers in Pillow's order, but about the middle.

    Parameters
    ----------
    height, width : int
    numbers : tuple of float
        A to F: the pixel X, Y comes from A*X + B*Y + C, D*X + E*Y + F.

    Returns
    -------
    Map
    """
    a, b, c, d, e, f = numbers
    return _map_around([[e, d], [b, a]], _centre_of(height, width), [f, c])


@distortion(
    "a random small affine map in each of ROWS x COLUMNS parts, other ones in each frame unless "
    "steady; STRENGTH, 0.05 if not given, is the largest share by which something moves"
)
def regions(picture, moment, size: Size(), strength: Number(0, 1) = 0.05, steady: bool = False):
    """Map each part of the picture by itself.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of a region's plane.
    moment : dreamlib.video.distort.chain.Moment
    size : tuple of int
        Number of rows and columns of parts.
    strength : float
        Largest change of the map's factors, and shift as a share of the part.
    steady : bool
        The same maps in every frame.
    """
    height, width = picture.shape[:2]
    random = moment.random(steady)
    rows, columns = (
        np.linspace(0, length, count + 1).astype(int)
        for length, count in zip((height, width), size)
    )
    for top, bottom in zip(rows, rows[1:]):
        for left, right in zip(columns, columns[1:]):
            drawn = random.uniform(-strength, strength, 6)
            if top < bottom and left < right:
                part = picture[top:bottom, left:right]
                matrix, size = np.eye(2) + drawn[:4].reshape(2, 2), part.shape[:2]
                resample(part, _map_around(matrix, _centre_of(*size), drawn[4:] * size))
