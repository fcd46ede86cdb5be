"""The Debian 11 root where real Caffe lives: found or built, and commands run in it."""

from __future__ import annotations

import atexit
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
        It failed; with all it said.
    Unavailable
    """
    root = find()
    inside = Path(tempfile.mkdtemp(dir=root / "tmp"))
    code = f"/tmp/{project().name}"
    try:
        shutil.copytree(folder, inside, dirs_exist_ok=True)
        chroot = ["chroot", root, "env", "-i", "PATH=/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"]
        chroot += ["GLOG_minloglevel=2", f"PYTHONPATH=.:{code}", "PYTHONDONTWRITEBYTECODE=1"]
        shell = ["sh", "-c", 'cd "$1" && shift && exec python3 "$@"', "sh", f"/tmp/{inside.name}"]
        result = subprocess.run(
            [*chroot, *shell, *(str(value).replace("{project}", code) for value in arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(f"{arguments} ended with {result.returncode}:\n{result.stdout}")
        shutil.copytree(inside, folder, dirs_exist_ok=True)
        return result.stdout
    finally:
        shutil.rmtree(inside, ignore_errors=True)


def dream(folder, *arguments):
    """Run the project's command in the root; see `run`."""
    return run(["{project}/dream.py", *arguments], folder)
