"""Distortions by name: functions whose annotations and defaults say how they are written.

>>> @distortion("blur by a Gaussian of SIGMA pixels")
... def blur(picture, moment, sigma: Number(0, 100)): ...

is written ``blur:SIGMA``. Parameters without a default must be given; bool parameters are words
that may be given; keyword-only parameters are given by name, as ``group=5``.
"""

import inspect
from dataclasses import dataclass
from typing import Callable, Optional

from dreamlib.video.distort.fields import Malformed, Word

#: By name.
KINDS = {}


@dataclass(frozen=True)
class Kind:
    """A kind of distortion."""

    name: str
    help: str
    #: Takes the picture, which it changes, and the `Moment`; or height and width, and returns a
    #: `Map`. Then the values.
    function: Callable
    is_map: bool  #: whether the function returns a `Map`
    check: Optional[Callable] = None  #: of the values; `Malformed` where they do not go together

    @property
    def parameters(self):
        """The fields, in order: `inspect.Parameter` each."""
        return list(inspect.signature(self.function).parameters.values())[2:]

    @property
    def form(self):
        """How it is written: a str of one line."""
        text, optional = self.name, []
        for one in self.parameters:
            plain = one.annotation is not bool and one.kind is not one.KEYWORD_ONLY
            if plain and one.default is not one.empty:
                optional.append(_sign(one))
                continue
            text += f"[:{':'.join(optional)}]" * bool(optional)
            optional = []
            if one.annotation is bool:
                text += f"[:{one.name}]"
            elif one.kind is one.KEYWORD_ONLY:
                text += f"[:{_name(one)}={_sign(one)}]"
            else:
                text += f":{_sign(one)}"
        return text + f"[:{':'.join(optional)}]" * bool(optional)

    def read(self, fields):
        """Make a `Distortion` of its fields; `Malformed` where they are none.

        Parameters
        ----------
        fields : dreamlib.video.distort.fields.Fields
            What is read is taken out of them.

        Returns
        -------
        Distortion
        """
        values = {one.name: one.default for one in self.parameters}
        words = [one.name for one in self.parameters if one.annotation is bool]
        for one in self.parameters:
            for word in words:
                values[word] = values[word] or fields.take(word)
            if one.annotation is bool:
                continue
            named = one.kind is one.KEYWORD_ONLY or isinstance(one.annotation, Word)
            what = _name(one) if named else _sign(one)
            given = fields.named(what) if one.kind is one.KEYWORD_ONLY else fields.next()
            if given is not None:
                values[one.name] = one.annotation.read(given, what)
            elif one.default is one.empty:
                raise Malformed(f"{what} is missing")
        for word in words:
            values[word] = values[word] or fields.take(word)
        if self.check:
            self.check(**values)
        return Distortion(self, tuple(values.values()))


def _name(parameter):
    return parameter.name.rstrip("_")


def _sign(parameter):
    return parameter.annotation.sign or _name(parameter).upper()


@dataclass(frozen=True)
class Distortion:
    """A kind with its values, one for each of `Kind.parameters`."""

    kind: Kind
    values: tuple

    def __str__(self):
        texts, defaults = [self.kind.name], []
        for one, value in zip(self.kind.parameters, self.values):
            changed = one.default is one.empty or value != one.default
            if one.annotation is bool:
                texts += [one.name] * value
            elif one.kind is one.KEYWORD_ONLY:
                texts += [f"{_name(one)}={one.annotation.write(value)}"] * changed
            else:  # defaults are written only where a value follows them
                defaults.append(one.annotation.write(value))
                if changed:
                    texts += defaults
                    defaults = []
        return ":".join(texts)

    def __call__(self, first, second):
        """Call the function with its values: see `Kind.function`."""
        given = dict(zip((one.name for one in self.kind.parameters), self.values))
        return self.kind.function(first, second, **given)


def distortion(help, is_map=False, check=None):
    """Register a function as a distortion of its name: a decorator that returns it unchanged.

    Parameters
    ----------
    help : str
        One line.
    is_map : bool
        Whether the function returns a `Map`.
    check : callable, optional
        See `Kind`.

    Returns
    -------
    callable
    """

    def register(function):
        name = function.__name__.rstrip("_")
        KINDS[name] = Kind(name, help, function, is_map, check)
        return function

    return register
