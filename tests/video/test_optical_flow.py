"""Detail that is carried along the motion of a clip."""

import sys

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dreamlib.errors import DreamError
from dreamlib.imaging.samples import clouds
from dreamlib.video import optical_flow as flow
from dreamlib.video.optical_flow import DetailCarrier, luminance, optical_flow

SIDE = 96
DOWN, RIGHT = 2, 3  # pixels that the scene moves from frame to frame
STEPS = 100


@pytest.fixture(scope="module")
def scene():
    """A textured ground, larger than a frame."""
    ground = clouds(2 * SIDE, 2 * SIDE, 3) + 20 * smooth_noise(2 * SIDE, 1.5, 1)
    return np.uint8(np.clip(ground, 0, 255))


def smooth_noise(side, sigma, seed):
    noise = np.random.RandomState(seed).randn(side, side, 3)
    noise = gaussian_filter(noise, (sigma, sigma, 0), mode="wrap")
    return noise / noise.std()


def view(ground, step):
    """What a camera sees that moves up and to the left, so that all moves down and to the right."""
    moved = np.roll(ground, (DOWN * step, RIGHT * step), (0, 1))
    return np.ascontiguousarray(moved[:SIDE, :SIDE])


def test_flow_tells_where_pixels_were(scene):
    found = optical_flow(luminance(view(scene, 1)), luminance(view(scene, 0)))
    assert np.median(found[..., 0]) == pytest.approx(-RIGHT, abs=0.05)
    assert np.median(found[..., 1]) == pytest.approx(-DOWN, abs=0.05)


def test_flow_is_found_without_dis(scene, monkeypatch):
    import cv2

    monkeypatch.delattr(cv2, "DISOpticalFlow_create")
    found = optical_flow(luminance(view(scene, 1)), luminance(view(scene, 0)))
    assert np.median(found[..., 0]) == pytest.approx(-RIGHT, abs=0.3)


def test_detail_moves_with_the_ground(scene):
    detail = 15 * smooth_noise(2 * SIDE, 1.5, 2)
    carrier = DetailCarrier(keep=1)
    carrier.finish(view(scene, 0), view(scene + detail, 0))
    carried = carrier.begin(view(scene, 1)) - view(scene, 1)
    before = np.clip(view(scene + detail, 0), 0, 255) - view(scene, 0)
    inside = slice(8, SIDE - 8)
    moved = np.roll(before, (DOWN, RIGHT), (0, 1))[inside, inside].ravel()
    carried, before = carried[inside, inside].ravel(), before[inside, inside].ravel()
    assert np.corrcoef(carried, moved)[0, 1] > 0.9
    assert abs(np.corrcoef(carried, before)[0, 1]) < 0.3
    assert 0.8 < carried.std() / moved.std() < 1.05


def test_what_was_not_there_before_gets_no_detail(scene):
    carrier = DetailCarrier(keep=1)
    carrier.finish(view(scene, 0), np.clip(view(scene, 0) + 40.0, 0, 255))
    other = np.uint8(np.clip(clouds(SIDE, SIDE, 9)[::-1] / 2.0, 0, 255))  # a cut to something else
    trust = np.abs(carrier.begin(other) - other).max(-1) > 4
    assert trust.mean() < 0.1


def test_the_uncovered_border_gets_no_detail(scene):
    detail = 15 * smooth_noise(2 * SIDE, 1.5, 2)
    carrier = DetailCarrier(keep=1)
    carrier.finish(view(scene, 0), view(scene + detail, 0))
    carried = np.abs(carrier.begin(view(scene, 1)) - view(scene, 1)).mean(-1)
    assert carried[:, 0].mean() < 0.25 * carried[8:-8, 8:-8].mean()


def test_nothing_is_carried_into_the_first_frame(scene):
    assert np.array_equal(DetailCarrier().begin(view(scene, 0)), view(scene, 0))


def test_keep_zero_carries_nothing(scene):
    carrier = DetailCarrier(keep=0)
    carrier.finish(view(scene, 0), 255 - view(scene, 0))
    assert np.array_equal(carrier.begin(view(scene, 1)), view(scene, 1))


def test_detail_fades_by_keep(scene):
    still = view(scene, 0)
    detail = 15 * smooth_noise(SIDE, 2, 4)
    whole, half = DetailCarrier(keep=1), DetailCarrier(keep=0.5)
    for carrier in (whole, half):
        carrier.finish(still, still + detail)
    carried = whole.begin(still) - still
    np.testing.assert_allclose(half.begin(still) - still, carried / 2, atol=1e-4)
    assert carried.std() > 10


