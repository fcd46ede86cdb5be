"""Sizes in words, and this machine's memory."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.util.memory import (
    available_memory,
    give_back_code,
    parse_bytes,
    peak_memory,
    resident_memory,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1000", 1000),
        ("2G", 2 << 30),
        ("512M", 512 << 20),
        ("1.5g", 3 << 29),
        ("64MiB", 64 << 20),
        ("3 kB", 3 << 10),
        ("1T", 1 << 40),
        (" 7b ", 7),
        (12345, 12345),
    ],
)
def test_sizes_are_read(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "G", "-1G", "2X", "2GG", "1,5G", "1e3", "2G free", None])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="is no size"):
        parse_bytes(text)


@given(st.integers(0, 10**15))
def test_a_plain_number_of_bytes_is_itself(count):
    assert parse_bytes(str(count)) == count


def test_the_memory_of_this_machine_is_a_plausible_number():
    assert 10 << 20 < resident_memory() <= peak_memory() < 1 << 40
    assert 0 < available_memory() < 1 << 50


def test_a_librarys_code_is_given_back_and_comes_back():
    numba = pytest.importorskip("numba")

    def twice():
        return numba.njit(lambda value: 2 * value)(21)

    assert twice() == 42
    before = of_files()
    give_back_code("libllvmlite")
    assert of_files() < before - (4 << 20)
    assert twice() == 42


def of_files():
    """Return the bytes of files that this process holds in memory."""
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(r"RssFile:\s+(\d+)", file.read()).group(1))
