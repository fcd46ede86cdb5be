#!/usr/bin/env python3
"""Check that a caffemodel has every layer of a prototxt, in its shape: PROTOTXT [CAFFEMODEL].

`fetch_model.sh` runs it where no checksum is published. Exit code: 0 it fits, 2 it does not (the
message says where), 3 no check is possible, because dreamlib's torch engine is not installed.
Without a caffemodel: whether a check is possible.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # dreamlib, installed or not

FITS, DOES_NOT, NO_CHECK = 0, 2, 3


def fault(prototxt, caffemodel=None):
    """Find the first fault of weights.

    Parameters
    ----------
    prototxt : str
    caffemodel : str, optional
        Without it nothing but the torch engine is tried.

    Returns
    -------
    str or None

    Raises
    ------
    ImportError
        The torch engine is not installed.
    """
    from dreamlib import pycaffe
    from dreamlib.errors import DreamError
    from dreamlib.pycaffe.weights import copy_weights, read_weights

    if caffemodel is None:
        return None
    try:
        weights = read_weights(caffemodel)
        params = pycaffe.Net(prototxt, pycaffe.TEST).params
        missing = [name for name in params if not weights.get(name)]
        if missing:
            return f"{caffemodel}: {len(missing)} layers are missing: {', '.join(missing[:3])} ..."
        copy_weights(params, weights, caffemodel)
    except DreamError as error:
        return str(error)
    return None


def main(arguments):
    """Run the command; return its exit code.

    Parameters
    ----------
    arguments : list of str
    """
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return DOES_NOT
    try:
        found = fault(*arguments)
    except ImportError as error:
        print(f"check_weights.py: {error}", file=sys.stderr)
        return NO_CHECK
    if found:
        print(found, file=sys.stderr)
    return DOES_NOT if found else FITS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
