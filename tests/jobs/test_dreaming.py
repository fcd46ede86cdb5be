"""Dreams in Python: of paths, arrays and PIL images, and step by step."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import dreamlib
from dreamlib.config import load_config
from dreamlib.errors import DreamError
from tests.command import pixels, run
from tests.nets import picture

END = "mixed/output"


@pytest.fixture
def settings(model):
    return {"engine": "torch", "model": model, "end": END, "octaves": 2, "iterations": 3,
            "seed": 1, "quiet": True}  # fmt: skip


@pytest.fixture
def by_command(workplace, model):
    """What the command makes of ``sky.png``."""
    flags = ["--engine", "torch", "--model", model, "--end", END, "--octaves", 2]
    assert run("sky.png", "command.png", *flags, "--iterations", 3, "--seed", 1) == 0
    return pixels("command.png")


def test_a_path_is_dreamt_into_a_file(by_command, settings):
    result = dreamlib.run(Path("sky.png"), Path("out.png"), **settings)
    assert result.path == Path("out.png")
    assert np.array_equal(pixels("out.png"), by_command)
    assert dreamlib.run("sky.png", **settings).path == Path("sky_dream.png")


def test_an_array_is_dreamt_into_an_array(by_command, settings):
    given = np.asarray(Image.open("sky.png")).copy()
    before = given.copy()
    made = dreamlib.run(given, **settings)
    assert made.dtype == np.uint8
    assert np.array_equal(made, by_command)
    assert np.array_equal(given, before)


def test_an_image_is_dreamt_into_an_image(by_command, settings):
    made = dreamlib.run(Image.open("sky.png"), **settings)
    assert made.mode == "RGB"
    assert np.array_equal(np.asarray(made), by_command)


@pytest.mark.parametrize("kind", ["array", "image"])
def test_an_array_or_an_image_is_dreamt_into_a_file(by_command, settings, kind):
    image = Image.open("sky.png")
    given = image if kind == "image" else np.asarray(image)
    assert dreamlib.run(given, "out.png", **settings).path == Path("out.png")
    assert np.array_equal(pixels("out.png"), by_command)
    assert load_config("out.png")["end"] == END
    dreamlib.run(given, "kept.png", **settings, work_dir="work")
    assert np.array_equal(pixels("kept.png"), by_command)


@pytest.mark.parametrize(("dtype", "white"), [("uint16", 65535), ("float32", 255), ("float64", 1)])
def test_an_arrays_dtype_and_range_come_back(by_command, settings, dtype, white):
    given = np.asarray(Image.open("sky.png")).astype("float64") * (white / 255)
    made = dreamlib.run(given.astype(dtype), **settings)
    assert made.dtype == dtype
    assert made.max() <= white
    assert np.abs(made.astype("float64") * (255 / white) - by_command).max() < 1.5


def test_sixteen_bits_reach_a_file_that_holds_them(workplace, settings):
    given = np.uint16(picture(50, 60)) * 257 + 100
    made = dreamlib.run(given, **settings, strength=0.5)
    dreamlib.run(given, "deep.tif", **settings, strength=0.5)
    with Image.open("deep.tif") as file:
        assert file.tag_v2[258] == (16, 16, 16)
    import pyvips

    there = pyvips.Image.new_from_file("deep.tif").numpy()
    assert np.abs(there.astype(int) - made).max() <= 1
    assert len(np.unique(made % 257)) > 100


def test_alpha_and_grey_are_kept_and_spread(workplace, settings):
    glass = np.dstack([picture(50, 60), np.full((50, 60), 77, np.uint8)])
    plain = dreamlib.run(glass[..., :3], **settings)
    made = dreamlib.run(glass, **settings)
    assert np.array_equal(made, np.dstack([plain, glass[..., 3]]))
    image = dreamlib.run(Image.fromarray(glass), **settings)
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image), made)
    grey = glass[..., 0]
    assert dreamlib.run(grey, **settings).shape == (50, 60, 3)
    assert np.array_equal(
        dreamlib.run(grey, **settings), np.asarray(dreamlib.run(Image.fromarray(grey), **settings))
    )


def test_what_nobody_sees_is_dreamt_as_in_a_file(workplace, settings):
    glass = np.dstack([picture(50, 60), np.full((50, 60), 255, np.uint8)])
    glass[10:40, 10:50, 3] = 0
    Image.fromarray(glass).save("glass.png")
    dreamlib.run("glass.png", "made.png", **settings)
    by_file = np.asarray(Image.open("made.png"))
    before = glass.copy()
    assert np.array_equal(dreamlib.run(glass, **settings), by_file)
    assert np.array_equal(dreamlib.run(Image.fromarray(glass), **settings), by_file)
    assert np.array_equal(glass, before)


def test_an_images_colours_are_those_of_its_file(workplace, settings):
    cmyk = Image.fromarray(picture(50, 60)).convert("CMYK")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, image, options in [
        ("cmyk.tif", cmyk, {}),
        ("own.png", Image.fromarray(picture(50, 60)), {"icc_profile": profile}),
        ("lab.tif", Image.fromarray(picture(50, 60)).convert("LAB"), {}),
    ]:
        image.save(name, **options)
        dreamlib.run(name, "by_file.png", **settings)
        dreamlib.run(Image.open(name), "by_image.png", **settings)
        assert np.array_equal(pixels("by_file.png"), pixels("by_image.png"))
        icc = [Image.open(one).info.get("icc_profile") for one in ("by_file.png", "by_image.png")]
        assert icc[0] == icc[1]


def test_light_above_white_is_no_black_picture(workplace, settings):
    light = picture(50, 60).astype(np.float32) / 255
    over = light.copy()
    over[0, 0] = 1.001  # as filters leave it
    first, second = (dreamlib.run(one, **{**settings, "iterations": 1}) for one in (light, over))
    assert second.max() <= 1
    assert np.abs(first - second).mean() < 0.1


def test_an_arrays_own_alpha_comes_back(workplace, settings):
    glass = np.dstack([picture(50, 60), picture(50, 60, 2)[..., 0]]).astype(np.uint16) * 257
    glass[:20, :, 3] = 12345
    assert np.array_equal(dreamlib.run(glass, **settings)[..., 3], glass[..., 3])


def test_python_asks_of_a_film_of_growth_what_the_command_does(workplace, settings):
    Path("cat.gif").write_bytes(b"a photograph")
    given = picture(40, 50)
    with pytest.raises(DreamError, match="it would be lost"):
        dreamlib.run(given, **settings, growth="cat.gif")
    with pytest.raises(DreamError, match="films are written as"):
        dreamlib.run(given, **settings, growth="cat.png")
    with pytest.raises(DreamError, match="no folder"):
        dreamlib.run(given, **settings, growth="nowhere/grow.gif")
    dreamlib.run(given, **settings, growth="grow.gif")
    assert Path("grow.gif").exists()


def test_the_steps_of_a_dream_are_pictures(by_command, settings):
    dream = dreamlib.Dream("sky.png", **settings)
    shown = list(dream)
    places = [(one.octave, one.iteration) for one in shown]
    assert places == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert {(one.octaves, one.iterations) for one in shown} == {(2, 3)}
    assert [np.asarray(one).shape for one in shown] == [(64, 86, 3)] * 3 + [(90, 120, 3)] * 3
    assert shown[0].image.size == (86, 64)
    assert shown[0]._repr_png_().startswith(b"\x89PNG")
    assert repr(shown[0]).startswith("Step(octave 1 of 2, iteration 1 of 3, 86 x 64 pixels, ")
    shares = [one.share for one in shown]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    for one, other in itertools.pairwise(shown[:3]):
        assert np.abs(np.int32(one.array) - other.array).mean() > 0.3
    assert np.array_equal(shown[-1].array, by_command)
    assert np.array_equal(dream.array, by_command)
    assert np.array_equal(np.asarray(dream.image), by_command)


def test_tiles_are_shown_after_each_pass(workplace, settings):
    dream = dreamlib.Dream("sky.png", **settings, schedule="shift", tile_size=48, overlap=8)
    shown = list(dream)
    assert len(shown) == 6
    assert np.array_equal(shown[-1].array, dream.array)


def test_a_dream_may_be_left_on_the_way_and_begun_again(by_command, settings):
    dream = dreamlib.Dream("sky.png", **settings)
    first = next(iter(dream))
    assert np.array_equal(next(iter(dream)).array, first.array)
    assert np.array_equal(dream.array, by_command)


def test_a_dream_is_saved_with_its_settings(by_command, settings):
    dream = dreamlib.Dream(np.asarray(Image.open("sky.png")), **settings)
    dream.save("saved.png")
    assert np.array_equal(pixels("saved.png"), by_command)
    assert load_config("saved.png") == load_config("command.png")
    Image.fromarray(picture(20, 20)).save("mine.png")
    with pytest.raises(DreamError, match="it would be lost"):
        dream.save("mine.png")


def test_a_dream_is_not_saved_over_its_own_input(workplace, settings):
    dreamlib.run("sky.png", "made.png", **settings)
    with pytest.raises(DreamError, match=r"made\.png is the input"):
        dreamlib.Dream("made.png", **settings).save("made.png")


def test_another_dream_shares_the_network(workplace, settings, monkeypatch):
    loaded = []
    from dreamlib.models import engines

    real = engines.load_net
    monkeypatch.setattr(engines, "load_net", lambda *a: loaded.append(1) or real(*a))
    dream = dreamlib.Dream("sky.png", **settings)
    one = dream.array
    other = dream.replace(end="conv1", octaves=None).replace(octaves=1)
    assert not np.array_equal(other.array, one)
    assert other.settings.end == "conv1"
    assert np.array_equal(dream.replace().array, one)
    assert dream.replace(picture(40, 50)).array.shape == (40, 50, 3)
    assert len(loaded) == 1
    assert dream.replace(precision="bfloat16").array.shape == one.shape
    assert len(loaded) == 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros((4,), np.uint8), "expected \\(height, width, 3\\)"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.int64), "an array of int64 was given"),
        (np.full((4, 4, 3), np.nan), "no numbers"),
        (np.full((4, 4, 3), 60000.0), "up to 60000, 60000 on average; expected 0 to 255"),
        (Image.fromarray(np.full((4, 4), 70000, np.int32)), "from 70000 to 70000; expected 0 to"),
        ([[1, 2], [3, 4]], "type list"),
        (None, "type NoneType"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(settings, given, says):
    with pytest.raises(DreamError, match=says):
        dreamlib.run(given, **settings)


def test_a_picture_where_a_file_is_wanted_is_named_by_its_type(workplace, settings):
    with pytest.raises(DreamError, match=r"^guide is of type ndarray \(save a picture, and name"):
        dreamlib.run("sky.png", **settings, guide=picture(40, 50))
    with pytest.raises(DreamError, match=r"^jitter is of type ndarray; expected a whole number"):
        dreamlib.run("sky.png", **{**settings, "jitter": np.arange(3)})


def test_what_needs_files_is_refused_without_one(workplace, settings):
    with pytest.raises(DreamError, match="--work-dir means nothing to a dream that goes"):
        list(dreamlib.Dream("sky.png", **settings, work_dir="work"))
    with pytest.raises(DreamError, match="a film is made of a file"):
        dreamlib.run(picture(40, 50), **settings, frames=2)
    with pytest.raises(DreamError, match="--frames means nothing"):
        list(dreamlib.Dream("sky.png", **settings, frames=2))
