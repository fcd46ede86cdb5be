"""What is refused of an output before any work is done."""

import os

import pytest
from PIL import Image

from dreamlib.errors import DreamError
from dreamlib.imaging.formats import check_output, check_size


@pytest.mark.parametrize(
    ("name", "says"),
    [("out.xyz", ".png"), ("out", ".png"), ("none/out.png", "no folder"), ("sub.png", "folder")],
)
def test_an_output_that_cannot_be_written_is_refused(tmp_path, name, says):
    (tmp_path / "sub.png").mkdir()
    with pytest.raises(DreamError, match=says):
        check_output(str(tmp_path / name))


def test_the_input_is_not_overwritten(tmp_path):
    path = str(tmp_path / "in.png")
    Image.new("RGB", (4, 4)).save(path)
    os.symlink(path, tmp_path / "link.png")
    with pytest.raises(DreamError, match="is the input"):
        check_output(str(tmp_path / "link.png"), path)
    check_output(str(tmp_path / "other.png"), path)


@pytest.mark.parametrize(
    ("name", "width", "says"),
    [
        ("out.jpg", 65501, "65500.*tif.*png.*dzi"),
        ("out.webp", 16384, "16383.*tif.*png.*dzi"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_before(tmp_path, name, width, says):
    with pytest.raises(DreamError, match=says):
        check_size(str(tmp_path / name), width, 10)
    check_size(str(tmp_path / "out.tif"), 10**6, 10**6)


def test_a_folder_that_is_no_deep_zooms_is_not_replaced(tmp_path):
    (tmp_path / "out_files").mkdir()
    with pytest.raises(DreamError, match="move it away"):
        check_size(str(tmp_path / "out.dzi"), 10, 10)
