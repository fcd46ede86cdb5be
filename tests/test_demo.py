"""The demo's page: what it shows is there, and what it says made it can be typed."""

import re
import shlex
import shutil
import subprocess

import pytest

from dreamlib import cli
from tests.embedded import REPOSITORY

#: In Python's place: makes the file, or the folder of frames and its film, that is asked for.
STAND_IN = """#!/usr/bin/env bash
set -eu
if [ "$1" = -m ]; then touch "$4"; exit; fi
echo "$@" >>commands
case "$*" in
  *--frames*) mkdir "$3"; touch "$3/0000.png" "$3.gif" ;;
  *) touch "$3" ;;
esac
"""


@pytest.fixture
def made(tmp_path):
    """The folder of a demo made by the stand-in, twice: the second finds the first one's files."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPOSITORY / "scripts/demo.sh", tmp_path / "scripts")
    stand_in = tmp_path / "python"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    for _ in range(2):
        subprocess.run(["scripts/demo.sh", "./python"], cwd=tmp_path, check=True)
    return tmp_path / "out"


def test_every_picture_of_the_page_is_there(made):
    shown = re.findall(r'src="([^"]+)"', (made / "index.html").read_text())
    assert {"demo.png", "volcano.png", "fox.png", "zoom.gif"} < set(shown)
    assert [name for name in shown if not (made / name).exists()] == []


def test_the_page_says_the_commands_that_made_it(made):
    said = re.findall(r"<pre>dream\.py (.*)</pre>", (made / "index.html").read_text())
    ran = (made / "commands").read_text().splitlines()[-len(said) :]
    assert len(said) == 4
    for words, command in zip(said, ran):
        arguments = cli.build_parser().parse_intermixed_args(shlex.split(words))
        cli.settings_from(arguments)
        flags = command.split(" ", 1)[1].replace("--model efficientnet_lite0 ", "")
        assert " ".join(shlex.split(words)) == flags
