#!/usr/bin/env python3
"""Install what extras of pyproject.toml need: the versions of requirements.lock, by their hashes.

    python scripts/install.py [--editable] [--torch-index ADDRESS] EXTRA...

It installs into the Python that runs it. Packages are wheels; what comes as source alone is built
by the lock's setuptools and cffi, since pip would fetch builders of its own that no hash covers.

Of PyTorch there are builds for many devices under one version. The lock has the hashes of those on
the package index, and of others that were seen, for the CPU for one. Any other is taken, by its
version and without a hash, from the index that --torch-index names, with the CUDA it asks for.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tomllib

PROJECT = Path(__file__).resolve().parent.parent
SOURCES = ("pyvips",)  # packages without wheels
BUILDERS = ("setuptools", "cffi")  # what builds them, and this project
CUDA = ("cuda-", "nvidia-", "triton")  # names of what a build of PyTorch for CUDA brings


@dataclass
class Pin:
    """A package of the lock.

    Attributes
    ----------
    version : str
    line : str
        A requirement of pip's, with its marker and hashes.
    parents : set of str
        Names of the packages that need it.
    """

    version: str
    line: str
    parents: set


def main(arguments=None):
    """Run the command; return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default the process's.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--editable", action="store_true", help="the project itself, too")
    parser.add_argument("--torch-index", metavar="ADDRESS", help="where PyTorch's build comes from")
    parser.add_argument("extras", metavar="EXTRA", nargs="*")
    options = parser.parse_args(arguments)
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    unknown = set(options.extras) - set(pyproject["project"]["optional-dependencies"])
    if unknown:
        there = ", ".join(pyproject["project"]["optional-dependencies"])
        return f"install.py: no extra {', '.join(sorted(unknown))}; there are {there}"
    needed = requirements(pyproject["project"], options.extras)
    lock = read_lock((PROJECT / "requirements.lock").read_text())
    names = closure(lock, map(name_of, needed))
    try:
        if options.editable or not set(names).isdisjoint(SOURCES):
            install([lock[name].line for name in closure(lock, BUILDERS)])
        install([lock[name].line for name in names if name != "torch"])
        if "torch" in names:
            install_torch(lock, options.torch_index)
        # Nothing is downloaded any more: it is an error if something is missing.
        pip("install", "--no-index", *needed)
        if options.editable:
            pip("install", "--no-index", "--no-deps", "--no-build-isolation", "--editable", PROJECT)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def requirements(project, extras):
    """Return a project's requirements (list of str) with extras; extras of extras are taken apart.

    Parameters
    ----------
    project : dict
        pyproject.toml's [project].
    extras : list of str
    """
    lines, wanted = list(project["dependencies"]), list(extras)
    for name in wanted:
        for line in project["optional-dependencies"][name]:
            others = re.fullmatch(r"dreamlib\[(.+)\]", line)
            if others:
                wanted += [other for other in others[1].split(",") if other not in wanted]
            else:
                lines.append(line)
    return lines


def name_of(requirement):
    """Return the name in a requirement, spelt as in the lock.

    Parameters
    ----------
    requirement : str
    """
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def read_lock(text):
    """Read requirements.lock: a dict of name -> Pin.

    Parameters
    ----------
    text : str
    """
    lock = {}
    for entry in re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]:
        line, _, via = entry.partition("\n    # via ")
        version = re.match(r"[\w.-]+==(\S+)", line)[1]
        pin = lock.setdefault(name_of(line), Pin(version, line, set()))
        pin.parents.update(map(name_of, via.strip().split(", ")))
        if pin.line != line:  # another version, for other Pythons or platforms
            pin.line += f"\n{line}"
            pin.version += f" or {version}"
    return lock


def closure(lock, names):
    """Return the names (list of str, sorted) of packages with all that they need.

    CUDA is left out, but for what is named itself.

    Parameters
    ----------
    lock : dict
    names : iterable of str
    """
    found, new = set(), set(names)
    while new:
        found |= new
        new = {name for name, pin in lock.items() if pin.parents & new} - found
        new = {name for name in new if not name.startswith(CUDA)}
    return sorted(found)


def install_torch(lock, index):
    """Install PyTorch, and CUDA where its build asks for it; what is there stays.

    Parameters
    ----------
    lock : dict
    index : str or None
        Where its build comes from.
    """
    version = f"torch=={lock['torch'].version}"
    if index:
        print(f"install.py: {version} of {index} is taken without a hash", file=sys.stderr)
        pip("install", "--no-deps", "--index-url", index, version)
    elif torch_version().partition("+")[0] != lock["torch"].version:
        install_build(version, lock["torch"].line)
    importlib.invalidate_caches()
    asked = map(name_of, importlib.metadata.requires("torch") or [])
    if not any(name.startswith(CUDA) for name in asked):
        return
    if index:
        pip("install", version)
    else:
        install([pin.line for name, pin in lock.items() if name.startswith(CUDA)])


def torch_version():
    """Return the version (str) of PyTorch that is installed; "" without it."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


def install_build(version, line):
    """Install the build of PyTorch that pip chooses here, by its hash.

    Given hashes, pip would choose another build, for CUDA, before one whose hash it is not told
    beforehand, as that of a file on this machine.

    Parameters
    ----------
    version, line : str
        Its requirement, without hashes and with them.
    """
    with tempfile.TemporaryDirectory() as folder:
        pip("download", "--no-deps", "--only-binary", ":all:", "--dest", folder, version)
        try:
            install([line], "--no-index", "--find-links", folder)
        except subprocess.CalledProcessError:
            (build,) = os.listdir(folder)
            print(
                f"install.py: requirements.lock has no hash of {build}. If you trust where it came "
                "from, name that index, for which no hash is asked: TORCH_INDEX=ADDRESS make setup",
                file=sys.stderr,
            )
            raise


def install(lines, *flags):
    """Install packages by their hashes.

    Parameters
    ----------
    lines : list of str
        Each with its hashes.
    *flags : str
        Of ``pip install``.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(lines) + "\n")
        wheels = (
            "--only-binary",
            ":all:",
            "--no-binary",
            ",".join(SOURCES),
            "--no-build-isolation",
        )
        pip("install", "--require-hashes", "--no-deps", *wheels, *flags, "--requirement", file)


def pip(*arguments):
    """Run pip; what it says is shown.

    Parameters
    ----------
    *arguments : str or Path

    Raises
    ------
    subprocess.CalledProcessError
        It failed, for a reason that it said.
    """
    command = [sys.executable, "-m", "pip", "--quiet", *arguments]
    settings = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run(command, check=True, env={**os.environ, **settings})


if __name__ == "__main__":
    sys.exit(main())
