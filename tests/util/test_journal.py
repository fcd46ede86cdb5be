"""A journal is read as it was written, or not at all."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.util.journal import Damaged, read_journal, write_journal

VALUES = {"record": {"file": "m\udcff.png", "share": 0.1}, "done": [[3, [1.5, 2.0]]], "none": None}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_what_is_written_is_read(values):
    values = {f"its {name}": value for name, value in values.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.json"
        write_journal(path, 3, values)
        assert read_journal(path, 3) == values
        assert os.listdir(folder) == ["journal.json"]


@given(st.data())
def test_a_journal_with_any_byte_changed_is_damaged_or_means_the_same(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.json"
        write_journal(path, 3, VALUES)
        text = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.integers(0, 255))
        path.write_bytes(text)
        try:
            assert read_journal(path, 3) == VALUES
        except (Damaged, DreamError):
            pass
        else:
            assert chr(text[place]) in " \t\r\n" or text[place] == path.read_bytes()[place]


@given(st.integers(0, 10_000))
def test_a_journal_that_was_cut_is_damaged(length):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.json"
        write_journal(path, 3, VALUES)
        path.write_bytes(path.read_bytes()[: length % path.stat().st_size])
        with pytest.raises(Damaged):
            read_journal(path, 3)


@pytest.mark.parametrize("text", ["", "[]", '"text"', "5", "[" * 100_000, "{}", '{"version": 3}'])
def test_what_is_no_journal_is_damaged(tmp_path, text):
    (tmp_path / "journal.json").write_text(text)
    with pytest.raises(Damaged):
        read_journal(tmp_path / "journal.json", 3)


def test_a_journal_of_another_version_is_refused(tmp_path):
    write_journal(tmp_path / "journal.json", 2, VALUES)
    with pytest.raises(DreamError, match="another version of the program"):
        read_journal(tmp_path / "journal.json", 3)


def test_a_journal_is_not_read_or_written_through_a_link(tmp_path):
    write_journal(tmp_path / "real.json", 3, VALUES)
    (tmp_path / "journal.json").symlink_to("real.json")
    (tmp_path / "journal.json.part").symlink_to("victim")
    with pytest.raises(OSError, match="symbolic link"):
        read_journal(tmp_path / "journal.json", 3)
    write_journal(tmp_path / "journal.json", 3, {})
    assert read_journal(tmp_path / "real.json", 3) == VALUES
    assert not (tmp_path / "victim").exists()


def test_a_pipe_for_a_journal_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "journal.json")
    with pytest.raises(Damaged):
        read_journal(tmp_path / "journal.json", 3)
