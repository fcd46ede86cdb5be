"""A distortion of one's own: a Python function, by module and name."""

import importlib
import os
import sys

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.video.distort.fields import Malformed, Name
from dreamlib.video.distort.registry import distortion


def _check(module, function):
    if not callable(getattr(_imported(module), function, None)):
        raise Malformed(f"module {module!r} has no function {function!r}")


@distortion(
    "FUNCTION(picture, frame) of a module of yours, found in the current folder too; it changes "
    "the (H, W, 3) float32 picture, or returns another",
    check=_check,
)
def python(picture, moment, module: Name(), function: Name()):
    """Call a function with the picture and the number of the frame.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        RGB, 0 to 255. The function changes it in place, or returns another one of the same shape
        and dtype.
    moment : dreamlib.video.distort.chain.Moment
    module, function : str
        Their names.

    Raises
    ------
    DreamError
        The function failed, or what it returned or left is no such picture.
    """
    this = f"distortion python:{module}:{function}"
    try:
        returned = getattr(_imported(module), function)(picture, moment.frame)
    except Exception as error:
        raise DreamError(
            f"{this}: the function failed on frame {moment.frame} with "
            f"{type(error).__name__}: {error}; mend it"
        ) from error
    if returned is not None and returned is not picture:
        if getattr(returned, "shape", None) != picture.shape or returned.dtype != np.float32:
            raise DreamError(
                f"{this}: the function returned {_described(returned)}; expected None, or an "
                f"array {picture.shape} of float32"
            )
        picture[:] = returned
    if not all(np.isfinite(row).all() for row in picture):
        raise DreamError(
            f"{this}: the function left values in frame {moment.frame} that are not finite; "
            "expected 0 to 255"
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
