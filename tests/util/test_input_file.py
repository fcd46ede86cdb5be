"""What somebody hands in is a regular file of a size that is expected, or refused."""

import os

import pytest

from dreamlib.errors import DreamError
from dreamlib.util.image_open import open_image
from dreamlib.util.input_file import check_file, check_path, read_bytes, read_text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is empty"),
        ("a\0b", "zero byte"),
        ("\ud800", "half a character"),
        ("n" * 256, "256 bytes; expected|has 256 bytes"),
        ("d/" * 3000, "4095 in a path"),
        ("ü" * 200, "has 400 bytes"),
    ],
)
def test_what_no_file_can_be_called_is_refused(path, words):
    with pytest.raises(DreamError, match=words):
        check_path(path)


def test_a_fifo_a_device_and_a_folder_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, words in [
        (tmp_path / "fifo", "is a FIFO"), ("/dev/zero", "is a device"), (tmp_path, "is a folder"),
    ]:  # fmt: skip
        with pytest.raises(DreamError, match=words):
            check_file(path)


def test_a_file_larger_than_expected_is_not_read(tmp_path):
    (tmp_path / "large").write_bytes(bytes(11))
    assert read_bytes(tmp_path / "large", most=11) == bytes(11)
    with pytest.raises(DreamError, match="has 11 bytes; expected 10 at most"):
        read_bytes(tmp_path / "large", most=10)


def test_binary_data_is_no_text(tmp_path):
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    with pytest.raises(DreamError, match="is not TOML: it holds binary data"):
        read_text(tmp_path / "text", "TOML")


def test_eps_never_reaches_ghostscript(tmp_path, monkeypatch):
    from PIL import EpsImagePlugin

    def drawn(*arguments, **options):
        raise AssertionError("Ghostscript is called")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", drawn)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    (tmp_path / "page.png").write_bytes(eps)
    with pytest.raises(OSError, match="cannot identify"):
        open_image(tmp_path / "page.png").load()
