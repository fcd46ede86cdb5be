"""Settings that change over the frames of a film: ``--vary``.

``NAME:FROM..TO`` runs evenly from the first frame to the last; ``NAME:LOW~HIGH/PERIOD`` swings from
LOW to HIGH and back within PERIOD frames; ``NAME:A|B|C`` takes its values in turns. Classes, layers
and guides fade into each other by ``NAME:A..B..C``: the weights of the one fall while those of the
next grow. Several are separated by commas.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Callable, NamedTuple

from dreamlib.ascent.objective_parser import (
    absolute_guides,
    absolute_layers,
    files_of,
    parse_guide_layers,
    parse_layers,
    parse_weights,
)
from dreamlib.errors import DreamError, nearest
from dreamlib.settings import BY_NAME, NEW_NAMES

FORMS = (
    "NAME:FROM..TO, NAME:LOW~HIGH/PERIOD or NAME:A|B, as step_size:1.5..0.5, "
    "target:goldfish..volcano"
)

#: Settings of text that may take turns, beside all numbers of these groups.
TEXTS = ("end", "layers", "target", "guide", "guide_layer", "smooth")
GROUPS, CONSTANT = ("dream", "looks"), ("seed",)

#: Texts that fade into each other, and how their mixtures are read.
FADING = {
    "layers": parse_layers,
    "guide_layer": parse_guide_layers,
    "target": lambda text: parse_weights(text, "--vary: target"),
    "guide": lambda text: parse_weights(text, "--vary: guide"),
}

#: Texts that may name files, and how these are named absolutely.
NAMING = {"layers": absolute_layers, "guide_layer": absolute_layers, "guide": absolute_guides}

#: Between what fades: two dots that do not begin a part of a path, as ``../`` does.
_FADE = re.compile(r"\s+\.\.\s+|(?<=[^/\\\s:(,.])\.\.(?=[^\s])")

#: Of a period, in frames.
PERIOD_DIGITS = 9

#: Values that may take turns: each is prepared before the film begins.
MOST_TURNS = 500

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)"


class Variation(NamedTuple):
    """One setting that changes."""

    name: str
    text: str  #: as it was written, without the name
    value: Callable  #: of (frame, frames): what the setting is there
    written: tuple = ()  #: the texts that take turns, or fade into each other
    fades: bool = False

    @property
    def files(self):
        """What `files_of` lists of the texts."""
        texts = self.written if self.name in NAMING else ()
        return [file for text in texts for file in files_of(self.name, text)]

    def absolute(self):
        """Write it with files by their absolute paths."""
        text = self.text
        if self.name in NAMING and self.written:
            separator = " .. " if self.fades else "|"
            text = separator.join(map(NAMING[self.name], self.written))
        return f"{self.name}:{text}"

    def is_new(self, frame, frames):
        """Tell whether a frame has what none before it had, but for a number between ends.

        Parameters
        ----------
        frame, frames : int

        Returns
        -------
        bool
        """
        last = frames - 1
        if frame == last:
            return True
        if not self.fades:
            return frame < len(self.written)
        count = len(self.written) - 1
        return frame == 1 or frame in {-(-key * last // count) for key in range(count)}


def parse_variations(text):
    """Read what ``--vary`` says.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    list of Variation

    Raises
    ------
    DreamError
        Names the part that cannot be read, the setting, or the value that it cannot take.
    """
    if not text:
        return []
    names = "|".join([*_varying(), *NEW_NAMES])
    parts = re.split(rf",\s*(?=(?:{names}|{names.replace('_', '-')})\s*:)", text)
    return [_variation(part.strip()) for part in parts]


def absolute_variations(text):
    """Write variations so that a file repeats them anywhere: guides by absolute paths.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return ", ".join(one.absolute() for one in parse_variations(text))


def settings_at(settings, variations, frame, frames):
    """Return the settings of one frame.

    Parameters
    ----------
    settings : Settings
    variations : list of Variation
    frame, frames : int
        The frame's number, from 0, and how many there are.

    Returns
    -------
    Settings
    """
    if not variations:
        return settings
    return settings.replace(**{one.name: one.value(frame, frames) for one in variations})


