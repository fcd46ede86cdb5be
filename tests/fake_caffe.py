"""A package ``caffe`` with a GPU that is none: it writes down what is asked of it.

Its nets are dreamlib.pycaffe's, on the CPU. It fails as Caffe does: a line of glog's, then abort.
"""

from __future__ import annotations

import importlib
import os
import sys

PACKAGE = """
import os, pathlib, sys

TEST = 1
CALLS = pathlib.Path(__file__).parent.parent / "calls"

def _record(call):
    with open(CALLS, "a") as file:
        print(os.getpid(), call, file=file)

def set_device(gpu):
    _record(f"set_device({{gpu}})")
    fatal = {fatal!r}
    if fatal:
        print("F1121 11:05:43.938267 29642 common.cpp:66]", fatal, file=sys.stderr, flush=True)
        os.abort()

def set_mode_gpu():
    _record("set_mode_gpu()")

def set_mode_cpu():
    _record("set_mode_cpu()")

def __getattr__(name):
    if name != "Net":
        raise AttributeError(name)
    from dreamlib.pycaffe import Net  # PyTorch with it: where it is needed alone
    return Net

{more}
"""


def install(folder, monkeypatch, fatal="", more=""):
    """Make ``import caffe`` find a fake, in this process and in those it starts.

    Parameters
    ----------
    folder : Path
        Empty; the package is written into it.
    fatal : str
        What it says when a device is chosen, before it ends the process; nothing if empty.
    more : str
        Code at the end of the package.

    Returns
    -------
    callable
        Gives what was asked of the package so far: a list of strings for this process, and one for
        the others.
    """
    (folder / "caffe").mkdir()
    (folder / "caffe" / "__init__.py").write_text(PACKAGE.format(fatal=fatal, more=more))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.syspath_prepend(folder)
    fake = importlib.import_module("caffe")
    del sys.modules["caffe"]  # else it would be what monkeypatch puts back
    monkeypatch.setitem(sys.modules, "caffe", fake)

    def calls():
        path = folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        pairs = [line.split(" ", 1) for line in lines]
        ours = [call for pid, call in pairs if int(pid) == os.getpid()]
        return ours, [call for pid, call in pairs if int(pid) != os.getpid()]

    return calls
