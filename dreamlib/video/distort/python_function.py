"""A distortion of one's own: a Python function, by module and name."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.video.distort.fields import Malformed


@dataclass(frozen=True)
class PythonFunction:
    """Call a function with the picture and the number of the frame.

    The picture is (H, W, 3), RGB, float32, 0 to 255. The function changes it in place, or returns
    another one of the same shape and dtype.
    """

    module: str
    name: str
    function: Callable = field(repr=False)

    NAME = "python"
    FORM = "python:MODULE:FUNCTION"
    HELP = (
        "FUNCTION(picture, frame) of a module of yours, found in the current folder too; it "
        "changes the (H, W, 3) float32 picture, or returns another"
    )

    @classmethod
    def read(cls, fields):
        """Make one of its fields; the module is imported."""
        module, name = fields.next("MODULE"), fields.next("FUNCTION")
        function = getattr(_imported(module), name, None)
        if not callable(function):
            raise Malformed(f"module {module!r} has no function {name!r}")
        return cls(module, name, function)

    def __str__(self):
        return f"python:{self.module}:{self.name}"

    def apply(self, picture, moment):
        """Distort a picture, in place.

        Raises
        ------
        DreamError
            The function failed, returned something else than a picture, or left values that are
            not finite.
        """
        try:
            returned = self.function(picture, moment.frame)
        except Exception as error:
            raise DreamError(
                f"distortion {self}: the function failed on frame {moment.frame} with "
                f"{type(error).__name__}: {error}; mend it"
            ) from error
        if returned is not None and returned is not picture:
            if getattr(returned, "shape", None) != picture.shape or returned.dtype != np.float32:
                raise DreamError(
                    f"distortion {self}: the function returned {_described(returned)}; expected "
                    f"None, or an array {picture.shape} of float32"
                )
            picture[:] = returned
        if not all(np.isfinite(row).all() for row in picture):
            raise DreamError(
                f"distortion {self}: the function left values in frame {moment.frame} that are not "
                "finite; expected 0 to 255"
            )


def _imported(module):
    """Import a module, from the current folder too."""
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        return importlib.import_module(module)
    except Exception as error:
        raise Malformed(f"module {module!r} cannot be imported: {error}") from error
    finally:
        if added:
            sys.path.remove(here)


def _described(value):
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    return f"a {type(value).__name__}"
