"""The script that builds the Debian root: when it says no, and when it has nothing to do."""

import hashlib
import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts" / "real_caffe_root.sh"


def run(folder, user="0"):
    """Run the script as a user, with commands of our own where it would build."""
    commands = folder / "bin"
    commands.mkdir(exist_ok=True)
    for name, text in (("id", f"echo {user}"), ("debootstrap", "exit 9")):
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    environment = {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "HOME": str(folder),
        "DREAM_CAFFE_ROOT": str(folder / "root"),
    }
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)


def test_without_root_it_says_so(tmp_path):
    result = run(tmp_path, user="1000")
    assert result.returncode == 3
    assert "needs root" in result.stderr
    assert not (tmp_path / "root").exists()


def test_a_finished_root_is_found_again(tmp_path):
    recipe = (SCRIPT.parent / "provision_caffe.sh").read_bytes() + SCRIPT.read_bytes()
    (tmp_path / "root").mkdir()
    stamp = tmp_path / "root" / ".dreamlib-provisioned"
    stamp.write_text(hashlib.sha1(recipe).hexdigest())
    result = run(tmp_path)
    assert result.returncode == 0
    assert result.stdout.strip() == str(tmp_path / "root")


def test_a_failed_build_leaves_nothing_that_looks_finished(tmp_path):
    result = run(tmp_path)
    assert result.returncode == 3
    assert "not to be had" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "root").exists()


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "thesis.tex").write_text("years of work")
    result = run(tmp_path)
    assert result.returncode == 3
    assert "not a root that this script made; move it away" in result.stderr
    assert (tmp_path / "root" / "thesis.tex").read_text() == "years of work"


def test_an_older_root_stays_until_its_successor_is_built(tmp_path):
    (tmp_path / "root").mkdir()
    stamp = tmp_path / "root" / ".dreamlib-provisioned"
    stamp.write_text("an older recipe")
    assert run(tmp_path).returncode == 3
    assert stamp.read_text() == "an older recipe"
