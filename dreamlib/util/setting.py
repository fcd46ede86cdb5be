"""What a user writes: a setting with its type, range and check; tables in TOML or JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamlib.errors import DreamError

#: Letters of a text, and of a number that is written as one.
TEXT_LETTERS, NUMBER_LETTERS = 10_000, 100


@dataclass(frozen=True)
class Setting:
    """One setting."""

    name: str  #: key in files and in Python; the flag has hyphens for underscores
    kind: type  #: str, int, float or bool
    default: Any  #: None where nothing is chosen unless the user does
    help: str
    group: str = "dream"  #: the heading under which help, or a form, shows it
    low: float | None = None  #: of the range, included
    high: float | None = None  #: included
    above: float | None = None  #: lower bound, excluded
    choices: tuple = ()
    metavar: str | None = None  #: stands for a value in the help
    bare: Any = None  #: value of the flag where none is written; None where it needs one
    form: tuple | None = None  #: of a text: a regular expression for all of it; the same in words
    recorded: bool = True  #: whether it makes the dream, and so belongs into files and pictures
    from_files: bool = True  #: whether a file of settings may have it
    applies_to: tuple = ()  #: the kinds of job that it means something to
    needs: tuple = ()  #: settings without which, all of them, it means nothing
    script_has_own: bool = False  #: whether an octave script has its own values of it
    old_name: str = ""  #: a name that is still understood

    @property
    def flag(self):
        """The command's spelling; an underscore at the end keeps Python's own words apart."""
        return "--" + self.name.rstrip("_").replace("_", "-")

    @property
    def changing_flag(self):
        """The flag of a value that is not the default: of what is on unless left out, ``--no-``."""
        return "--no-" + self.flag[2:] if self.default is True else self.flag

    def expectation(self):
        """Return in words which values are right: a str."""
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
        """Return the value in its own type, or refuse it with words on the range.

        Parameters
        ----------
        value : object
            A text from the command line is converted.
        label : str, optional
            The user's spelling of the setting.
        texts : bool
            Whether a text may stand for a number.

        Returns
        -------
        object
        """
        if value is None and self.default is None:
            return None
        if isinstance(value, str):
            _check_text(value, label or self.name)
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
            shown = converted if texts and converted is not None else value
            raise DreamError(
                f"{label or self.name} is {self._shown(shown)}; expected {self.expectation()}"
            )
        return converted

    def _shown(self, value):
        """Return a value as an error shows it: of a picture's pixels the type says more."""
        if not hasattr(value, "__array_interface__") or isinstance(value, (int, float)):
            return repr(value)
        of_file = " (save a picture, and name its file)" if self.kind is str else ""
        return f"of type {type(value).__name__}{of_file}"

    def _convert(self, value):
        """Return `value` as `kind`, None if it is no such thing."""
        if self.kind is bool or isinstance(value, bool):
            return value if self.kind is bool and isinstance(value, bool) else None
        if self.kind is str:
            return str(value) if isinstance(value, (str, Path)) and str(value) else None
        if isinstance(value, str) and len(value) > NUMBER_LETTERS:
            return None
        try:
            number = float(value)
            whole = int(value) if self.kind is int else None
        except (TypeError, ValueError, OverflowError):
            return None
        if self.kind is float:
            return number if abs(number) < float("inf") else None
        return whole if whole == number else None


def _check_text(text, label):
    """Refuse a text that no setting can be: too long, or not to be written in UTF-8."""
    if len(text) > TEXT_LETTERS:
        raise DreamError(
            f"{label} has {len(text)} letters, beginning with {text[:40]!r}; expected "
            f"{TEXT_LETTERS} at most"
        )
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise DreamError(
            f"{label} is {text!r}; expected a text in UTF-8 without zero bytes: rename a file that "
            "is called so"
        )


def parse_table(text, suffix):
    """Read a TOML or JSON text; a ValueError where it is malformed, or has a key twice.

    Parameters
    ----------
    text : str
    suffix : {'.toml', '.json'}

    Returns
    -------
    object
        Python's own dicts, lists, texts and numbers.
    """
    try:
        return _parsed(text, suffix)
    except RecursionError as error:
        raise ValueError("its brackets are nested too deeply; expected keys and values") from error


def _parsed(text, suffix):
    if suffix == ".toml":
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        try:
            # Through JSON, since tomlkit's values remember their spelling.
            text = json.dumps(tomlkit.parse(text), default=_plain)
        except TOMLKitError as error:
            raise ValueError(str(error)) from error
    return json.loads(text, object_pairs_hook=_without_duplicates)


def _plain(item):
    """Return the bool of one within a list, which tomlkit wraps, and a date as a text."""
    return item.value if isinstance(item.value, bool) else str(item)


def _without_duplicates(pairs):
    values = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"key {name!r} is there twice; keep one")
        values[name] = value
    return values
