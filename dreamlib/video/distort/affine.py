"""Distortions that move pixels by an affine map, and `regions`, by many small ones.

A map says for every pixel of the result where in the old picture it comes from, in rows and
columns. Values between pixels are interpolated linearly. Beyond its borders the picture goes on
mirrored: what comes into sight is new to the film and fits on without an edge. Repeated at its
other side it would meet itself in a hard edge, which a network sees and draws out; and in black
nothing grows.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.ndimage as nd

from dreamlib.video.distort.fields import Malformed, whole, written


class Map(NamedTuple):
    """``place in the old picture = matrix @ place in the new one + offset``, in (row, column)."""

    matrix: np.ndarray  #: (2, 2) of float64
    offset: np.ndarray  #: (2,) of float64

    def after(self, later):
        """Return the map that is this one and then a later one."""
        return Map(self.matrix @ later.matrix, self.matrix @ later.offset + self.offset)


def map_around(matrix, centre, shift=(0, 0)):
    """Return a map that leaves a place where it is, but for a shift: all in (row, column)."""
    matrix, centre = np.float64(matrix), np.float64(centre)
    return Map(matrix, centre - matrix @ centre + np.float64(shift))


def centre_of(height, width):
    """Return the place in the middle of a picture: (row, column)."""
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


@dataclass(frozen=True)
class Zoom:
    """Zoom in: with the middle for its focus, the notebook's code to the bit.

    Source: ``nd.affine_transform(frame, [1-s,1-s,1], [h*s/2,w*s/2,0], order=1)`` in the 2015
    notebook.
    """

    share: float
    x: float = 0.5
    y: float = 0.5

    NAME = "zoom"
    FORM = "zoom:SHARE[:X:Y]"
    HELP = (
        "zoom in by a share of the picture, as 0.05, or out by -0.05; towards the middle, or X and "
        "Y of its width and height, 0 to 1"
    )

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        share = fields.number("SHARE", -1, 0.99)
        return cls(share, fields.number("X", 0, 1, 0.5), fields.number("Y", 0, 1, 0.5))

    def __str__(self):
        focus = "" if (self.x, self.y) == (0.5, 0.5) else f":{written(self.x)}:{written(self.y)}"
        return f"zoom:{written(self.share)}{focus}"

    def map_of(self, height, width):
        """Return its `Map` for a size."""
        kept = 1 - self.share
        offset = [height * self.share * self.y, width * self.share * self.x]
        return Map(np.diag([kept, kept]), np.float64(offset))


@dataclass(frozen=True)
class Stretch:
    """Zoom along one axis."""

    axis: str
    share: float

    NAME = "stretch"
    FORM = "stretch:x|y:SHARE"
    HELP = "zoom by a share of the width or height, along that axis alone"

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        return cls(fields.word("the axis", ("x", "y")), fields.number("SHARE", -1, 0.99))

    def __str__(self):
        return f"stretch:{self.axis}:{written(self.share)}"

    def map_of(self, height, width):
        """Return its `Map` for a size."""
        both = Zoom(self.share).map_of(height, width)
        along = 0 if self.axis == "y" else 1
        matrix, offset = np.eye(2), np.zeros(2)
        matrix[along, along], offset[along] = both.matrix[along, along], both.offset[along]
        return Map(matrix, offset)


@dataclass(frozen=True)
class Rotate:
    """Rotate about the middle."""

    degrees: float

    NAME = "rotate"
    FORM = "rotate:DEGREES"
    HELP = "rotate about the middle, clockwise; mirrored corners come into sight"

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        return cls(fields.number("DEGREES"))

    def __str__(self):
        return f"rotate:{written(self.degrees)}"

    def map_of(self, height, width):
        """Return its `Map` for a size."""
        angle = math.radians(self.degrees % 360)
        # Rounded so that quarter turns move pixels onto pixels.
        cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
        return map_around([[cosine, -sine], [sine, cosine]], centre_of(height, width))


@dataclass(frozen=True)
class Shift:
    """Move the picture."""

    dx: float
    dy: float

    NAME = "shift"
    FORM = "shift:DX,DY"
    HELP = "move by so many pixels to the right and downwards; what comes into sight is mirrored"

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        return cls(*fields.numbers("DX", "DY"))

    def __str__(self):
        return f"shift:{written(self.dx)},{written(self.dy)}"

    def map_of(self, height, width):
        """Return its `Map` for a size."""
        return Map(np.eye(2), np.float64([-self.dy, -self.dx]))


@dataclass(frozen=True)
class Affine:
    """Any affine map, its six numbers in Pillow's order, but about the middle."""

    numbers: tuple

    NAME = "affine"
    FORM = "affine:A,B,C,D,E,F"
    HELP = (
        "the pixel X, Y from the middle is taken from A*X + B*Y + C, D*X + E*Y + F; nothing "
        "changes with 1,0,0,0,1,0"
    )

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        numbers = fields.numbers(*"ABCDEF")
        if numbers[0] * numbers[4] == numbers[1] * numbers[3]:
            raise Malformed("A*E - B*D is 0: nothing would be left of the picture but a line")
        return cls(numbers)

    def __str__(self):
        return f"affine:{','.join(map(written, self.numbers))}"

    def map_of(self, height, width):
        """Return its `Map` for a size."""
        a, b, c, d, e, f = self.numbers
        return map_around([[e, d], [b, a]], centre_of(height, width), [f, c])


@dataclass(frozen=True)
class Regions:
    """Another random affine map in each part of the picture."""

    rows: int
    columns: int
    strength: float
    steady: bool

    NAME = "regions"
    FORM = "regions:ROWSxCOLUMNS[:STRENGTH][:steady]"
    HELP = (
        "a random small affine map in each of so many parts, other ones in each frame unless "
        "steady; STRENGTH, 0.05 if not given, is the largest share by which something moves"
    )

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        rows, cross, columns = fields.next("ROWSxCOLUMNS").partition("x")
        if not cross:
            raise Malformed(f"{rows!r} is no size like 3x4")
        rows, columns = whole(rows, "ROWS", 1, 1000), whole(columns, "COLUMNS", 1, 1000)
        steady = fields.flag("steady")
        strength = fields.number("STRENGTH", 0, 1, 0.05)
        return cls(rows, columns, strength, steady or fields.flag("steady"))

    def __str__(self):
        strength = "" if self.strength == 0.05 else f":{written(self.strength)}"
        return f"regions:{self.rows}x{self.columns}{strength}{':steady' * self.steady}"

    def apply(self, picture, moment):
        """Distort a picture, in place; scratch of a region's plane."""
        height, width = picture.shape[:2]
        random = moment.random(self.steady)
        rows = np.linspace(0, height, self.rows + 1).astype(int)
        columns = np.linspace(0, width, self.columns + 1).astype(int)
        for top, bottom in zip(rows, rows[1:]):
            for left, right in zip(columns, columns[1:]):
                drawn = random.uniform(-self.strength, self.strength, 6)
                if top < bottom and left < right:
                    part = picture[top:bottom, left:right]
                    resample(part, self._map(drawn, *part.shape[:2]))

    @staticmethod
    def _map(drawn, height, width):
        matrix = np.eye(2) + drawn[:4].reshape(2, 2)
        return map_around(matrix, centre_of(height, width), drawn[4:] * (height, width))
