"""Reading what docker reads: a Dockerfile's instructions, and what .dockerignore lets in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent.parent
DOCKERFILES = sorted(PROJECT.glob("docker/*/Dockerfile"))

KEYWORDS = ("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "USER", "WORKDIR")


class Instruction(NamedTuple):
    """`words` are an exec form's strings, or the words of anything else."""

    keyword: str
    words: list


def parse(text):
    """Return a Dockerfile's instructions (list of Instruction), comments and folds taken out.

    Raises
    ------
    ValueError
        A keyword that our images do not use, or nothing after it.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    instructions = []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        keyword, _, value = line.strip().partition(" ")
        if keyword not in KEYWORDS or not value.strip():
            raise ValueError(f"not an instruction of our Dockerfiles: {line}")
        is_exec = value.strip().startswith("[")
        instructions.append(Instruction(keyword, json.loads(value) if is_exec else value.split()))
    return instructions


def substitute(word, values):
    """Replace ``${NAME}`` by `values`; an unknown name is a KeyError. Quotes go, as in a shell."""
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match.group(1)], word).strip('"')


def ignore_rules(text):
    """Return .dockerignore's rules, as (regular expression, whether it lets in) pairs."""
    rules = []
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            pattern = re.escape(line.lstrip("!").strip("/"))
            pattern = pattern.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            rules.append((re.compile(pattern + "(?:/.*)?"), line.startswith("!")))
    return rules


def is_let_in(path, rules):
    """Whether docker's context has the file `path` (str, relative): the last fitting rule says."""
    last = [lets_in for pattern, lets_in in rules if pattern.fullmatch(path)]
    return last[-1] if last else True


def context(folder=PROJECT):
    """Return the relative paths (list of Path) of the files that docker would be sent."""
    rules = ignore_rules((folder / ".dockerignore").read_text())
    # As docker does where no rule could let in what is below, do not look into ignored folders.
    tops = [top for top in sorted(folder.iterdir()) if is_let_in(top.name, rules)]
    files = [file for top in tops for file in ([top] if top.is_file() else sorted(top.rglob("*")))]
    paths = [file.relative_to(folder) for file in files if file.is_file()]
    return [path for path in paths if is_let_in(path.as_posix(), rules)]


def copied(sources, files):
    """Return what ``COPY sources... DESTINATION/`` puts where: (context path, path below it) pairs.

    Of a folder, its content is copied; of a file, the file by its name.
    """
    pairs = []
    for source in sources:
        source = Path(source)
        if source in files:
            pairs.append((source, Path(source.name)))
        else:
            inside = [file for file in files if source == Path(".") or source in file.parents]
            pairs += [(file, file.relative_to(source)) for file in inside]
    return pairs
