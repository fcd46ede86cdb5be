#!/usr/bin/env python3
"""Print what pyproject.toml requires, a line each, with the extras that are named: EXTRA ...

An image installs that before dreamlib is copied into it, so that a change of dreamlib does not
install PyTorch again.
"""

import sys
from pathlib import Path

import tomllib


def main(extras):
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())[
        "project"
    ]
    unknown = set(extras) - set(project["optional-dependencies"])
    if unknown:
        there = ", ".join(project["optional-dependencies"])
        return f"requirements.py: no extra {', '.join(sorted(unknown))}; there are {there}"
    lines = [project["dependencies"], *(project["optional-dependencies"][name] for name in extras)]
    print("\n".join(line for group in lines for line in group))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
