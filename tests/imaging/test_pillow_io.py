"""Pictures in and out: every mode, and what goes around the dream."""

import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from dreamlib.errors import DreamError
from dreamlib.imaging.metadata import Metadata, read_settings_text
from dreamlib.imaging.open_save import save_picture
from dreamlib.imaging.picture import Picture
from dreamlib.imaging.pillow_io import load_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TEXT = 'model = "größe"\noctaves = 3\n'


def gradient(height=24, width=32):
    """Colours that differ in every pixel."""
    rows, columns = np.mgrid[:height, :width]
    return np.uint8(np.dstack([rows * 8, columns * 7, (rows + columns) * 4]))


def saved(image, path, **options):
    image.save(path, **options)
    return str(path)


@pytest.mark.parametrize(
    ("mode", "suffix", "tolerance"),
    [
        ("RGB", ".png", 0),
        ("P", ".png", 0),
        ("1", ".png", 0),
        ("L", ".png", 0),
        ("CMYK", ".tif", 0),
        ("RGB", ".jpg", 20),
        ("RGB", ".bmp", 0),
        ("RGB", ".gif", 60),
    ],
)
def test_any_mode_becomes_rgb(tmp_path, mode, suffix, tolerance):
    image = Image.fromarray(gradient()).convert(mode)
    picture = load_picture(saved(image, tmp_path / f"picture{suffix}"))
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert picture.pixels.dtype == np.uint8
    assert np.abs(picture.pixels - expected).max() <= tolerance


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_apart(tmp_path, mode):
    image = Image.fromarray(gradient()).convert(mode)
    image.putalpha(Image.fromarray(gradient()[..., 0]))
    picture = load_picture(saved(image, tmp_path / "picture.png"))
    assert np.array_equal(picture.alpha, gradient()[..., 0])
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGBA"))[..., :3])


def test_a_palettes_transparent_colour_becomes_alpha(tmp_path):
    image = Image.fromarray(np.uint8([[0, 1], [1, 1]]), "P")
    image.putpalette([255, 0, 0, 0, 255, 0])
    picture = load_picture(saved(image, tmp_path / "picture.png", transparency=0))
    assert picture.alpha.tolist() == [[0, 255], [255, 255]]
    assert picture.pixels[0, 1].tolist() == [0, 255, 0]


