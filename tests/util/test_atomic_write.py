"""A file is written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from dreamlib.errors import DreamError
from dreamlib.util.atomic_write import replacing, written_whole


def test_a_block_that_ends_well_replaces_the_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with written_whole(path) as temporary:
        assert temporary.endswith(".txt")
        with open(temporary, "w") as file:
            file.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path):
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "target")
    with replacing(link):
        pass
    assert link.is_symlink()
    assert (tmp_path / "there" / "target").exists()


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "a"):
        pass
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_that_is_not_there_is_told_in_words(tmp_path):
    with pytest.raises(DreamError, match=r"nowhere/a\.png cannot be written"), \
            written_whole(tmp_path / "nowhere" / "a.png"):  # fmt: skip
        pass


def test_permissions_of_the_file_that_is_replaced_stay(tmp_path):
    path = tmp_path / "a"
    path.touch()
    path.chmod(0o604)
    with replacing(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_contents_are_on_the_disk_before_the_name_and_the_name_before_it_is_over(
    tmp_path, monkeypatch
):
    calls = []
    replace = os.replace

    def watched(name, argument):
        calls.append((name, os.fstat(argument).st_ino if name == "fsync" else None))

    monkeypatch.setattr(os, "fsync", lambda handle: watched("fsync", handle))
    monkeypatch.setattr(
        os, "replace", lambda old, new: (watched("replace", None), replace(old, new))
    )
    with replacing(tmp_path / "a"):
        pass
    inode = (tmp_path / "a").stat().st_ino
    assert calls == [("fsync", inode), ("replace", None), ("fsync", tmp_path.stat().st_ino)]


def test_what_a_killed_process_has_left_is_removed_and_what_another_writes_is_not(tmp_path):
    path, others = tmp_path / "a.png", tmp_path / ".part-of-a-novel"
    others.write_text("mine")
    with replacing(path, ".png") as left:
        kept = Path(left).read_bytes()
    (tmp_path / Path(left).name).write_bytes(kept)  # as if it had never become a.png
    with replacing(path, ".png") as at_work:
        assert not Path(left).exists()
        with replacing(path, ".png"):
            pass
        assert Path(at_work).exists()
    assert sorted(os.listdir(tmp_path)) == [others.name, "a.png"]
