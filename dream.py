#!/usr/bin/env python3
"""Dream a picture: ``python dream.py INPUT [OUTPUT]``; ``--help`` tells the rest."""

import sys

from dreamlib.cli import main

if __name__ == "__main__":
    sys.exit(main())
