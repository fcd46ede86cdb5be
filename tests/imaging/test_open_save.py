"""Picture files, in and out: what holds whether Pillow or libvips reads and writes them."""

import io
import os

import numpy as np
import pytest
import tomlkit
from PIL import Image, PngImagePlugin

from dreamlib.errors import DreamError
from dreamlib.imaging import open_save
from dreamlib.imaging.open_save import open_picture, save_picture
from dreamlib.imaging.picture import Metadata, Picture
from dreamlib.imaging.pillow_io import load_picture, read_settings_text
from tests.imaging.pictures import (
    MAKER,
    ORIENTATION,
    SRGB,
    SUFFIXES,
    TEXT,
    exif_of,
    files_of_at_most,
    noise,
    read_exif,
    saved,
    smooth,
)


@pytest.fixture(params=["Pillow", "libvips"])
def library(request, monkeypatch):
    """Who reads and writes, whatever the size."""
    if request.param == "libvips":
        pytest.importorskip("pyvips")
        monkeypatch.setattr(open_save, "LARGE", -1)
    else:
        monkeypatch.setattr(open_save, "has_libvips", lambda: False)
    return request.param


def opened(path):
    return open_picture(str(path), 0, "")


def levels(picture):
    """All of a picture's pixels, from 0 to 255."""
    pixels = np.concatenate([rows for _, rows in picture.strips(10)])
    return pixels / 257 if pixels.dtype == np.uint16 else pixels


# In.


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_floats_are_scaled_by_their_range(library, tmp_path, top):
    values = np.linspace(0, top, 12, dtype=np.float32).reshape(3, 4)
    picture = opened(saved(values, tmp_path / "float.tif"))
    assert picture.dtype != np.uint8
    assert np.abs(levels(picture)[..., 1] - values * (255 / top)).max() < 0.01


