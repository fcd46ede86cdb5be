"""Octave scripts: what a class is drawn by, as data, from TOML or JSON.

A script is a list of octaves, each a table of the keys of `ScriptOctave`::

    [[octave]]
    iter_n = 120
    start_sigma = 2.5
    end_sigma = 0.8
    start_step_size = 8
    end_step_size = 8

In JSON it is ``{"octave": [{...}, {...}]}`` or the list alone. The presets beside this module are
such files. An octave with `views` is drawn by direct ascent: see `dreamlib.ascent.direct`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from dreamlib.ascent.direct import Direct
from dreamlib.ascent.regularizers import MOST_SIGMA
from dreamlib.ascent.views import Viewing
from dreamlib.errors import DreamError, nearest
from dreamlib.util.input_file import check_path, read_text
from dreamlib.util.setting import Setting, parse_table

_SUFFIXES = (".toml", ".json")
PRESETS = Path(__file__).resolve().parent / "presets"


@dataclass(frozen=True)
class ScriptOctave:
    """How the picture is drawn at one size.

    Attributes
    ----------
    iter_n : int
        Steps that a pixel takes on average: a picture of twice the window's area takes twice as
        many windows; by direct ascent, of the whole picture.
    start_step_size, end_step_size : float
        Mean change of a pixel in a step, in grey levels; it runs evenly from the one to the other.
    start_sigma, end_sigma : float
        Width of the Gaussian that the picture is blurred with after a step, in pixels; so too. 0
        blurs nothing.
    scale : float
        Size of the picture relative to the octave before, at least 1.
    jitter : int
        In a direction in which the window is as large as the picture, where it can go nowhere, the
        picture is rolled by up to this number of pixels.
    layer : str
        Blob whose channels are drawn; "" for the model's class layer.
    views : int
        Of each step by direct ascent; 0 is none of it. The following are theirs.
    spectrum : float
        Exponent of 1/k, by which the gradient's spectrum falls off.
    nearest, farthest : float
        Side of a view in the picture, relative to the network's input.
    turn : float
        Largest angle of a view, in degrees.
    tint, noise : float
        Largest change of each colour, and of each value, in grey levels.
    """

    iter_n: int
    start_step_size: float
    end_step_size: float
    start_sigma: float = 0.0
    end_sigma: float = 0.0
    scale: float = 1.0
    jitter: int = 0
    layer: str = ""
    views: int = 0
    spectrum: float = 1.2
    nearest: float = 0.7
    farthest: float = 1.43
    turn: float = 25.0
    tint: float = 40.0
    noise: float = 50.0

    @property
    def direct(self):
        """How it is drawn by direct ascent, a `Direct`; None where it is not."""
        if not self.views:
            return None
        viewing = Viewing(self.nearest, self.farthest, self.turn, self.tint, self.noise)
        return Direct(self.views, viewing, self.spectrum)

    def at(self, progress):
        """Step size and sigma after a share, 0 to 1, of the octave's steps.

        Parameters
        ----------
        progress : float

        Returns
        -------
        step_size, sigma : float
        """
        step_size = self.start_step_size + (self.end_step_size - self.start_step_size) * progress
        return step_size, self.start_sigma + (self.end_sigma - self.start_sigma) * progress


def load_script(name_or_path):
    """Read a preset or a file.

    Parameters
    ----------
    name_or_path : str
        A name of `preset_names`, or a path that ends in .toml or .json.

    Returns
    -------
    list of ScriptOctave

    Raises
    ------
    DreamError
        There is no such preset or file, or it holds something else than a script.
    """
    check_path(name_or_path)
    path = Path(name_or_path)
    if not is_file(path):
        path = PRESETS / f"{name_or_path}.toml"
        if not path.is_file():
            raise DreamError(
                f"there is no preset {str(name_or_path)!r}; expected {', '.join(preset_names())} "
                f"or a .toml or .json file{nearest(str(name_or_path), preset_names())}"
            )
    return check_script(_parse(path), str(path))


def absolute_script(name_or_path):
    """The same script, spelt so that a file can repeat it anywhere: a path becomes absolute.

    Parameters
    ----------
    name_or_path : str

    Returns
    -------
    str
    """
    return str(Path(name_or_path).absolute()) if is_file(name_or_path) else str(name_or_path)


def is_file(name_or_path):
    """Tell whether a script is named by a path, not as a preset.

    Parameters
    ----------
    name_or_path : str

    Returns
    -------
    bool
    """
    return Path(name_or_path).suffix in _SUFFIXES


def preset_names():
    """Names of the presets (list of str)."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def _parse(path):
    try:
        return parse_table(read_text(path, path.suffix[1:].upper()), path.suffix)
    except ValueError as error:
        raise DreamError(f"octave script {path} is malformed: {error}") from error


