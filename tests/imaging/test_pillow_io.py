"""What is of Pillow alone: the modes that it opens. See test_open_save.py for the rest."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import save_picture
from dreamlib.imaging.pillow_io import load_picture
from tests.imaging.pictures import TEXT, noise, saved, see_through, smooth


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
    image = Image.fromarray(smooth()).convert(mode)
    picture = load_picture(saved(image, tmp_path / f"picture{suffix}"))
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert picture.pixels.dtype == np.uint8
    assert np.abs(picture.pixels - expected).max() <= tolerance


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_apart(tmp_path, mode):
    image = Image.fromarray(smooth()).convert(mode)
    image.putalpha(Image.fromarray(see_through()))
    picture = load_picture(saved(image, tmp_path / "picture.png"))
    assert np.array_equal(picture.alpha, see_through())
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGBA"))[..., :3])


def test_a_palettes_transparent_colour_becomes_alpha(tmp_path):
    image = Image.fromarray(np.uint8([[0, 1], [1, 1]]), "P")
    image.putpalette([255, 0, 0, 0, 255, 0])
    picture = load_picture(saved(image, tmp_path / "picture.png", transparency=0))
    assert picture.alpha.tolist() == [[0, 255], [255, 255]]
    assert picture.pixels[0, 1].tolist() == [0, 255, 0]


def test_lab_becomes_rgb(tmp_path):
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(Image.fromarray(smooth()), srgb, lab, outputMode="LAB")
    picture = load_picture(saved(image, tmp_path / "lab.tif"))
    assert np.abs(picture.pixels.astype(int) - smooth()).mean() < 2


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    path = saved(smooth(), tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DreamError, match="too large"):
        load_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@settings(max_examples=20)
@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 99))
def test_what_is_saved_without_loss_is_loaded_the_same(suffix, height, width, seed):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, f"picture{suffix}"))
        save_picture(path, noise(height, width, seed=seed), TEXT)
        assert np.array_equal(load_picture(path).pixels, noise(height, width, seed=seed))


def test_a_tiff_that_does_not_tell_its_resolution_has_none(tmp_path):
    assert load_picture(saved(smooth(), tmp_path / "p.tif")).metadata.dpi is None
