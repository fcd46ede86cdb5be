"""What is brought back of the undreamt picture: colours, a share, a mask's part."""

import numpy as np
import pytest
from PIL import Image

from dreamlib.imaging.color import blend_undreamt, keep_colour
from dreamlib.imaging.picture import Window
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.finish import apply_finish
from dreamlib.tiling.octaves import Finish
from dreamlib.tiling.pyramid import Stored
from dreamlib.tiling.quantize import Quantizer
from tests.dreams import RULE

BYTES = Quantizer(RULE, "uint8")
ALL = Window(0, 0, 20, 30)


def picture(height=20, width=30, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture
def halves(tmp_path):
    """A mask, black on the left."""
    Image.fromarray(np.repeat(np.uint8([[0, 255]]), 10, axis=0)).save(tmp_path / "mask.png")
    return str(tmp_path / "mask.png")


def finished(finish, dreamt, undreamt, window=ALL):
    """The pixels that become of a dreamt picture."""
    source, target = Stored(Canvas.of(undreamt), BYTES), Canvas.of(np.empty_like(dreamt))
    apply_finish(finish, Canvas.of(dreamt), target, BYTES, source, window, (20, 30))
    return target.array()


def test_nothing_is_on_at_first(halves):
    assert not Finish().is_on
    assert Finish(keep_colour=True).is_on
    assert Finish(strength=0.5).is_on
    assert Finish(mask=halves).is_on


def test_a_mask_shows_the_undreamt_picture_where_it_is_black(halves):
    found = finished(Finish(mask=halves), picture(), picture(seed=1))
    assert np.array_equal(found[:, :7], picture(seed=1)[:, :7])
    assert np.array_equal(found[:, 23:], picture()[:, 23:])


def test_strength_is_a_share_of_what_the_mask_leaves(halves):
    expected = picture()
    blend_undreamt(expected, picture(seed=1), 0.5)
    found = finished(Finish(strength=0.5, mask=halves), picture(), picture(seed=1))
    assert np.array_equal(found[:, 23:], expected[:, 23:])


def test_colours_are_kept_before_a_share_is_taken():
    expected = picture()
    keep_colour(expected, picture(seed=1))
    blend_undreamt(expected, picture(seed=1), 0.4)
    found = finished(Finish(keep_colour=True, strength=0.4), picture(), picture(seed=1))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_canvases_of_any_depth_are_finished(dtype, halves):
    quantizer, source = Quantizer(RULE, dtype), Stored(Canvas.of(picture(seed=1)), BYTES)
    canvas, target = Canvas(20, 30, dtype), Canvas(20, 30, dtype)
    levels = picture().astype(np.float32)
    image = (levels[..., ::-1].transpose(2, 0, 1) - RULE.mean[:, None, None]) * RULE.scale
    canvas.write(ALL, quantizer.encode(image, ALL, 0))
    finish = Finish(strength=0.25, mask=halves)
    apply_finish(finish, canvas, target, quantizer, source, ALL, (20, 30))
    expected = finished(finish, picture(), picture(seed=1))
    np.testing.assert_allclose(
        quantizer.as_levels(target.array()), expected, atol=0.51 + 0.51 * (dtype == "uint8")
    )


def test_a_region_knows_where_it_lies(halves):
    window = Window(4, 18, 10, 12)
    found = finished(Finish(mask=halves), picture(10, 12), picture(seed=1), window)
    assert np.array_equal(found[:, 5:], picture(10, 12)[:, 5:])  # of 30, from 23 on


def test_a_picture_of_another_size_than_its_source_is_mixed_with_the_resized_source():
    source = Stored(Canvas.of(np.full((40, 60, 3), 200, np.uint8)), BYTES)
    target = Canvas.of(picture())
    apply_finish(Finish(strength=0.0), Canvas.of(picture()), target, BYTES, source, ALL, (20, 30))
    assert np.array_equal(target.array(), np.full((20, 30, 3), 200))
