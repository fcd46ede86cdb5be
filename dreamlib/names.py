"""Names that were probably meant."""

from __future__ import annotations

import difflib


def nearest(name, known):
    """Say which known names are nearest to a wrong one: a clause to end an error with, or ''.

    Parameters
    ----------
    name : str
    known : iterable of str
    """
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {', '.join(repr(match) for match in close)}?" if close else ""
