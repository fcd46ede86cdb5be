"""Every knob of a dream, once: its name, type, default, range and help.

Flags of the command, keys of a configuration file and keyword arguments in Python are all made from
`SETTINGS`; a new knob is a new line there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamlib.errors import DreamError, nearest


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes
    ----------
    name : str
        Key in files and in Python; the flag has hyphens for underscores.
    kind : {str, int, float, bool}
    default
        None where nothing is chosen unless the user does.
    help : str
    group : str
        Under which heading help (or a form) shows it.
    low, high : number, optional
        Range, both included.
    above : number, optional
        Lower bound, excluded.
    choices : tuple of str
    metavar : str
    bare : optional
        What the flag means without a value; None where it needs one.
    form : (str, str), optional
        Of a text: a regular expression for all of it, and the same in words.
    recorded : bool
        Whether it makes the dream, and so belongs into files and pictures.
    """

    name: str
    kind: type
    default: Any
    help: str
    group: str = "dream"
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple = ()
    metavar: str | None = None
    bare: Any = None
    form: tuple | None = None
    recorded: bool = True

    @property
    def flag(self):
        """The command's spelling."""
        return "--" + self.name.replace("_", "-")

    def expectation(self):
        """Say in words what values are right."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.form:
            return self.form[1]
        noun = {int: "a whole number", float: "a number", bool: "true or false"}
        noun[str] = "a text that is not empty"
        parts = [noun[self.kind]]
        if self.above is not None and self.high is not None:
            parts.append(f"above {self.above} and up to {self.high}")
        elif self.above is not None:
            parts.append(f"above {self.above}")
        if self.low is not None and self.high is not None:
            parts.append(f"from {self.low} to {self.high}")
        elif self.low is not None:
            parts.append(f"from {self.low} on")
        return " ".join(parts)

    def check(self, value, label=None, texts=True):
        """Return the value in its own type, or refuse it.

        Parameters
        ----------
        value : object
            A text from the command line is converted.
        label : str, optional
            How the user spelt the setting.
        texts : bool
            Whether a text may stand for a number.

        Raises
        ------
        DreamError
            Names the setting, the value and the range.
        """
        if value is None and self.default is None:
            return None
        converted = self._convert(value)
        if (
            converted is None
            or (isinstance(value, str) and self.kind is not str and not texts)
            or (self.choices and converted not in self.choices)
            or (self.form and not re.fullmatch(self.form[0], converted, re.IGNORECASE))
            or (self.low is not None and not converted >= self.low)
            or (self.high is not None and not converted <= self.high)
            or (self.above is not None and not converted > self.above)
        ):
            raise DreamError(f"{label or self.name} is {value!r}; expected {self.expectation()}")
        return converted

    def _convert(self, value):
        """Return `value` as `kind`, None if it is no such thing."""
        if self.kind is bool or isinstance(value, bool):
            return value if self.kind is bool and isinstance(value, bool) else None
        if self.kind is str:
            return str(value) if isinstance(value, (str, Path)) and str(value) else None
        try:
            number = float(value)
            whole = int(value) if self.kind is int else None
        except (TypeError, ValueError, OverflowError):
            return None
        if self.kind is float:
            return number if abs(number) < float("inf") else None
        return whole if whole == number else None


# ruff: noqa: E501
SETTINGS = (
    Setting("model", str, None, "a name (see --list-models) or a folder with prototxt and caffemodel; "
         "by default bvlc_googlenet if it is fetched, else the embedded model",
         "network", metavar="NAME"),
    Setting("engine", str, "auto", "what runs the network: real Caffe, or PyTorch; auto takes Caffe "
         "where it is installed", "network", choices=("auto", "caffe", "torch")),
    Setting("gpu", int, None, "run on this CUDA device (0 if no number is given)", "network",
         low=0, high=1023, metavar="ID", bare=0),
    Setting("precision", str, "float32", "what the network computes in; the picture stays float32",
         "network", choices=("float32", "bfloat16", "float16")),
    Setting("end", str, None, "layer to dream (see --list-layers); by default the model's own choice",
         metavar="LAYER"),
    Setting("layers", str, None, "dream a mixture instead: LAYER:WEIGHT, LAYER[12,47-50], "
         "mean(LAYER), LAYER[12]@COLUMNxROW, with commas between; a negative weight suppresses",
         metavar="MIXTURE"),
    Setting("target", str, None, "dream classes: names or numbers (see --find-class) or random, as "
         "goldfish, ostrich:0.5, 963; a weight below 0 avoids one", metavar="CLASSES"),
    Setting("script", str, None, "draw by an octave script: a preset (draw, fine, photograph) or a "
         ".toml or .json file; --target alone takes draw for noise, photograph for pictures",
         metavar="SCRIPT"),
    Setting("guide", str, None, "make the picture more like these: IMAGE or IMAGE:WEIGHT, with commas "
         "between them", metavar="IMAGES"),
    Setting("guide_layer", str, None, "layer in which it is to be like the guide; by default --end",
         metavar="LAYER"),
    Setting("guide_mode", str, "match", "match: each place like the guide's best matching place, as "
         "in the notebook; channels: as strong in each channel", choices=("match", "channels")),
    Setting("iterations", int, 10, "steps of gradient ascent on each octave", low=1, high=100_000,
         metavar="N"),
    Setting("octaves", int, 4, "sizes of the picture to dream on, the smallest first", low=1, high=100,
         metavar="N"),
    Setting("octave_scale", float, 1.4, "ratio between neighbouring octaves", above=1, high=100,
         metavar="RATIO"),
    Setting("step_size", float, 1.5, "mean change of a pixel in a step, in grey levels", above=0,
         high=1000, metavar="LEVELS"),
    Setting("jitter", int, 32, "roll the picture by up to so many pixels in each step", low=0,
         high=100_000, metavar="PIXELS"),
    Setting("clip", bool, True, "keep colours within 0..255 during the dream"),
    Setting("smooth", str, None, "blur gradients: the mean of so many Gaussians, for softer strokes",
         "looks", metavar="SIGMAS", form=(r"\d+(\.\d+)?(,\d+(\.\d+)?)*",
         "sigmas in pixels, as 1 or 0.5,1,2")),
    Setting("laplacian", int, 0, "make so many bands of the gradient equally loud", "looks",
         low=0, high=8, metavar="LEVELS"),
    Setting("calm", float, 0.0, "pull towards less difference between neighbours", "looks", low=0,
         high=100, metavar="WEIGHT"),
    Setting("pull_mean", float, 0.0, "pull towards the mean colour", "looks", low=0, high=100,
         metavar="WEIGHT"),
    Setting("pull_base", float, 0.0, "pull towards the undreamt picture", "looks", low=0, high=100,
         metavar="WEIGHT"),
    Setting("keep_colour", bool, False, "keep the input's colours, take the dream's light and shade",
         "looks"),
    Setting("strength", float, 1.0, "share of the dream in the output", "looks", low=0, high=1,
         metavar="SHARE"),
    Setting("mask", str, None, "a picture of how much of the dream is wanted where: white is all",
         "looks", metavar="IMAGE"),
    Setting("mask_on", str, "result", "what the mask scales: the output's share, every step, or both",
         "looks", choices=("result", "steps", "both")),
    Setting("seed", int, None, "of the random numbers; one is drawn, and recorded, if none is given",
         low=0, high=2**32 - 1, metavar="N"),
    Setting("schedule", str, None, "which parts are dreamt together: the whole picture, as the "
         "notebook does, or tiles; by default whole where the memory allows, else shift; windows for scripts",
         "large pictures", choices=("whole", "shift", "random", "spiral", "windows")),
    Setting("tile_size", int, None, "largest side of a tile; by default what model, device and memory "
         "allow", "large pictures", low=16, high=65536, metavar="PIXELS"),
    Setting("overlap", int, None, "context around a tile of shift, width of the feathered band of "
         "spiral and random [32, 64]", "large pictures", low=0, high=32768, metavar="PIXELS"),
    Setting("wrap", str, None, "borders that close in themselves, as a 360-degree panorama's do "
         "horizontally; by default both for whole, none for tiles", "large pictures",
         choices=("none", "horizontal", "both")),
    Setting("tile_steps", int, 1, "steps on a tile before the next one's turn", "large pictures",
         low=1, high=1000, metavar="N"),
    Setting("storage", str, "auto", "how the picture is held while it is dreamt; auto takes float32 "
         "for whole, else the depth of the input", "large pictures",
         choices=("auto", "float32", "uint8", "uint16")),
    Setting("region", str, None, "dream this part alone, at the scale of the whole picture",
         "large pictures", metavar="X,Y,W,H", form=(r"\d+,\d+,[1-9]\d*,[1-9]\d*",
         "X,Y,WIDTH,HEIGHT in pixels, as 4000,2500,800,600")),
    Setting("memory", str, None, "RAM that the program may take, as 2G or 600M; by default most of "
         "what is free", "large pictures", metavar="SIZE", recorded=False,
         form=(r"\d+(\.\d+)?\s*[KMGT]?(i?B)?", "a size in bytes, as 600M or 2G")),
    Setting("work_dir", str, None, "folder for canvases and journal; with it a dream survives the "
         "machine; by default OUTPUT.work where RAM does not do", "large pictures",
         metavar="FOLDER", recorded=False),
    Setting("resume", bool, False, "go on with the unfinished dream in the work folder",
         "large pictures", recorded=False),
    Setting("devices", str, None, "share the picture among these, as cuda:0,cuda:1 or cpu,cpu",
         "large pictures", metavar="LIST", recorded=False,
         form=(r"(cpu|cuda:\d+)(,(cpu|cuda:\d+))*", "devices, as cuda:0,cuda:1 or cpu,cpu")),
    Setting("preview", float, None, "write a small OUTPUT.preview.jpg of the dream so far every so "
         "many minutes", "large pictures", above=0, high=100_000, metavar="MINUTES",
         recorded=False),
    Setting("frames", int, None, "dream so many frames, each from the one before; OUTPUT is a folder",
         "films", low=1, high=1_000_000, metavar="N", recorded=False),
    Setting("distort", str, None, "what happens to a frame before it is dreamt again, as "
         "zoom:0.05, rotate:2, shift:3,0, roll:rows:sine(12,80), hue:3 (docs/distortions.md) "
         "[zoom:0.05]", "films", metavar="CHAIN"),
    Setting("distort_every", int, None, "distort each so many frames alone", "films", low=1,
         high=1_000_000, metavar="N"),
    Setting("vary", str, None, "settings that change over the frames: NAME:FROM..TO, "
         "NAME:LOW~HIGH/PERIOD, NAME:A|B, with commas between", "films", metavar="VARIATIONS"),
    Setting("keep_tone", bool, True, "lead brightness and contrast back to the first frame's",
         "films"),
    Setting("carry", float, 0.8, "share of a clip's detail that is carried along the motion into the "
         "next frame", "films", low=0, high=1, metavar="SHARE"),
    Setting("frame_format", str, "png", "of the frames; png loses nothing", "films",
         choices=("png", "jpg", "webp"), recorded=False),
    Setting("gif", str, None, "make a film of the frames", "films", metavar="FILE", recorded=False),
    Setting("webp", str, None, "the same, for browsers", "films", metavar="FILE", recorded=False),
    Setting("mp4", str, None, "the same, as .mp4 or .webm", "films", metavar="FILE", recorded=False),
    Setting("fps", float, None, "frames in a second; by default 12.5, or the clip's", "films", above=0,
         high=240, metavar="N", recorded=False),
    Setting("loop", int, 0, "times that a GIF or WebP plays; 0 is for ever", "films", low=0,
         high=65535, metavar="N", recorded=False),
    Setting("reverse", bool, False, "the film runs from the last frame to the first", "films",
         recorded=False),
    Setting("boomerang", bool, False, "the film runs there and back", "films", recorded=False),
    Setting("quality", int, 95, "of a JPEG or WebP output", "output", low=1, high=100, metavar="N",
         recorded=False),
    Setting("tiff", str, "strip", "layout of a TIFF output: for any program, in tiles, or with "
         "smaller copies for viewers", "output", choices=("strip", "tile", "pyramid"),
         recorded=False),
    Setting("classify", bool, False, "tell what the network takes the picture for, before and after",
         "output", recorded=False),
    Setting("quiet", bool, False, "print errors alone", "output", recorded=False),
)  # fmt: skip

BY_NAME = {knob.name: knob for knob in SETTINGS}


class Settings:
    """A value for every knob, checked.

    Parameters
    ----------
    **values
        By name of the knob; what is not given has its default.

    Attributes
    ----------
    given : frozenset of str
        Names of the values that were given, be it the default.

    Raises
    ------
    DreamError
        An unknown name, or a wrong value.
    """

    def __init__(self, **values):
        for name in values:
            if name not in BY_NAME:
                raise DreamError(f"there is no setting {name!r}{meant(name)}")
        for knob in SETTINGS:
            setattr(self, knob.name, knob.check(values.get(knob.name, knob.default)))

        self.given = frozenset(values)

    def __repr__(self):
        values = ", ".join(f"{name}={value!r}" for name, value in self._values().items())
        return f"Settings({values})"

    def __eq__(self, other):
        return isinstance(other, Settings) and self._values() == other._values()

    __hash__ = None

    def _values(self):
        return {knob.name: getattr(self, knob.name) for knob in SETTINGS}

    def replace(self, **changes):
        """Return settings with some values changed; what was given stays so."""
        changed = Settings(**{**self._values(), **changes})
        changed.given = self.given
        return changed

    def recorded(self):
        """Return what makes the dream, as a dict without what is left open."""
        values = {knob.name: getattr(self, knob.name) for knob in SETTINGS if knob.recorded}
        return {name: value for name, value in values.items() if value is not None}


def meant(name):
    """Say which setting an unknown name probably means: a clause to end an error with, or ''."""
    plain = name.lstrip("-").replace("-", "_")
    if plain in BY_NAME:
        return f"; write {plain}"
    if plain.startswith("no_") and plain[3:] in BY_NAME and BY_NAME[plain[3:]].kind is bool:
        return f"; write {plain[3:]} = false"
    return nearest(name, BY_NAME)
