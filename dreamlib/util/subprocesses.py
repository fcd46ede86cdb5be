"""Child processes: ``python -m dreamlib.SOMETHING`` beside the one that runs."""

from __future__ import annotations

import os
from pathlib import Path


def environment(**more):
    """Return this process's environment, in which a child finds this very dreamlib.

    Parameters
    ----------
    **more : str
        Variables to add.

    Returns
    -------
    dict of str -> str
    """
    root = str(Path(__file__).resolve().parents[2])
    places = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONSAFEPATH": "1",  # python -m would import from the current folder first
        **more,
    }
