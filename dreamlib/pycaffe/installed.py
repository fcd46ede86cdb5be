"""``import caffe`` made to find `dreamlib.pycaffe`: here, and in the processes that are started."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

NAME, OURS = "caffe", "dreamlib.pycaffe"
FOLDER = str(Path(__file__).resolve().parent / "import_path")


class _Submodules:
    """Finds ``caffe.io`` and all others in this package: the same modules, not second copies.

    A finder and a loader of ``sys.meta_path``.
    """

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith(NAME + ".") or sys.modules.get(NAME) is not sys.modules[OURS]:
            return None
        name = OURS + fullname[len(NAME) :]
        if importlib.util.find_spec(name) is None:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec):
        module = importlib.import_module(OURS + spec.name[len(NAME) :])
        self._spec = module.__spec__  # which Python exchanges for that of the other name
        return module

    def exec_module(self, module):
        module.__spec__ = self._spec


def install():
    """Make ``import caffe`` find this package, and ``caffe.io`` and the like its modules.

    So it does in the processes that this one starts, by `multiprocessing` or as programs of this
    Python: a folder with a ``caffe.py`` comes into ``sys.path`` and the variable ``PYTHONPATH``.
    """
    sys.modules[NAME] = sys.modules[OURS]
    for name in [name for name in sys.modules if name.startswith(NAME + ".")]:
        del sys.modules[name]  # another Caffe's
    if not any(isinstance(finder, _Submodules) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Submodules())
    if FOLDER not in sys.path:
        sys.path.insert(1, FOLDER)  # behind the script's own folder, which scripts ask for by place
    places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    if FOLDER not in places:
        os.environ["PYTHONPATH"] = os.pathsep.join([FOLDER, *places])
