"""Folders that are locked, nobody else's, and lose no file but ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dreamlib.errors import DreamError
from dreamlib.util.own_folder import check_owner, lock, remove

SOMEBODY = 54321


def own_by_another(path):
    """Give a file away, as only root can; say whether that was possible."""
    if os.geteuid():
        pytest.skip("only root can give a file to another user")
    os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)


def test_what_is_ours_may_be_used_through_a_link_of_ours(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    check_owner(tmp_path)
    check_owner(tmp_path / "link")


def test_what_another_user_owns_is_refused_by_name(tmp_path):
    own_by_another(tmp_path)
    with pytest.raises(DreamError, match=f"belongs to user {SOMEBODY}, not to"):
        check_owner(tmp_path)


def test_another_users_link_to_what_is_ours_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    own_by_another(tmp_path / "link")
    with pytest.raises(DreamError, match="link belongs to"):
        check_owner(tmp_path / "link")


def test_a_lock_is_had_by_one_process_until_it_ends(tmp_path):
    script = (
        "import sys; from pathlib import Path; from dreamlib.util.own_folder import lock\n"
        "print(lock(Path(sys.argv[1])) is not None, flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "lock")], stdout=subprocess.PIPE,
        stdin=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert other.stdout.readline() == b"True\n"
        assert lock(tmp_path / "lock") is None
    finally:
        other.kill()
        other.communicate()
    held = lock(tmp_path / "lock")
    assert held is not None
    os.close(held)


def test_a_lock_that_its_owner_removes_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    path, flock, calls = tmp_path / "lock", __import__("fcntl").flock, []

    def removed_once(handle, how):
        flock(handle, how)
        calls.append(handle)
        if len(calls) == 1:
            path.unlink()

    monkeypatch.setattr("fcntl.flock", removed_once)
    held = lock(path)
    assert os.fstat(held).st_ino == path.stat().st_ino
    assert len(calls) == 2
    os.close(held)


def test_a_lock_is_not_made_behind_a_link(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        lock(tmp_path / "lock")
    assert not (tmp_path / "elsewhere").exists()


def test_of_a_folder_only_what_is_named_is_removed(tmp_path):
    for name in ("ours", "theirs"):
        (tmp_path / name).touch()
    remove(tmp_path, ["ours", "never there"])
    assert os.listdir(tmp_path) == ["theirs"]
    remove(tmp_path, ["theirs"])
    assert not tmp_path.exists()


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "photo").write_text("mine")
    (tmp_path / "work" / "ours").symlink_to(tmp_path / "photo")
    remove(tmp_path / "work", ["ours"])
    assert os.listdir(tmp_path) == ["photo"]