def test_sixteen_bits_of_grey_are_kept(library, tmp_path):
    values = np.arange(0, 65536, 1371, dtype=np.uint16)[None].repeat(2, 0)
    found = levels(opened(saved(values, tmp_path / "deep.png")))
    assert found.shape == values.shape + (3,)
    assert np.allclose(found[..., 0], values / 257, atol=1e-4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_exifs_orientation_is_applied_and_reset(library, tmp_path, orientation, suffix):
    exif = exif_of(orientation=orientation, maker="maker")
    path = saved(smooth(), tmp_path / f"turned{suffix}", exif=exif, quality=95)
    upright = smooth().astype(int)
    turns = {2: 4, 3: 2, 4: 6, 5: 7, 6: 3, 7: 5, 8: 1}  # by quarter turns, and mirrored from 4 on
    if orientation > 1:
        upright = np.rot90(upright, turns[orientation] % 4)
        if turns[orientation] >= 4:
            upright = upright[:, ::-1]
    picture = opened(path)
    assert (picture.height, picture.width) == upright.shape[:2]
    assert np.abs(levels(picture) - upright).max() <= (9 if suffix == ".jpg" else 0)
    exif = read_exif(picture.metadata.exif)
    assert ORIENTATION not in exif
    assert exif[MAKER] == "maker"


def test_a_profile_of_rgb_is_kept_and_leaves_colours_alone(library, tmp_path):
    picture = opened(saved(noise(), tmp_path / "p.png", icc_profile=SRGB))
    assert picture.metadata.icc_profile == SRGB
    assert np.array_equal(levels(picture), noise())


def test_a_profile_of_other_colours_is_used_up(library, tmp_path):
    path = saved(Image.new("L", (4, 4), 90), tmp_path / "grey.png", icc_profile=SRGB)
    assert opened(path).metadata.icc_profile is None


def broken(kind):
    """Bytes of a file that is no whole picture."""
    if kind in ("EMPTY", "TEXT"):
        return {"EMPTY": b"", "TEXT": b"this is no picture"}[kind]
    buffer = io.BytesIO()
    kind, _, header = kind.partition(" ")
    Image.fromarray(noise(200, 200)).save(buffer, kind)
    data = buffer.getvalue()
    return data[:20] if header else data[: len(data) // 2]


@pytest.mark.parametrize("kind", ["EMPTY", "TEXT", "PNG", "JPEG", "TIFF", "WEBP", "PNG header"])
def test_what_is_no_whole_picture_is_refused_by_name(library, tmp_path, kind):
    path = tmp_path / "broken.png"
    path.write_bytes(broken(kind))
    with pytest.raises(DreamError, match=r"broken\.png"):
        levels(opened(path))


@pytest.mark.parametrize(("name", "says"), [("none.png", "no such file"), (".", "folder")])
def test_a_missing_file_and_a_folder_are_refused(library, tmp_path, name, says):
    with pytest.raises(DreamError, match=says):
        opened(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(library, tmp_path):
    path = tmp_path / "closed.png"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(DreamError, match="Permission denied"):
        opened(path)


@pytest.mark.parametrize("source", ["in.png", "noise:9x9"])
def test_what_libvips_alone_writes_is_refused_without_it(monkeypatch, source):
    monkeypatch.setattr(open_save, "has_libvips", lambda: False)
    for output, tiff in (("out.dzi", "strip"), ("out.tif", "pyramid")):
        with pytest.raises(DreamError, match=r"pip install 'dreamlib\[vips\]'"):
            open_picture(source, 0, output, tiff)


# Out.


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_belongs_to_the_picture_travels_with_the_settings(library, tmp_path, suffix):
    path = str(tmp_path / f"out{suffix}")
    metadata = Metadata(SRGB, exif_of(maker="maker"), (150, 150))
    alpha = smooth()[..., 1]
    assert save_picture(path, smooth(), TEXT, Picture(None, alpha, metadata))
    picture = load_picture(path)
    assert tomlkit.parse(read_settings_text(path)) == tomlkit.parse(TEXT)
    assert picture.metadata.icc_profile == SRGB
    assert read_exif(picture.metadata.exif)[MAKER] == "maker"
    if suffix == ".jpg":
        assert not picture.has_alpha
    else:
        assert np.array_equal(picture.alpha, alpha)
    if suffix != ".webp":  # which Pillow does not ask
        assert picture.metadata.dpi == pytest.approx((150, 150), abs=0.6)


def test_other_formats_drop_what_they_cannot_hold(library, tmp_path):
    path = str(tmp_path / "out.bmp")
    assert not save_picture(path, smooth(), TEXT, Picture(None, metadata=Metadata(SRGB)))
    assert np.array_equal(load_picture(path).pixels, smooth())
    assert load_picture(path).alpha is None


def test_floats_are_rounded_and_limited(library, tmp_path):
    values = np.float32([[[-3, 0.4, 0.6], [254.4, 254.6, 300]]])
    save_picture(str(tmp_path / "f.png"), values)
    assert load_picture(str(tmp_path / "f.png")).pixels.tolist() == [[[0, 0, 1], [254, 255, 255]]]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_settings_are_read_from_pictures_of_any_size(library, tmp_path, suffix, monkeypatch):
    path = str(tmp_path / f"out{suffix}")
    save_picture(path, smooth(), "octaves = 3\n")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_settings_text(path) == "octaves = 3\n"
    assert Image.MAX_IMAGE_PIXELS == 10


def test_exif_too_long_for_jpeg_gives_way_to_the_settings(library, tmp_path):
    source = saved(smooth(), tmp_path / "in.tif", tiffinfo={0x8298: "c" * 70_000})
    path = str(tmp_path / "out.jpg")
    assert save_picture(path, smooth(), "octaves = 3\n", opened(source))
    assert read_settings_text(path) == "octaves = 3\n"
    assert not save_picture(path, smooth(), "c" * 70_000)


@pytest.mark.parametrize("made_by", ["nobody", "another program"])
def test_a_picture_without_settings_is_refused(tmp_path, made_by):
    info = PngImagePlugin.PngInfo()
    if made_by == "another program":
        info.add_text("Comment", "octaves = 3")
    path = saved(smooth(), tmp_path / "plain.png", pnginfo=info)
    with pytest.raises(DreamError, match="no settings"):
        read_settings_text(path)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".bmp"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(library, tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    path.write_text("old")
    with files_of_at_most(1000), pytest.raises(DreamError, match="cannot be written"):
        save_picture(str(path), noise(400, 400), TEXT)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


def test_a_link_stays_and_what_it_points_to_is_written(library, tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    save_picture(str(tmp_path / "link.png"), smooth(), TEXT)
    assert (tmp_path / "link.png").is_symlink()
    assert Image.open(tmp_path / "real.png").size == (96, 64)
