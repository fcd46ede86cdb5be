"""The Debian 11 root where real Caffe lives: found or built, and commands run in it."""

from __future__ import annotations

import functools
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


def run(command, folder, timeout=600):
    """Run a command in the root, in a copy of a folder; what it writes there comes back.

    Parameters
    ----------
    command : list of str
    folder : Path
        Its files are there for the command, as its working directory.
    timeout : float
        Seconds.

    Returns
    -------
    str
        What the command printed.

    Raises
    ------
    RuntimeError
        It failed; with all it said.
    Unavailable
    """
    root = find()
    inside = Path(tempfile.mkdtemp(dir=root / "tmp"))
    try:
        shutil.copytree(folder, inside, dirs_exist_ok=True)
        chroot = ["chroot", root, "env", "-i", "PATH=/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"]
        chroot += ["GLOG_minloglevel=2", "PYTHONPATH=.", "PYTHONDONTWRITEBYTECODE=1"]
        shell = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", f"/tmp/{inside.name}"]
        result = subprocess.run(
            [*chroot, *shell, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(f"{command} ended with {result.returncode}:\n{result.stdout}")
        shutil.copytree(inside, folder, dirs_exist_ok=True)
        return result.stdout
    finally:
        shutil.rmtree(inside, ignore_errors=True)


def copy_project(folder):
    """Put a copy of the project's files into a folder, for `run`."""
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.part")
    for name in PROJECT_FILES:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy(source, folder / name)


def run_python(arguments, timeout=600):
    """Run the root's Python in a copy of the project; return what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        copy_project(Path(folder))
        return run(["python3", *arguments], Path(folder), timeout)
