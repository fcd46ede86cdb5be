"""A dream, resolved: a list of octaves and the rules of their steps, as plain values.

It is all that a worker needs to take the steps that its parent would, and one JSON text. The
notebook's octaves and an octave script are two ways to make the list.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

from dreamlib.ascent.direct import Direct
from dreamlib.ascent.regularizers import GradientRules
from dreamlib.ascent.spec import ObjectiveSpec
from dreamlib.imaging.picture import Window
from dreamlib.tiling.schedule import OVERLAPPING, Schedule

#: Pixels around a region that are dreamt with it: the network's view, and what resampling reads;
#: and the multiple that a region's corner lies at, so that the network's strides meet it as they
#: do the whole picture.
CONTEXT, STRIDE = 128, 32


class Place(NamedTuple):
    """One phase of a dream; all are counted from 0."""

    octave: int
    pass_: int
    phase: int


class Ramp(NamedTuple):
    """A value that changes evenly over the passes of an octave."""

    begin: float
    end: float

    def at(self, share):
        """Return the value after a `share`, 0 to 1, of the passes.

        Parameters
        ----------
        share : float

        Returns
        -------
        float
        """
        return self.begin + (self.end - self.begin) * share


@dataclass(frozen=True)
class Tiling:
    """How an octave is cut into tiles: see `Schedule`."""

    kind: str
    tile_size: int | None
    overlap: int | None
    jitter: int


@dataclass(frozen=True)
class Octave:
    """The picture at one size.

    Attributes
    ----------
    size : (height, width)
    window : Window
        The part of it that is dreamt.
    steps : int
        That a pixel takes, on average; 0 where the picture is only brought to the size.
    objective : ObjectiveSpec
    step_size : Ramp
        Mean change of a pixel in a step, in grey levels.
    blur : Ramp
        Sigma, in pixels, of the Gaussian that a tile is blurred with after its step; 0, as in the
        notebook, is none.
    tiling : Tiling
    direct : Direct, optional
        How it is drawn by direct ascent; None where the gradient is that of the tile itself.
    """

    size: tuple
    window: Window
    steps: int
    objective: ObjectiveSpec
    step_size: Ramp
    blur: Ramp
    tiling: Tiling
    direct: Direct | None = None


class JudgeSpec(NamedTuple):
    """A network that looks on beside the dream's own, in direct ascent."""

    model: str  #: a folder
    objective: ObjectiveSpec


@dataclass(frozen=True)
class Finish:
    """How the result is mixed with the undreamt picture.

    Attributes
    ----------
    keep_colour : bool
        The undreamt picture's colours, the dream's light and shade.
    strength : float
        Share of the dream in the result.
    mask : str
        Path of a picture of that share; "" is none.
    """

    keep_colour: bool = False
    strength: float = 1.0
    mask: str = ""

    @property
    def is_on(self):
        """Whether there is anything to do."""
        return bool(self.keep_colour or self.strength != 1 or self.mask)


