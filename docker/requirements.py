#!/usr/bin/env python3
"""Print what pyproject.toml requires, a line each, with the extras that are named: EXTRA ...

An extra that is made of others is taken apart.

An image installs that before dreamlib is copied into it, so that a change of dreamlib does not
install PyTorch again.
"""

import re
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
    lines, wanted = list(project["dependencies"]), list(extras)
    for name in wanted:
        for line in project["optional-dependencies"][name]:
            others = re.fullmatch(r"dreamlib\[(.+)\]", line)
            if others:
                wanted += [other for other in others[1].split(",") if other not in wanted]
            else:
                lines.append(line)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
