"""``python -m dreamlib.pycaffe SCRIPT [ARGUMENTS]``: run a script that says ``import caffe``."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import traceback

from dreamlib import pycaffe


def main():
    """Run the script that the command line names, as Python would, with this package for Caffe."""
    parser = argparse.ArgumentParser(
        prog="python -m dreamlib.pycaffe",
        description="Run a script that imports caffe, unchanged, on dreamlib.pycaffe.",
    )
    parser.add_argument("script", metavar="SCRIPT", help="a Python file")
    parser.add_argument(
        "arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER, help="the script's own"
    )
    if len(sys.argv) < 2:
        parser.error("a SCRIPT is missing; expected the name of a Python file")
    given = parser.parse_args()
    if not os.path.isfile(given.script):
        parser.error(f"there is no script {given.script!r}; expected the name of a Python file")
    sys.argv = [given.script, *given.arguments]
    if not getattr(sys.flags, "safe_path", False):  # with python -P no folder goes first
        sys.path[0] = os.path.dirname(os.path.abspath(given.script))
    pycaffe.install()
    try:
        runpy.run_path(given.script, run_name="__main__")
    except SyntaxError:
        traceback.print_exc()
        parser.exit(1, "python -m dreamlib.pycaffe: a script of 2015 may be written for Python 2; "
                    "Python 3 reads it once it is converted, by 2to3 for instance\n")  # fmt: skip


if __name__ == "__main__":
    main()