@dataclass(frozen=True)
class Dream:
    """All that decides what a dream of given pixels becomes.

    Attributes
    ----------
    model, engine, precision
        See `dreamlib.models.engines.load_net`; `model` is a folder.
    fully_convolutional : bool
        Whether the model's classifier is made to fit any size.
    octaves : tuple of Octave
    carry : {'detail', 'picture'}
        What of an octave the next one starts from: its difference to the undreamt picture, added
        to that at the new size, as in the notebook; or all of it. A blur leaves alone what is not
        carried.
    storage : {'uint8', 'uint16', 'float32'}
        Of the canvases.
    wrap : {'none', 'horizontal', 'both'}
        Of the canvases: see `Canvas`.
    closed : (bool, bool)
        Axes on which octaves are resampled as rings: see `dreamlib.tiling.pyramid.Resized`.
    seed : int
    clip : bool
        Keep the pixels within 0..255.
    tile_steps : int
        Steps on a tile before the next one is visited.
    gradient : GradientRules
    finish : Finish
    judges : tuple of JudgeSpec
    """

    model: str
    engine: str
    precision: str
    fully_convolutional: bool
    octaves: tuple
    carry: str
    storage: str
    wrap: str
    closed: tuple
    seed: int
    clip: bool
    tile_steps: int
    gradient: GradientRules
    finish: Finish
    judges: tuple = ()

    def passes(self, octave):
        """Return the number of passes over an octave.

        Parameters
        ----------
        octave : int

        Returns
        -------
        int
        """
        return -(-self.octaves[octave].steps // self.tile_steps)

    def passes_before(self, octave):
        """Return the number of passes over all earlier octaves.

        Parameters
        ----------
        octave : int

        Returns
        -------
        int
        """
        return sum(self.passes(earlier) for earlier in range(octave))

    def steps_of(self, place):
        """Return step size, in grey levels, and blur, in pixels, of a pass.

        Parameters
        ----------
        place : Place

        Returns
        -------
        step_size, sigma : float
        """
        octave = self.octaves[place.octave]
        share = place.pass_ / max(1, self.passes(place.octave) - 1)
        return octave.step_size.at(share), octave.blur.at(share)

    def rounding(self, place):
        """Return the number that a phase's roundings are told apart by: see `Quantizer.encode`.

        Parameters
        ----------
        place : Place

        Returns
        -------
        int
        """
        again = place.phase if self.octaves[place.octave].tiling.kind in OVERLAPPING else 0
        return self.passes_before(place.octave) + place.pass_ + again

    def needs_base(self, octave):
        """Tell whether steps on an octave look at its undreamt picture.

        Parameters
        ----------
        octave : int

        Returns
        -------
        bool
        """
        blurs = any(self.octaves[octave].blur)
        held = self.gradient.anchor or self.gradient.keep_forms
        return bool(held) or (blurs and self.carry == "detail")

    def scale_of(self, octave):
        """Return the size of an octave, relative to the last.

        Parameters
        ----------
        octave : int

        Returns
        -------
        float
        """
        return max(self.octaves[octave].size) / max(self.octaves[-1].size)

    def schedule(self, octave):
        """Make the `Schedule` of an octave.

        Parameters
        ----------
        octave : int

        Returns
        -------
        Schedule
        """
        made = self.octaves[octave]
        return Schedule(
            made.tiling.kind, made.window[2:], made.tiling.tile_size, made.tiling.overlap,
            self.wrap, made.tiling.jitter, self.seed, octave, self._steps_before(octave),
        )  # fmt: skip

    def _steps_before(self, octave):
        return sum(earlier.steps for earlier in self.octaves[:octave])

    def to_json(self):
        """Write the dream as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text):
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str

        Returns
        -------
        Dream
        """
        values = json.loads(text)
        values["octaves"] = tuple(
            Octave(
                tuple(octave["size"]), Window(*octave["window"]), octave["steps"],
                ObjectiveSpec.from_json(octave["objective"]), Ramp(*octave["step_size"]),
                Ramp(*octave["blur"]), Tiling(**octave["tiling"]),
                Direct.from_json(octave["direct"]),
            )
            for octave in values["octaves"]
        )  # fmt: skip
        values["gradient"] = GradientRules(**values["gradient"])
        values["finish"] = Finish(**values["finish"])
        values["closed"] = tuple(values["closed"])
        values["judges"] = tuple(
            JudgeSpec(model, ObjectiveSpec.from_json(spec)) for model, spec in values["judges"]
        )
        return cls(**values)


def octave_windows(sizes, region=None):
    """Return the part of each octave that is dreamt: the region and `CONTEXT` around it, or all.

    Parameters
    ----------
    sizes : list of (height, width)
        The octaves; `region` lies in the last one.
    region : Window, optional

    Returns
    -------
    list of Window
    """
    if region is None:
        return [Window(0, 0, height, width) for height, width in sizes]
    windows = []
    for size in sizes:
        edges = []
        for start, length, side, full in zip(region[:2], region[2:], size, sizes[-1]):
            first = (start * side // full - CONTEXT) // STRIDE * STRIDE
            last = -(-(start + length) * side // full) + CONTEXT
            edges.append((max(0, first), min(side, last)))
        (top, bottom), (left, right) = edges
        windows.append(Window(top, left, bottom - top, right - left))
    return windows
