"""What becomes of unusual pictures on their way into a dream, and what is said of them."""

import numpy as np
import pytest
from PIL import Image

from tests.command import run
from tests.nets import picture


def small(model, *more):
    """Flags of a dream that takes a moment."""
    flags = ["--engine", "torch", "--model", model, "--end", "mixed/output", "--octaves", 2,
             "--iterations", 1, "--seed", 3]  # fmt: skip
    return [*flags, *more]


def see_through(name, hidden):
    """Write a picture whose middle is transparent, with these colours there."""
    alpha = np.full((90, 120), 255, np.uint8)
    alpha[30:60, 40:80] = 0
    pixels = picture(90, 120)
    pixels[alpha == 0] = hidden
    Image.fromarray(np.dstack([pixels, alpha])).save(name)
    return alpha


@pytest.mark.parametrize("more", [[], ["--schedule", "shift", "--work-dir", "work"]])
def test_the_dream_does_not_see_what_nobody_sees(workplace, model, more):
    see_through("black.png", 0)
    alpha = see_through("pink.png", (255, 0, 255))
    for name in ("black", "pink"):
        assert run(f"{name}.png", f"{name}-out.png", *small(model, *more)) == 0
    black, pink = (np.asarray(Image.open(f"{name}-out.png")) for name in ("black", "pink"))
    assert np.array_equal(black, pink)
    assert np.array_equal(black[..., 3], alpha)


def test_a_jpeg_of_a_transparent_picture_is_white_there_and_it_is_said(workplace, model, capsys):
    alpha = see_through("pink.png", (255, 0, 255))
    assert run("pink.png", "out.jpg", *small(model)) == 0
    shown = np.asarray(Image.open("out.jpg")).astype(int)
    assert shown[alpha == 0].min() > 200
    assert shown[35:55, 45:75].min() > 250
    assert "laid on white" in capsys.readouterr().err


def test_a_damaged_profile_is_told_of(workplace, model, capsys):
    Image.open("sky.png").save("bogus.png", icc_profile=b"nothing" * 40)
    assert run("bogus.png", "out.png", *small(model)) == 0
    assert "bogus.png: its colour profile is damaged" in capsys.readouterr().err
    assert "icc_profile" not in Image.open("out.png").info
    assert run("bogus.png", "frames", *small(model, "--frames", 1)) == 0
    assert "bogus.png: its colour profile is damaged" in capsys.readouterr().err