def refuse_varied(settings, variations):
    """Refuse to vary what an octave script has its own values of.

    Parameters
    ----------
    settings : Settings
    variations : list of Variation
    """
    own = [one.name for one in variations if BY_NAME[one.name].script_has_own]
    if settings.script and own:
        raise DreamError(
            f"--vary: {', '.join(own)} cannot change with --script, which has its own octaves and "
            "steps; leave one of the two out"
        )


def _varying():
    """List the names of the settings that may change."""
    numbers = [setting.name for setting in BY_NAME.values()
               if setting.kind in (int, float) and setting.group in GROUPS]  # fmt: skip
    return [name for name in [*numbers, *TEXTS] if name not in CONSTANT]


def _variation(part):
    name, colon, text = part.partition(":")
    name, text = name.strip().replace("-", "_"), text.strip()
    name = NEW_NAMES.get(name, name)
    if not colon or not text:
        raise DreamError(f"--vary: {part!r} cannot be read; expected {FORMS}")
    if name not in _varying():
        raise DreamError(
            f"--vary: {name!r} is no setting that may change{nearest(name, _varying())}; those are "
            f"{', '.join(_varying())}"
        )
    setting = BY_NAME[name]
    if setting.kind is not str:
        ramp = re.fullmatch(rf"{_NUMBER}\.\.{_NUMBER}", text)
        swing = re.fullmatch(rf"{_NUMBER}~{_NUMBER}/(\d+)", text)
        if ramp:
            return Variation(name, text, _ramp(setting, *map(float, ramp.groups())))
        if swing and len(swing[3]) <= PERIOD_DIGITS and int(swing[3]) > 1:
            return Variation(name, text, _swing(setting, *map(float, swing.groups())))
    fading = _FADE.split(text)
    fades = len(fading) > 1 and "|" not in text and setting.kind is str
    if fades and name not in FADING:
        raise DreamError(
            f"--vary: {name} does not fade; let {', '.join(FADING)} do so, as layers:A..B, or let "
            f"{name} take turns, as {name}:A|B"
        )
    texts = fading if fades else text.split("|")
    if len(texts) > MOST_TURNS:
        raise DreamError(
            f"--vary: {name} takes turns among {len(texts)} values; expected {MOST_TURNS} at most"
        )
    values = tuple(setting.check(value.strip(), f"--vary: {name}") for value in texts)
    if len(values) < 2:
        raise DreamError(f"--vary: {part!r} does not change anything; expected {FORMS}")
    if fades:
        return Variation(name, text, _fade(name, values), values, True)
    return Variation(name, text, lambda frame, frames: values[frame % len(values)], values)


def _fade(name, texts):
    """Return what gives the mixture of a frame."""
    if name == "target" and any("random" in text.lower() for text in texts):
        raise DreamError(
            "--vary: a random class is another one in each frame, and cannot fade; name a class"
        )
    read = FADING[name]
    mixtures = [_weights(read(text)) for text in texts]

    def value(frame, frames):
        place = (len(texts) - 1) * frame / max(1, frames - 1)
        first = min(int(place), len(texts) - 2)
        share = place - first
        if share in (0, 1):
            return texts[first + int(share)]
        mixed = {one: weight * (1 - share) for one, weight in mixtures[first].items()}
        for one, weight in mixtures[first + 1].items():
            mixed[one] = mixed.get(one, 0) + weight * share
        spelt = [_spelt(one, weight) for one, weight in mixed.items() if weight]
        return ", ".join(spelt) or texts[first + 1]

    return value


def _weights(mixture):
    """Return the weights of what a mixture has, each once: a dict."""
    found = {}
    for one in mixture:
        name, weight = one if isinstance(one, tuple) else (replace(one, weight=1.0), one.weight)
        found[name] = found.get(name, 0) + weight
    return found


def _spelt(one, weight):
    return f"{one}:{weight:.9g}" if isinstance(one, str) else str(replace(one, weight=weight))


def _ramp(setting, first, last):
    _check_ends(setting, first, last)

    def value(frame, frames):
        return _rounded(setting, first + (last - first) * frame / max(1, frames - 1))

    return value


def _swing(setting, low, high, period):
    _check_ends(setting, low, high)

    def value(frame, frames):
        share = (1 - math.cos(2 * math.pi * frame / period)) / 2
        return _rounded(setting, low + (high - low) * share)

    return value


def _check_ends(setting, *ends):
    for end in ends:
        setting.check(end, f"--vary: {setting.name}")


def _rounded(setting, value):
    return round(value) if setting.kind is int else value
