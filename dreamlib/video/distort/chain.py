"""Chains of distortions: read, written, and done one after the other."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError, nearest
from dreamlib.video.distort.affine import Affine, Regions, Rotate, Shift, Stretch, Zoom, resample
from dreamlib.video.distort.blur import Blur
from dreamlib.video.distort.colours import Hue, Palette
from dreamlib.video.distort.edges import Prewitt, Sobel
from dreamlib.video.distort.fields import Fields, Malformed, split, whole
from dreamlib.video.distort.pixelsort import PixelSort
from dreamlib.video.distort.python_function import PythonFunction
from dreamlib.video.distort.roll import Roll

#: All distortions, in the order of the help. What a class must have: see `forms` and `Moment`, and
#: docs/distortions.md.
KINDS = (
    *(Zoom, Stretch, Rotate, Shift, Affine, Regions),
    *(Roll, PixelSort),
    *(Blur, Sobel, Prewitt, Hue, Palette),
    PythonFunction,
)

#: Those that anybody may write: they run no code of the writer's.
WITHOUT_CODE = tuple(kind for kind in KINDS if kind is not PythonFunction)

#: A chain without distortions.
NONE = "none"

MOST_FRAMES = 1_000_000


class Moment(NamedTuple):
    """When a distortion is done."""

    frame: int  #: number of the frame, from 0
    turn: int  #: how often the distortion was done before
    key: tuple  #: the chain's seed, and the distortion's place in the chain

    def random(self, steady=False):
        """Return a RandomState that depends on the key and the frame alone; steady, on the key."""
        return np.random.RandomState(self.key if steady else (*self.key, self.frame))


class Part(NamedTuple):
    """One distortion of a chain."""

    distortion: object
    every: int  #: it is done on the frames 0, every, 2 * every...
    default_every: int  #: of the chain: needs not be written

    def __str__(self):
        every = "" if self.every == self.default_every else f":every={self.every}"
        return f"{self.distortion}{every}"


class Chain:
    """Distortions that are done one after the other; made by `parse_chain`.

    Parameters
    ----------
    parts : sequence of Part
    seed : int
    """

    def __init__(self, parts, seed=0):
        self.parts, self.seed = tuple(parts), seed

    def __str__(self):
        return ", ".join(map(str, self.parts)) or NONE

    def __repr__(self):
        return f"Chain({self})"

    def apply(self, picture, frame):
        """Distort a picture, in place.

        Neighbouring distortions that only move pixels about by an affine map are done in one
        resampling: that is sharper than one after the other, and faster.

        Parameters
        ----------
        picture : (H, W, 3) ndarray of float32
            RGB, 0 to 255; C-contiguous. Changed in place; scratch of one plane at most, but for a
            Python function's own and `palette`'s 8-bit copies.
        frame : int
            Number of the frame, from 0. With the seed it is all that random distortions depend on.

        Raises
        ------
        DreamError
            A Python function failed.
        """
        if picture.dtype != np.float32 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"distortions need (H, W, 3) of float32, got {picture.shape} of {picture.dtype}"
            )
        if not picture.flags.c_contiguous:
            raise ValueError("distortions need a C-contiguous picture")
        pending = None
        for place, part in enumerate(self.parts):
            if frame % part.every:
                continue
            distortion = part.distortion
            if hasattr(distortion, "map_of"):
                # What is done later is looked up first: its map leads into the one before it.
                later = distortion.map_of(*picture.shape[:2])
                pending = later if pending is None else pending.after(later)
                continue
            if pending is not None:
                resample(picture, pending)
                pending = None
            key = (self.seed % 2**32, place)
            distortion.apply(picture, Moment(frame, frame // part.every, key))
        if pending is not None:
            resample(picture, pending)


def parse_chain(text, seed=0, every=1, kinds=KINDS):
    """Read a chain of distortions.

    Parameters
    ----------
    text : str
        Distortions with commas between them, see `forms`: ``"zoom:0.05, roll:rows:sine(12,80)"``.
        Each may end in ``:every=N``; ``none`` is the chain without any.
    seed : int
        What random distortions draw by.
    every : int
        Distort every so many frames, where a distortion does not say otherwise itself.
    kinds : tuple
        Distortions that may be written; `WITHOUT_CODE` for texts of strangers.

    Returns
    -------
    Chain

    Raises
    ------
    DreamError
        Names the part that cannot be read and shows its form.
    """
    if text.strip() == NONE:
        return Chain((), seed)
    return Chain([_read(part, every, kinds) for part in _parts(text)], seed)


def forms(kinds=KINDS):
    """Tell what can be written: a list of (name, form, help), each a str of one line."""
    return [(kind.NAME, kind.FORM, kind.HELP) for kind in kinds]


def _parts(text):
    """Cut a chain into its parts: what follows a comma and is a number belongs to what came before.

    So ``shift:3,4, zoom:0.05`` has two parts.
    """
    try:
        pieces = split(text, ",")
    except Malformed as error:
        raise DreamError(f"distortions {text!r}: {error}; expected one ( for each )") from None
    parts = []
    for piece in pieces:
        if parts and re.match(r"[-+]?\.?\d|$", piece):
            parts[-1] += f",{piece}"
        else:
            parts.append(piece)
    return parts


def _read(part, default_every, kinds):
    kinds = {kind.NAME: kind for kind in kinds}
    name = re.match(r"[^:,\s]*", part)[0]
    if name not in kinds:
        raise DreamError(
            f"distortion {part!r}: there is no distortion {name!r}{nearest(name, kinds)}; expected "
            f"{', '.join(kinds)}, as zoom:0.05, with commas between them, or {NONE}"
        )
    kind, rest = kinds[name], part[len(name) :].strip()
    try:
        if rest and rest[0] != ":":
            raise Malformed(f"{rest!r} has no meaning there")
        fields = Fields(split(rest[1:], ":") if rest else [])
        every = fields.named("every")
        every = default_every if every is None else whole(every, "every", 1, MOST_FRAMES)
        distortion = kind.read(fields)
        fields.end()
    except Malformed as error:
        raise DreamError(f"distortion {part!r}: {error}; expected {kind.FORM}: {kind.HELP}") from (
            error.__cause__
        )
    return Part(distortion, every, default_every)
