#!/usr/bin/env python3
"""Tell whether a caffemodel has every layer of a prototxt, in its shape: PROTOTXT [CAFFEMODEL].

What `fetch_model.sh` asks where no checksum is published. Exit code: 0 it fits, 2 it does not (the
message says where), 3 it cannot be told, because dreamlib's torch engine is not installed. Without
a caffemodel: whether it can be told.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # dreamlib, installed or not

FITS, DOES_NOT, CANNOT_TELL = 0, 2, 3


def fault(prototxt, caffemodel=None):
    """What is wrong with the weights (str), or None."""
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
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return DOES_NOT
    try:
        found = fault(*arguments)
    except ImportError as error:
        print(f"check_weights.py: {error}", file=sys.stderr)
        return CANNOT_TELL
    if found:
        print(found, file=sys.stderr)
    return DOES_NOT if found else FITS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
