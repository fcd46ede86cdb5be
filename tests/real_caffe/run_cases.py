"""Write the answers of an engine to all cases: ``run_cases.py {caffe,dreamlib.pycaffe} OUT.npz``.

Where real Caffe ends the process, the last name printed is the case to look at.
"""

import importlib
import sys

import numpy as np

from tests.real_caffe import cases

if __name__ == "__main__":
    engine = importlib.import_module(sys.argv[1])
    found = cases.everything(engine, report=lambda name: print(name, flush=True))
    np.savez_compressed(sys.argv[2], **found)
