#!/usr/bin/env python3
"""Fetch a model's published weights into models/NAME/, from their makers or from a mirror.

A download that was cut is resumed. The file is moved into place once it is the published one by its
checksum, or all its values are by theirs, or, where neither is known, every layer of the network is
in it in its shape; what was there stays until then. Where no SHA-256 is published, that of the
values is kept in *.values_sha256 and expected of later downloads.

Environment: DREAM_MODEL_URL is the address of a mirror, to be used instead of those in model.toml:
of the caffemodel, of a .tar.gz with it, of a PyTorch state dict (.pth), or of a folder of plain
arrays (ends with /). DREAM_MODEL_SHA256 (or DREAM_MODEL_SHA1) is its checksum, where it holds other
weights of the network.

Exit code: 0 the weights are there, 2 they are not (the message says what to do).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))  # dreamlib, installed or not


def main(arguments=None):
    """Run the command; return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default the process's.
    """
    from dreamlib.errors import DreamError, nearest
    from dreamlib.models.fetch import fetch_weights
    from dreamlib.models.model import load_model

    folders = sorted(path.parent for path in REPOSITORY.glob("models/*/model.toml"))
    models = {folder.name: load_model(folder) for folder in folders}
    names = [name for name, model in models.items() if "fetch_" in model.fetch]
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"NAME is one of: {' '.join(names)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("folder", metavar="FOLDER", nargs="?", help="instead of models/NAME")
    options = parser.parse_args(arguments)
    try:
        if options.name not in names:
            raise DreamError(
                f"no model {options.name!r} has published weights to fetch"
                f"{nearest(options.name, names)}; there are: {', '.join(names)}"
            )
        model = models[options.name]
        if options.folder:
            weights = Path(options.folder).expanduser() / model.weights.name
            model = dataclasses.replace(model, weights=weights)
        fetch_weights(model, _addresses(), _checksum(), say=_say)
    except DreamError as error:
        print(f"fetch_model: {error}", file=sys.stderr)
        return 2
    return 0


def _addresses():
    address = os.environ.get("DREAM_MODEL_URL")
    return [address] if address else None


def _checksum():
    from dreamlib.errors import DreamError

    for kind, digits in (("256", 64), ("1", 40)):
        name = f"DREAM_MODEL_SHA{kind}"
        given = os.environ.get(name)
        if given and not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", given):
            raise DreamError(f"{name}: {given!r} is no SHA-{kind}; expected {digits} digits 0-9a-f")
        if given:
            return given
    return None


def _say(line):
    print(line, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nfetch_model: stopped; run it again to resume", file=sys.stderr)
        sys.exit(130)
    except ModuleNotFoundError as error:
        print(f"fetch_model: {error.name} is not installed: make setup", file=sys.stderr)
        sys.exit(2)
