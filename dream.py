#!/usr/bin/env python3
"""Dream a picture: ``python dream.py INPUT [OUTPUT]``; ``--help`` tells the rest."""

import signal
import sys

from dreamlib.cli import EXIT_REFUSED, main

if __name__ == "__main__":
    try:
        status = main()
    except ModuleNotFoundError as error:
        if error.name.startswith("dreamlib"):
            raise
        status = EXIT_REFUSED
        print(
            f"dream.py: {sys.executable} has no package {error.name!r}, which dreams need; "
            "run 'make setup', then .venv/bin/python dream.py",
            file=sys.stderr,
        )
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to stop
    sys.exit(status)
