"""Floating point in pictures: light above white, levels, and what is no number."""

import io

import numpy as np
import pytest
from PIL import Image

from dreamlib.errors import DreamError
from dreamlib.imaging.floats import SHOULDER, shoulder, tone_mapped
from dreamlib.imaging.open_save import has_libvips, open_picture
from dreamlib.imaging.radiance import load_radiance
from tests.faults.pictures import radiance
from tests.nets import picture


def light(height=40, width=48):
    return np.float32(picture(height, width)) / 255


def levels(path):
    opened = open_picture(str(path), 0, "")
    pixels = np.concatenate([rows for _, rows in opened.strips(16)])
    return np.float32(pixels) / (257 if pixels.dtype == np.uint16 else 1)


def save_float(path, grey):
    out = io.BytesIO()
    Image.fromarray(np.float32(grey)).save(out, "TIFF")
    path.write_bytes(out.getvalue())
    return path


def test_the_curve_leaves_what_is_dark_and_brings_all_below_white():
    values = np.linspace(0, 40, 9999, dtype=np.float32)
    curved = shoulder(values.copy())
    assert (curved[values <= SHOULDER] == values[values <= SHOULDER]).all()
    assert curved.max() <= 1
    assert (np.diff(curved) >= 0).all()
    assert np.abs(np.diff(curved)).max() < 0.005  # no step at the shoulder


def test_levels_stay_levels():
    values = np.float32([0, 100, 255])
    assert tone_mapped(values.copy(), 255, 118).tolist() == values.tolist()


@pytest.mark.parametrize("bright", [1.5, 400])
def test_a_float_tiff_with_a_lamp_in_it_keeps_its_looks(tmp_path, bright):
    grey = light()[..., 0] * 0.7
    lamp = grey.copy()
    lamp[3, 5] = bright
    with_lamp = levels(save_float(tmp_path / "lamp.tif", lamp))
    without = levels(save_float(tmp_path / "plain.tif", grey))
    assert with_lamp[3, 5].min() > 245
    with_lamp[3, 5] = without[3, 5]
    np.testing.assert_allclose(with_lamp, without, atol=0.01)


@pytest.mark.skipif(not has_libvips(), reason="libvips reads float colours")
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_float_tiff_that_is_no_number_somewhere_is_refused(tmp_path, wrong):
    grey = light()[..., 0]
    grey[3, 5] = wrong
    with pytest.raises(DreamError, match=r"wrong\.tif has pixels that are NaN or infinite"):
        levels(save_float(tmp_path / "wrong.tif", grey))


@pytest.mark.skipif(not has_libvips(), reason="libvips reads float colours")
def test_a_tiff_of_float_colours_is_read(tmp_path):
    import pyvips

    values = light()
    image = pyvips.Image.new_from_array(values).copy(interpretation="scrgb")
    image.tiffsave(str(tmp_path / "colours.tif"))
    np.testing.assert_allclose(levels(tmp_path / "colours.tif"), values * 255, atol=0.01)


def test_a_radiance_picture_is_read_as_a_screen_shows_it(tmp_path):
    linear = (light() * 0.7) ** 2.2
    (tmp_path / "sky.hdr").write_bytes(radiance(linear))
    encoded = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, linear * 12.92)
    strong = linear.min(axis=2) > linear.max(axis=2) / 4  # one exponent serves three colours
    difference = np.abs(levels(tmp_path / "sky.hdr") - encoded * 255)[strong]
    assert difference.max() < 2.5


def test_a_run_length_encoded_radiance_picture_is_read(tmp_path):
    row = b"\x02\x02\x00\x08" + b"\x88\x80" * 3 + b"\x04\x81\x81\x81\x81" + b"\x84\x81"
    head = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 2 +X 8\n"
    (tmp_path / "flat.hdr").write_bytes(head + 2 * row)
    pixels = load_radiance(str(tmp_path / "flat.hdr")).pixels
    assert pixels.shape == (2, 8, 3)
    assert np.ptp(pixels) == 0
    assert pixels.max() > 254  # light of 1 is near white


@pytest.mark.parametrize("end", [60, 200, 4000])
def test_a_radiance_picture_that_is_cut_off_is_refused(tmp_path, end):
    (tmp_path / "cut.hdr").write_bytes(radiance(light())[:end])
    with pytest.raises(DreamError, match=r"cut\.hdr cannot be read, it may be truncated"):
        load_radiance(str(tmp_path / "cut.hdr"))
