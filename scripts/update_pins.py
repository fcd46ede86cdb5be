#!/usr/bin/env python3
"""Write requirements.lock anew: the newest versions that pyproject.toml allows, with their hashes.

Every file of a version is listed, for any Python from 3.11 and any platform. PyTorch stays at its
version unless --torch names another. Hashes of its builds that the package index does not list, for
the CPU for one, are added to the lock by hand (``pip hash FILE``) and kept while the version stays.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import tomllib
from install import PROJECT, read_lock

LOCK = PROJECT / "requirements.lock"
HEADER = """\
# Every package that extras of pyproject.toml need, with the SHA-256 of each file of its version.
# Written by `make update-pins`, installed by scripts/install.py.
"""
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def main(arguments=None):
    """Run the command; return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default the process's.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--hashes", action="store_true", help="keep the versions that there are; hashes alone"
    )
    parser.add_argument("--torch", metavar="VERSION", help="another PyTorch")
    options = parser.parse_args(arguments)
    before = LOCK.read_text()
    torch = read_lock(before)["torch"]
    version = options.torch or torch.version
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    more = [*pyproject["build-system"]["requires"], f"torch=={version}"]
    done, text = resolve(without_hashes(before), more, [] if options.hashes else ["--upgrade"])
    if done:
        print("update_pins.py: requirements.lock is as it was", file=sys.stderr)
        return done
    text = HEADER + text
    if version == torch.version:
        text = with_hashes(text, torch.line)
    LOCK.write_text(text)
    for line in changes(read_lock(before), read_lock(text)):
        print(line)
    return 0


def resolve(preferred, more, flags):
    """Have uv resolve pyproject.toml with all extras; return its exit code and the lock (str).

    Parameters
    ----------
    preferred : str
        A lock, whose versions are kept where they can be.
    more : list of str
        Further requirements.
    flags : list of str
        Of ``uv pip compile``.
    """
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "requirements.lock"
        lock.write_text(preferred)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", *flags),
                *("--universal", "--python-version", "3.11", "--generate-hashes"),
                *("--annotation-style", "line", "--output-file", lock),
                *("--all-extras", "pyproject.toml", "-"),
            ],
            cwd=PROJECT, input="\n".join(more), text=True, check=False,
        )  # fmt: skip
        return done.returncode, lock.read_text()


def without_hashes(text):
    """Return a lock (str) without its hashes, which uv would keep.

    Parameters
    ----------
    text : str
    """
    return re.sub(rf" \\\n +{HASH.pattern}", "", text)


def with_hashes(text, line):
    """Return a lock (str) whose PyTorch has further hashes.

    Parameters
    ----------
    text : str
    line : str
        A requirement of PyTorch with these hashes.
    """
    entry = read_lock(text)["torch"].line
    head = entry.partition(" \\\n")[0]
    hashes = sorted(set(HASH.findall(entry)) | set(HASH.findall(line)))
    return text.replace(entry, " \\\n    ".join([head, *hashes]))


def changes(before, after):
    """Say what differs between two locks, a line (str) for each package.

    Parameters
    ----------
    before, after : dict of str to Pin
    """
    for name in sorted({*before, *after}):
        old, new = (lock[name].version if name in lock else "-" for lock in (before, after))
        if old != new:
            yield f"{name}: {old} -> {new}"
        elif before[name].line != after[name].line:
            yield f"{name}: {old}, other hashes"


if __name__ == "__main__":
    sys.exit(main())