def test_sixteen_bits_are_kept_as_fractions_of_a_level(tmp_path):
    values = np.arange(0, 65536, 1371, dtype=np.uint16)[None].repeat(2, 0)
    path = saved(Image.fromarray(values), tmp_path / "deep.png")
    picture = load_picture(path)
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.shape == values.shape + (3,)
    assert np.allclose(picture.pixels[..., 0], values / 257, atol=1e-4)


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_floats_are_scaled_by_their_range(tmp_path, top):
    values = np.linspace(0, top, 12, dtype=np.float32).reshape(3, 4)
    picture = load_picture(saved(Image.fromarray(values), tmp_path / "float.tif"))
    assert picture.pixels.max() == pytest.approx(255)
    assert np.allclose(picture.pixels[..., 1], values * (255 / top), atol=1e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exifs_orientation_is_applied_and_reset(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker"
    path = saved(Image.fromarray(gradient()), tmp_path / "turned.png", exif=exif.tobytes())
    picture = load_picture(path)
    upright = gradient()
    turns = {2: 4, 3: 2, 4: 6, 5: 7, 6: 3, 7: 5, 8: 1}  # by quarter turns, and mirrored from 4 on
    if orientation > 1:
        upright = np.rot90(upright, turns[orientation] % 4)
        if turns[orientation] >= 4:
            upright = upright[:, ::-1]
    assert np.array_equal(picture.pixels, upright)
    again = Image.Exif()
    again.load(picture.metadata.exif)
    assert 0x0112 not in again
    assert again[0x010F] == "maker"


def test_a_profile_of_rgb_is_kept(tmp_path):
    path = saved(Image.fromarray(gradient()), tmp_path / "p.png", icc_profile=SRGB)
    assert load_picture(path).metadata.icc_profile == SRGB


def test_a_profile_of_other_colours_is_used_up(tmp_path):
    path = saved(Image.new("L", (4, 4), 90), tmp_path / "grey.png", icc_profile=SRGB)
    assert load_picture(path).metadata.icc_profile is None


def test_lab_becomes_rgb(tmp_path):
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(Image.fromarray(gradient()), srgb, lab, outputMode="LAB")
    picture = load_picture(saved(image, tmp_path / "lab.tif"))
    assert np.abs(picture.pixels.astype(int) - gradient()).mean() < 2


def broken(kind):
    """Bytes of a file that is no whole picture."""
    buffer = io.BytesIO()
    Image.fromarray(gradient(200, 200)).save(buffer, "PNG")
    jpeg = io.BytesIO()
    Image.fromarray(gradient(200, 200)).save(jpeg, "JPEG")
    return {
        "empty": b"",
        "text": b"this is no picture",
        "cut png": buffer.getvalue()[: len(buffer.getvalue()) // 2],
        "cut jpeg": jpeg.getvalue()[: len(jpeg.getvalue()) // 2],
        "cut header": buffer.getvalue()[:20],
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "cut png", "cut jpeg", "cut header"])
def test_what_is_no_whole_picture_is_refused_by_name(tmp_path, kind):
    path = tmp_path / "broken.png"
    path.write_bytes(broken(kind))
    with pytest.raises(DreamError, match=r"broken\.png"):
        load_picture(str(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DreamError, match="no such file"):
        load_picture(str(tmp_path / "none.png"))
    with pytest.raises(DreamError, match="folder"):
        load_picture(str(tmp_path))


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    path = saved(Image.fromarray(gradient()), tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DreamError, match="too large"):
        load_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 99))
def test_what_is_saved_without_loss_is_loaded_the_same(suffix, height, width, seed):
    import tempfile

    pixels = np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "picture" + suffix)
        save_picture(path, pixels, TEXT)
        assert np.array_equal(load_picture(path).pixels, pixels)


def test_floats_are_rounded_and_clipped(tmp_path):
    values = np.float32([[[-3, 0.4, 0.6], [254.4, 254.6, 300]]])
    save_picture(str(tmp_path / "f.png"), values, "")
    pixels = load_picture(str(tmp_path / "f.png")).pixels
    assert pixels.tolist() == [[[0, 0, 1], [254, 255, 255]]]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_settings_and_profile_travel_in_the_picture(tmp_path, suffix):
    path = str(tmp_path / f"out{suffix}")
    like = Picture(None, metadata=Metadata(SRGB))
    assert save_picture(path, gradient(), TEXT, like)
    import tomlkit

    assert tomlkit.parse(read_settings_text(path)) == tomlkit.parse(TEXT)
    assert load_picture(path).metadata.icc_profile == SRGB


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_maker_and_resolution_travel_in_the_picture(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x010F] = "maker"
    path = str(tmp_path / f"out{suffix}")
    like = Picture(None, metadata=Metadata(exif=exif.tobytes(), dpi=(150, 150)))
    save_picture(path, gradient(), TEXT, like)
    picture = load_picture(path)
    again = Image.Exif()
    again.load(picture.metadata.exif)
    assert again[0x010F] == "maker"
    assert float(picture.metadata.dpi[0]) == pytest.approx(150, abs=0.1)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_travels_where_the_format_can(tmp_path, suffix):
    alpha = gradient()[..., 1]
    path = str(tmp_path / f"out{suffix}")
    save_picture(path, gradient(), TEXT, Picture(None, alpha=alpha))
    assert np.array_equal(load_picture(path).alpha, alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_other_formats_drop_alpha(tmp_path, suffix):
    path = str(tmp_path / f"out{suffix}")
    like = Picture(None, alpha=gradient()[..., 1])
    assert save_picture(path, gradient(), TEXT, like) is (suffix != ".bmp")
    assert load_picture(path).alpha is None


def test_a_picture_without_settings_is_refused(tmp_path):
    path = saved(Image.fromarray(gradient()), tmp_path / "plain.png")
    with pytest.raises(DreamError, match="no settings"):
        read_settings_text(path)


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "out.png"
    path.write_text("old")

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(DreamError, match="No space left"):
        save_picture(str(path), gradient(), TEXT)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.png"]


def test_text_of_a_foreign_png_is_not_taken_for_settings(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "octaves = 3")
    path = saved(Image.fromarray(gradient()), tmp_path / "foreign.png", pnginfo=info)
    with pytest.raises(DreamError, match="no settings"):
        read_settings_text(path)


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    save_picture(str(tmp_path / "link.png"), gradient(), TEXT)
    assert (tmp_path / "link.png").is_symlink()
    assert Image.open(tmp_path / "real.png").size == (32, 24)


def test_a_tiff_that_does_not_tell_its_resolution_has_none(tmp_path):
    assert load_picture(saved(Image.fromarray(gradient()), tmp_path / "p.tif")).metadata.dpi is None
