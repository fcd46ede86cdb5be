"""What ``import caffe`` finds in processes started after `dreamlib.pycaffe.install`."""

import sys
from pathlib import Path

try:
    import dreamlib.pycaffe
except ModuleNotFoundError as error:
    if error.name != "dreamlib":
        raise
    sys.path.append(str(Path(__file__).resolve().parents[3]))  # a checkout that is not installed
    import dreamlib.pycaffe

dreamlib.pycaffe.install()  # exchanges this module for the package
