"""The Debian 11 root where real Caffe lives: found or built, and commands run in it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
CANNOT_BE_BUILT = 3  # exit status of the script

#: What a copy of the project in the root consists of.
PROJECT_FILES = ("dream.py", "dreamlib", "models", "tests", "benchmarks", "pyproject.toml")


class Unavailable(Exception):
    """Real Caffe cannot be had on this machine; says why."""


@functools.cache
def find():
    """Return the root's path, building it if it is not there.

    Raises
    ------
    Unavailable
    """
    result = subprocess.run(
        [PROJECT / "scripts/real_caffe_root.sh"], capture_output=True, text=True, check=False
    )
    if result.returncode == CANNOT_BE_BUILT:
        raise Unavailable(result.stderr.strip().splitlines()[-1])
    result.check_returncode()
    return Path(result.stdout.strip())


@functools.cache
def project():
    """Return a copy of the project in the root, there until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="project", dir=find() / "tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.part")
    for name in PROJECT_FILES:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(PROJECT / name, folder)
    return folder


def _words(arguments):
    """Return a program's arguments as text, with the project's folder in them."""
    return [str(value).replace("{project}", f"/tmp/{project().name}") for value in arguments]


@functools.cache
def _may_mount():
    """Tell whether a file system can be mounted for a process alone."""
    return not subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode


def _command(folder, arguments):
    """Return the command that runs the root's Python in a folder of the root."""
    # With a /proc of its own, where that can be: Dask's workers look at the machine's memory there.
    mount = 'mount -t proc proc "$1/proc" 2>/dev/null; shift; exec "$@"'
    chroot = ["unshare", "--mount", "sh", "-c", mount, "sh", find()] if _may_mount() else []
    chroot += ["chroot", find(), "env", "-i", "PATH=/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"]
    chroot += ["GLOG_minloglevel=2", *_words(["PYTHONPATH=.:{project}"])]
    chroot += ["PYTHONDONTWRITEBYTECODE=1"]
    shell = ["sh", "-c", 'cd "$1" && shift && exec python3 "$@"', "sh", f"/tmp/{folder.name}"]
    return [*chroot, *shell, *_words(arguments)]


@contextlib.contextmanager
def _inside(folder):
    """Give a copy of a folder in the root; what is written there comes back."""
    inside = Path(tempfile.mkdtemp(dir=find() / "tmp"))
    try:
        shutil.copytree(folder, inside, dirs_exist_ok=True)
        yield inside
        shutil.copytree(inside, folder, dirs_exist_ok=True)
    finally:
        shutil.rmtree(inside, ignore_errors=True)


def run(arguments, folder, timeout=600):
    """Run the root's Python in a copy of a folder; what it writes there comes back.

    Parameters
    ----------
    arguments : list of str
        Of Python; ``{project}`` becomes the folder of the project, which is on the path.
    folder : Path
        Its files are there for the program, in its working directory.
    timeout : float
        Seconds.

    Returns
    -------
    str
        Printed output.

    Raises
    ------
    RuntimeError
        It failed; with its output.
    Unavailable
    """
    with _inside(folder) as inside:
        result = subprocess.run(
            _command(inside, arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(f"{arguments} ended with {result.returncode}:\n{result.stdout}")
        return result.stdout


@functools.cache
def _server():
    """Start `caffe_server`; it ends with this process."""
    command = _command(project(), ["-m", "tests.real_caffe.caffe_server"])
    pipe = subprocess.PIPE
    server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
    atexit.register(server.communicate)
    return server


def ask(arguments, folder):
    """Do as `run` does, in a fork of a process that has imported Caffe: a second is saved."""
    with _inside(folder) as inside:
        server = _server()
        server.stdin.write(json.dumps([f"/tmp/{inside.name}", _words(arguments)]) + "\n")
        status = os.waitstatus_to_exitcode(int(server.stdout.readline()))
        said = (inside / "said.txt").read_text()
        if status:
            raise RuntimeError(f"{arguments} ended with {status}:\n{said}")
        return said


def dream(folder, *arguments):
    """Run the project's command in the root; see `ask`."""
    return ask(["{project}/dream.py", *arguments], folder)
