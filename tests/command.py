"""Running the command in this process, and reading what it wrote."""

import numpy as np
from PIL import Image

from dreamlib import cli


def run(*arguments):
    """Run the command; return its exit code, whichever way it ends."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


def pixels(path):
    """A picture's RGB, (H, W, 3) int."""
    return np.asarray(Image.open(path).convert("RGB")).astype(int)