def check_script(values, source="the octave script"):
    """Make octaves of plain values.

    Parameters
    ----------
    values : list of dict, or dict
        The octaves' keys; or a dict whose only key is "octave", with that list.
    source : str
        Where they come from, for errors.

    Returns
    -------
    list of ScriptOctave

    Raises
    ------
    DreamError
        Names octave and key.
    """
    if isinstance(values, dict) and set(values) == {"octave"}:
        values = values["octave"]
    tables = isinstance(values, list) and all(isinstance(table, dict) for table in values)
    if not tables or not values:
        raise DreamError(f"{source} holds no list of octaves; expected [[octave]] tables alone")
    return [
        _check_octave(table, f"{source}: octave {number}") for number, table in enumerate(values, 1)
    ]


def _check_octave(table, where):
    table = dict(table)
    missing = [field.name for field in fields(ScriptOctave)[:3] if field.name not in table]
    for key, value in table.items():
        if key not in _KEYS:
            raise DreamError(
                f"{where}: there is no key {key!r}{nearest(key, _KEYS)}; keys are "
                f"{', '.join(_KEYS)}"
            )
        if value is None:
            raise DreamError(f"{where}: {key} is None; expected {_KEYS[key].expectation()}")
        table[key] = _KEYS[key].check(value, f"{where}: {key}", texts=False)
    if missing:
        raise DreamError(f"{where}: {', '.join(missing)} missing; write what it shall be")
    octave = ScriptOctave(**table)
    of_views = [key for key in _OF_VIEWS if key in table]
    if of_views and not octave.views:
        raise DreamError(f"{where}: {', '.join(of_views)} without views; add views = 8")
    if octave.nearest > octave.farthest:
        raise DreamError(
            f"{where}: nearest is {octave.nearest:g}, farthest {octave.farthest:g}; expected "
            "nearest to be the smaller"
        )
    return octave


_KEYS = {
    key.name: key
    for key in (
        Setting("iter_n", int, None, "", low=1, high=100_000),
        Setting("start_step_size", float, None, "", low=0, high=1000),
        Setting("end_step_size", float, None, "", low=0, high=1000),
        Setting("start_sigma", float, None, "", low=0, high=MOST_SIGMA),
        Setting("end_sigma", float, None, "", low=0, high=MOST_SIGMA),
        Setting("scale", float, None, "", low=1, high=100),
        Setting("jitter", int, None, "", low=0, high=100_000),
        Setting("layer", str, None, ""),
        Setting("views", int, None, "", low=0, high=1000),
        Setting("spectrum", float, None, "", low=0, high=3),
        Setting("nearest", float, None, "", low=0.25, high=10),
        Setting("farthest", float, None, "", low=0.25, high=10),
        Setting("turn", float, None, "", low=0, high=180),
        Setting("tint", float, None, "", low=0, high=255),
        Setting("noise", float, None, "", low=0, high=255),
    )
}

#: Keys that mean nothing without `views`.
_OF_VIEWS = ("spectrum", "nearest", "farthest", "turn", "tint", "noise")
