"""Transparency: nobody sees what lies under an alpha of 0, neither the network nor a JPEG."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamlib.ascent.mask import Mask
from dreamlib.imaging import open_save
from dreamlib.imaging.alpha import Surroundings, filled, laid_strips, lay, shrunken_alpha
from dreamlib.imaging.open_save import open_picture, save_picture
from dreamlib.imaging.picture import Picture, Window
from dreamlib.jobs.frames import levels_of
from dreamlib.video.encode import assemble
from tests.imaging.pictures import noise, saved, smooth


@pytest.fixture(params=["Pillow", "libvips"])
def library(request, monkeypatch):
    """Who reads and writes, whatever the size."""
    if request.param == "libvips":
        pytest.importorskip("pyvips")
        monkeypatch.setattr(open_save, "LARGE", -1)
    else:
        monkeypatch.setattr(open_save, "has_libvips", lambda: False)
    return request.param


def hole(height=64, width=96):
    """An alpha with a transparent disc and a half transparent stripe."""
    rows, columns = np.mgrid[:height, :width]
    alpha = np.full((height, width), 255, np.uint8)
    alpha[:, :10] = 128
    alpha[(rows - height // 2) ** 2 + (columns - width // 2) ** 2 < (height // 3) ** 2] = 0
    return alpha


def rgba(path, pixels, alpha, **options):
    return saved(Image.fromarray(np.dstack([pixels, alpha])), path, **options)


def decoded(path, rows=10):
    return np.concatenate([strip for _, strip in open_picture(str(path), 0, "").strips(rows)])


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".png", {}), (".tif", {}), (".webp", {"lossless": True, "exact": True})],
)
def test_what_is_hidden_does_not_matter_and_what_is_visible_stays(
    library, tmp_path, suffix, options
):
    alpha = hole()
    one, other = smooth(), smooth()
    one[alpha == 0], other[alpha == 0] = 0, noise(64, 96)[alpha == 0]
    one = decoded(rgba(tmp_path / f"one{suffix}", one, alpha, **options))
    other = decoded(rgba(tmp_path / f"other{suffix}", other, alpha, **options))
    assert np.array_equal(one, other)
    assert np.array_equal(one[alpha > 0], smooth()[alpha > 0])


def test_hidden_colours_continue_those_around(library, tmp_path):
    pixels, alpha = smooth(), hole()
    pixels[alpha == 0] = (255, 0, 255)
    difference = np.abs(decoded(rgba(tmp_path / "hole.png", pixels, alpha)).astype(int) - smooth())
    assert difference.mean() < 4
    assert difference.max() < 40  # of a range of 120 within the disc


def test_both_libraries_fill_alike(tmp_path, monkeypatch):
    pytest.importorskip("pyvips")
    path = rgba(tmp_path / "hole.png", noise(64, 96), hole())
    by_pillow = decoded(path)
    monkeypatch.setattr(open_save, "LARGE", -1)
    assert np.array_equal(decoded(path), by_pillow)


@settings(max_examples=40)
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), rows=st.integers(1, 41),
    share=st.sampled_from([0.02, 0.5, 0.98]), seed=st.integers(0, 99),
)  # fmt: skip
def test_strips_of_any_height_are_filled_as_the_whole(height, width, rows, share, seed):
    random = np.random.RandomState(seed)
    pixels = noise(height, width, seed=seed)
    alpha = np.uint8(255 * (random.rand(height, width) > share))
    whole, by_strips = pixels.copy(), pixels.copy()
    filled(whole, alpha)
    around = Surroundings(height, width)
    parts = [(top, by_strips[top : top + rows], alpha[top : top + rows])
             for top in range(0, height, rows)]  # fmt: skip
    for part in parts:
        around.see(*part)
    for part in parts:
        around.fill(*part)
    # Sums of other strips differ in the last bit, which may round the other way.
    assert np.abs(whole.astype(int) - by_strips).max() <= 1
    if alpha.any():
        visible = pixels[alpha > 0]
        assert (whole.min((0, 1)) >= visible.min(0)).all()
        assert (whole.max((0, 1)) <= visible.max(0)).all()


def test_a_picture_that_is_hidden_all_over_stays(tmp_path):
    pixels = noise(20, 30)
    path = rgba(tmp_path / "none.png", pixels, np.zeros((20, 30), np.uint8))
    assert np.array_equal(decoded(path), pixels)


def test_blocks_of_a_large_picture_are_larger_so_that_there_are_few():
    assert Surroundings(100_000, 200_000)._sums.nbytes <= 4 << 20


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_laid_on_white_by_the_formula_of_compositing(dtype):
    white = 65535 if dtype == np.uint16 else 255
    pixels = noise(9, 11, dtype=np.uint16 if dtype == np.uint16 else np.uint8).astype(dtype)
    alpha = noise(9, 11, seed=1)[..., 0]
    share = alpha[..., None] / 255
    expected = share * pixels + (1 - share) * white
    laid = pixels.copy()
    lay(laid, alpha)
    assert np.abs(laid - expected).max() <= 0.5 + 1e-2


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".dzi"])
@pytest.mark.parametrize("window", [None, Window(10, 20, 40, 50)])
def test_a_format_without_alpha_shows_white_there(library, tmp_path, suffix, window):
    if suffix == ".dzi" and library == "Pillow":
        pytest.skip("libvips alone writes it")
    alpha, pixels = hole(), np.full((64, 96, 3), (30, 90, 160), np.uint8)
    like = open_picture(rgba(tmp_path / "in.png", pixels, alpha), 0, "")
    if window:
        like = like.cropped(window)
        alpha = alpha[10:50, 20:70]
    part = np.full((*alpha.shape, 3), (30, 90, 160), np.uint8)
    path = tmp_path / f"out{suffix}"
    save_picture(str(path), part, "", like)
    if suffix == ".dzi":
        [path] = (
            tmp_path / "out_files" / "7" if not window else tmp_path / "out_files" / "6"
        ).iterdir()
    shown = np.asarray(Image.open(path).convert("RGB")).astype(int)
    lay(part, alpha)
    assert np.abs(shown - part).mean() < 3
    assert shown[alpha == 0].mean() > 250


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_a_part_of_a_picture_keeps_its_alpha(library, tmp_path, suffix):
    like = open_picture(rgba(tmp_path / "in.png", smooth(), hole()), 0, "")
    save_picture(
        str(tmp_path / f"out{suffix}"),
        smooth()[8:40, 30:90],
        "",
        like.cropped(Window(8, 30, 32, 60)),
    )
    found = np.asarray(Image.open(tmp_path / f"out{suffix}"))[..., 3]
    assert np.array_equal(found, hole()[8:40, 30:90])


def test_the_transparent_part_of_a_mask_is_none_of_the_dream(library, tmp_path):
    path = rgba(tmp_path / "mask.png", np.full((64, 96, 3), 255, np.uint8), hole())
    part = Mask.read(path).part(Window(0, 0, 64, 96), (64, 96))
    assert np.abs(part - hole() / 255).max() < 0.01


def test_a_film_of_a_transparent_picture_begins_with_what_is_seen_of_it(library, tmp_path):
    path = rgba(tmp_path / "in.png", smooth(), hole())
    expected = smooth()
    lay(expected, hole())
    assert np.abs(levels_of(open_picture(path, 0, "")).astype(int) - expected).max() <= 1


def test_transparent_frames_are_laid_on_white_in_a_film(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    frame = rgba(tmp_path / "0000.png", np.zeros((64, 96, 3), np.uint8), hole())
    assemble([frame, frame], str(tmp_path / "out.gif"))
    with Image.open(tmp_path / "out.gif") as film:
        shown = np.asarray(film.convert("RGB"))
    assert shown[hole() == 0].min() > 250
    assert shown[hole() == 255].max() < 5


def test_an_opaque_picture_is_given_as_it_is():
    picture = Picture(noise())
    [(_, strip)] = laid_strips(picture, 100)
    assert strip.base is picture.pixels


@pytest.mark.parametrize("window", [Window(0, 0, 64, 96), Window(11, 13, 40, 70)])
@pytest.mark.parametrize("side", [200, 35, 9])
def test_a_small_alpha_is_the_mean_of_blocks(library, tmp_path, window, side):
    pixels, alpha = noise(64, 96), hole()
    alpha = np.random.RandomState(2).randint(0, 256, alpha.shape).astype(np.uint8)
    rgba(tmp_path / "a.png", pixels, alpha)
    small = shrunken_alpha(open_picture(str(tmp_path / "a.png"), 0, ""), side, window)
    factor = -(-max(window.height, window.width) // side)
    rows, columns = window.height // factor, window.width // factor
    part = alpha[window.top :, window.left :][: rows * factor, : columns * factor].astype(float)
    means = part.reshape(rows, factor, columns, factor).mean((1, 3))
    assert small.shape == (rows, columns)
    assert np.abs(small - means).max() <= 0.5 + 1e-4
