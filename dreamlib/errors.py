"""The errors a user is meant to read, and the names that were probably meant."""

from __future__ import annotations

import contextlib
import difflib
import sys
import warnings

#: Letters of an error that are shown.
LONGEST = 1200

#: Letters of a name for which one that was probably meant is looked for.
LONGEST_NAME = 200


class DreamError(Exception):
    """What was given, what was expected and what to do, in words for the person at the keyboard.

    ``dream.py`` prints the text and exits with code 2; anything else that escapes is a defect.
    """


class CaffeError(DreamError, RuntimeError):
    """What `dreamlib.pycaffe` refuses, where Caffe's CHECK would end the process.

    A ``RuntimeError`` too, because that is what pycaffe raises where it raises at all.
    """


class CaffeValueError(CaffeError, ValueError):
    """A `CaffeError` where pycaffe raises a ``ValueError``: scripts catch either."""


class DreamWarning(UserWarning):
    """What is probably not as the user wants it, in words; the command prints it in one line."""


class CaffeWarning(DreamWarning):
    """What Caffe only writes to its log: weights and net that do not know each other's layers."""


class ClusterAway(DreamError):
    """A cluster does not answer, now or any more; it may later."""


def disk_trouble(path, error):
    """Make the DreamError for an OSError that writing to, or below, `path` ended in.

    Parameters
    ----------
    path : str or Path
    error : OSError

    Returns
    -------
    DreamError
    """
    return DreamError(
        f"{path} cannot be written: {error.strerror}; mend that, then resume with --resume"
    )


@contextlib.contextmanager
def reading():
    """Turn the system's refusal to read a file or folder into a `DreamError` that names it.

    A context or a decorator.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DreamError(f"{error.filename}: there is no such file") from error
    except OSError as error:
        raise DreamError(
            f"{error.filename or 'a file'} cannot be read: {error.strerror}; expected what you "
            "have permission to read (ls -l shows it)"
        ) from error


def paragraph(text):
    """Return an error's text as what a terminal shows in a few lines, whatever was quoted in it.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Without control characters, half characters and empty lines; the middle of a long one is
        left out.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    shown = "\n".join(
        "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode()
            for letter in line
        )
        for line in lines
    )
    if len(shown) > LONGEST:
        left_out = len(shown) - LONGEST
        half = LONGEST // 2
        shown = f"{shown[:half]} [{left_out} letters more] {shown[-half:]}"
    return shown


@contextlib.contextmanager
def warnings_in_words():
    """Print each `DreamWarning` as the command's line on stderr, not as Python's; a context."""

    def show(message, category, *place):
        if issubclass(category, DreamWarning):
            print(f"dream.py: warning: {paragraph(str(message))}", file=sys.stderr)
        else:
            usual(message, category, *place)

    with warnings.catch_warnings():
        usual, warnings.showwarning = warnings.showwarning, show
        warnings.simplefilter("always", DreamWarning)
        yield


#: Similarity from which on a name may be meant by another; of short names with a meaning each,
#: such as types of layers, more is asked for.
SIMILAR, MISSPELT = 0.5, 0.75


def nearest(name, known, similarity=SIMILAR):
    """Say which known names are nearest to a wrong one: a clause to end an error with, or ''.

    Parameters
    ----------
    name : str
    known : iterable of str
    similarity : float
        From which on names are near: 0 to 1, the same letters.

    Returns
    -------
    str
    """
    if len(name) > LONGEST_NAME:  # difflib's time grows with the square
        return ""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=similarity)
    return f"; did you mean {', '.join(repr(match) for match in close)}?" if close else ""


def listed(names, most=5):
    """Name some of many in words: ``'a', 'b' and 3 more``.

    Parameters
    ----------
    names : sequence of str
    most : int
        That are named.

    Returns
    -------
    str
    """
    names = list(names)
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
