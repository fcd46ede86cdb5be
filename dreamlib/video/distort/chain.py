"""Chains of distortions: read, written, and applied one after the other."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError, nearest
from dreamlib.video.distort import affine, lines, python_function, values
from dreamlib.video.distort.fields import Fields, Malformed, Whole, split
from dreamlib.video.distort.registry import KINDS

#: The modules of the distortions, in the order of the help.
MODULES = [m.__name__ for m in (affine, lines, values, python_function)]

#: Names of all distortions, in the order of the help.
NAMES = tuple(sorted(KINDS, key=lambda name: MODULES.index(KINDS[name].function.__module__)))

#: Names of those that anybody may write: they run no code of the writer's.
WITHOUT_CODE = tuple(name for name in NAMES if name != "python")

#: A chain without distortions.
NONE = "none"

#: Of the field ``every=N``.
EVERY = Whole(1, 1_000_000)


class Moment(NamedTuple):
    """When a distortion is applied."""

    frame: int  #: number of the frame, from 0
    turn: int  #: number of times that the distortion was applied before
    key: tuple  #: the chain's seed, and the distortion's place in the chain

    def random(self, steady=False):
        """Make a random stream that depends on the key and the frame alone.

        Parameters
        ----------
        steady : bool
            On the key alone: each frame draws the same.

        Returns
        -------
        numpy.random.RandomState
        """
        return np.random.RandomState(self.key if steady else (*self.key, self.frame))


class Part(NamedTuple):
    """One distortion of a chain."""

    distortion: object
    every: int  #: it is applied to the frames 0, every, 2 * every...
    default_every: int  #: of the chain: need not be written

    def __str__(self):
        every = "" if self.every == self.default_every else f":every={self.every}"
        return f"{self.distortion}{every}"


class Chain:
    """Distortions that are applied one after the other; made by `parse_chain`.

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

        Neighbouring affine maps are joined into one resampling, which is sharper and faster than
        one after the other.

        Parameters
        ----------
        picture : (H, W, 3) ndarray of float32
            RGB, 0 to 255; C-contiguous. Changed in place; scratch of one plane at most, except for
            a Python function's own and `palette`'s 8-bit copies.
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
            if distortion.kind.is_map:
                # The later map is looked up first: it leads into the one before it.
                later = distortion(*picture.shape[:2])
                pending = later if pending is None else pending.after(later)
                continue
            if pending is not None:
                affine.resample(picture, pending)
                pending = None
            key = (self.seed % 2**32, place)
            distortion(picture, Moment(frame, frame // part.every, key))
        if pending is not None:
            affine.resample(picture, pending)


def parse_chain(text, seed=0, every=1, kinds=NAMES):
    """Read a chain of distortions.

    Parameters
    ----------
    text : str
        Distortions with commas between them, see `forms`: ``"zoom:0.05, roll:rows:sine(12,80)"``.
        Each may end in ``:every=N``; ``none`` is the chain without any.
    seed : int
        Of random distortions.
    every : int
        Distort every Nth frame, where a distortion does not say otherwise itself.
    kinds : tuple of str
        Names of the distortions that may be written; `WITHOUT_CODE` for texts of strangers.

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


def forms(kinds=NAMES):
    """List the distortions that can be written: (name, form, help), each a str of one line.

    Parameters
    ----------
    kinds : tuple of str
        Their names.

    Returns
    -------
    list of tuple
    """
    return [(name, KINDS[name].form, KINDS[name].help) for name in kinds]


def runs_code(text):
    """Tell whether a chain has a distortion that runs its writer's code; none is run for it.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
    """
    return any(_name(part) in NAMES and _name(part) not in WITHOUT_CODE for part in _parts(text))


def _name(part):
    return re.match(r"[^:,\s]*", part)[0]


def _parts(text):
    """Cut a chain into its parts: a number after a comma belongs to the part before it.

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
    name = _name(part)
    if name not in kinds:
        raise DreamError(
            f"distortion {part!r}: there is no distortion {name!r}{nearest(name, kinds)}; expected "
            f"{', '.join(kinds)}, as zoom:0.05, with commas between them, or {NONE}"
        )
    kind, rest = KINDS[name], part[len(name) :].strip()
    try:
        if rest and rest[0] != ":":
            raise Malformed(f"{rest!r} has no meaning there")
        fields = Fields(split(rest[1:], ":") if rest else [])
        every = fields.named("every")
        every = default_every if every is None else EVERY.read(every, "every")
        distortion = kind.read(fields)
        fields.end()
    except Malformed as error:
        raise DreamError(f"distortion {part!r}: {error}; expected {kind.form}: {kind.help}") from (
            error.__cause__
        )
    return Part(distortion, every, default_every)