def test_carried_detail_has_no_mean(scene):
    carrier = DetailCarrier(keep=0.9)
    dreamt = np.clip(view(scene, 0) + 10 * smooth_noise(SIDE, 2, 4) + 8, 0, 255)
    carrier.finish(view(scene, 0), dreamt)
    carried = carrier.begin(view(scene, 1)) - view(scene, 1)
    assert np.abs(carried.mean((0, 1))).max() < 1e-3


def test_brightness_does_not_drift_over_100_frames(scene):
    """Of a dream that adds texture and 1.5 levels to each frame, which would add up to 15."""
    texture = 6 * smooth_noise(SIDE, 1.5, 6)
    carrier, offsets = DetailCarrier(keep=0.9), []
    for step in range(STEPS):
        picture = view(scene, step)
        dreamt = np.clip(carrier.begin(picture) + texture + 1.5, 0, 255)
        carrier.finish(picture, dreamt)
        offsets.append(float(dreamt.mean() - picture.mean()))
    assert max(offsets) - min(offsets) < 2
    assert abs(offsets[-1] - offsets[0]) < 2


def test_a_restored_carrier_goes_on_as_if_never_interrupted(scene):
    texture = 10 * smooth_noise(SIDE, 1.5, 6)
    carrier = DetailCarrier(keep=0.8)
    for step in range(3):
        picture = view(scene, step)
        dreamt = carrier.begin(picture) + texture
        carrier.finish(picture, dreamt)
    in_file = np.uint8(np.clip(np.rint(dreamt), 0, 255))
    restored = DetailCarrier(keep=0.8)
    restored.finish(view(scene, 2), in_file)
    assert np.array_equal(restored.begin(view(scene, 3)), carrier.begin(view(scene, 3)))


def test_detail_is_steadier_than_without_carrying(scene):
    """Random dreams of a still scene differ from frame to frame; carried, much less so."""
    changes = {}
    for keep in (0, 0.8):
        carrier, last, random = DetailCarrier(keep), None, np.random.RandomState(0)
        for _ in range(8):
            picture = view(scene, 0)
            dreamt = carrier.begin(picture) + 5 * gaussian_filter(
                random.randn(*picture.shape), (1, 1, 0)
            )
            carrier.finish(picture, dreamt)
            detail = dreamt - picture
            change = None if last is None else np.corrcoef(detail.ravel(), last.ravel())[0, 1]
            last = detail
        changes[keep] = change
    assert changes[0] < 0.2
    assert changes[0.8] > 0.6


def test_a_tiny_frame_is_dreamt_without_flow():
    tiny = np.full((8, 9, 3), 100, np.uint8)
    carrier = DetailCarrier()
    carrier.finish(tiny, tiny + 50)
    assert np.array_equal(carrier.begin(tiny), tiny)


def test_frames_of_unequal_size_are_refused(scene):
    carrier = DetailCarrier()
    carrier.finish(view(scene, 0), view(scene, 0))
    with pytest.raises(DreamError, match="a frame of 96 x 48 pixels after one of 96 x 96"):
        carrier.begin(view(scene, 0)[:48])


@pytest.mark.parametrize("keep", [-0.1, 1.1, float("nan")])
def test_keep_is_a_share(keep):
    with pytest.raises(DreamError, match="expected 0 to 1"):
        DetailCarrier(keep)


def test_without_opencv_the_error_says_what_to_install(scene, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    carrier = DetailCarrier()
    carrier.finish(view(scene, 0), view(scene, 0))
    with pytest.raises(DreamError, match="pip install opencv-python-headless"):
        carrier.begin(view(scene, 1))


def test_trust_is_lost_gradually_with_the_difference():
    height, width = 20, 24
    before = np.full((height, width), 100, np.uint8)
    still = np.zeros((height, width, 2), np.float32)
    where = flow._positions(0, height, width)
    for difference, expected in ((0, 1), (flow.SAME, 1), (24, 0.5), (flow.OTHER, 0), (90, 0)):
        trust = flow.reliability(before + np.uint8(difference), before, still, still, where)
        np.testing.assert_allclose(trust, expected, atol=1e-6)
