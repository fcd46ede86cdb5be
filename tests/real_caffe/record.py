"""Ask real Caffe all cases: ``python -m tests.real_caffe.record OUT.npz``."""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.real_caffe import root


def record(path):
    """Write real Caffe's answers to a file."""
    with tempfile.TemporaryDirectory() as folder:
        root.ask(["-m", "tests.real_caffe.cases", "caffe", "out.npz"], Path(folder))
        shutil.copy(Path(folder) / "out.npz", path)


if __name__ == "__main__":
    record(sys.argv[1])
