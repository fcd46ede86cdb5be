"""Direct ascent as the command makes it: classes from noise and into pictures, several judges."""

import shutil

import numpy as np
import pytest
from PIL import Image

from dreamlib.config import load_config
from dreamlib.imaging.filters import gaussian_blur
from dreamlib.models.engines import load_net
from dreamlib.models.zoo import find_model
from tests.command import ctrl_c_at, pixels, run
from tests.embedded import prepared_model
from tests.nets import INCEPTION, picture, write_random_net

SCRIPT = """
[[octave]]
iter_n = 3
start_step_size = 8
end_step_size = 4
views = 3
"""


def classifier(folder, seed=0, text=INCEPTION, labels=None):
    """A small classifier in a folder of its own, with class names; its path."""
    folder.mkdir()
    write_random_net(folder, text, seed)
    (folder / "model.toml").write_text(
        'weights = "random.caffemodel"\nend = "mixed/output"\nclass_layer = "classifier"\n'
    )
    classes = load_net(find_model(str(folder)), "torch").blobs["classifier"].shape[1]
    names = labels or [f"thing {index}" for index in range(classes)]
    (folder / "labels.txt").write_text("\n".join(names) + "\n")
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("models") / "one")


@pytest.fixture
def workplace(workplace):
    (workplace / "direct.toml").write_text(SCRIPT)
    return workplace


def dream(model, *more, source="sky.png", script="direct.toml"):
    return run(source, "out.png", "--engine", "torch", "--model", model, "--seed", 5,
               "--target", 1, "--script", script, *more)  # fmt: skip


def change(path="out.png"):
    return np.abs(pixels(path) - pixels("sky.png")).mean()


def test_a_class_is_drawn_into_a_picture(workplace, model):
    assert dream(model) == 0
    assert change() > 3


def test_a_class_is_drawn_from_noise_in_colour(workplace, model):
    assert dream(model, source="noise:100x90") == 0
    drawn = pixels("out.png")
    assert drawn.shape == (90, 100, 3)
    assert drawn.std() > 10
    assert np.abs(drawn - drawn.mean(2, keepdims=True)).mean() > 1


def test_it_repeats_from_its_own_settings(workplace, model):
    dream(model)
    shutil.copy("out.png", "first.png")
    assert run("sky.png", "out.png", "--config", "first.png") == 0
    assert np.array_equal(pixels("first.png"), pixels("out.png"))


@pytest.mark.parametrize("steps", [1, 2])
def test_interrupted_and_resumed_it_is_the_same(workplace, model, steps):
    dream(model)
    whole = pixels("out.png")
    with ctrl_c_at(steps):
        assert dream(model, "--work-dir", "work") == 130
    assert not np.array_equal(pixels("out.png"), whole)
    assert run("sky.png", "out.png", "--work-dir", "work", "--resume") == 0
    assert np.array_equal(pixels("out.png"), whole)


def test_a_large_picture_is_drawn_by_tiles_and_everywhere(workplace, model):
    Image.fromarray(picture(300, 340)).save("sky.png")
    flags = ["--schedule", "shift", "--tile-size", 128, "--overlap", 32]
    assert dream(model, *flags) == 0
    moved = np.abs(pixels("out.png") - pixels("sky.png")).mean(2)
    blocks = moved[:300, :340].reshape(15, 20, 17, 20).mean((1, 3))
    assert blocks.min() > 0.5


def test_workers_draw_as_one_process_does(workplace, model):
    Image.fromarray(picture(300, 340)).save("sky.png")
    flags = ["--schedule", "shift", "--tile-size", 128, "--overlap", 32]
    assert dream(model, *flags, "--devices", "cpu,cpu") == 0
    two = pixels("out.png")
    assert dream(model, *flags, "--devices", "cpu") == 0
    assert np.array_equal(pixels("out.png"), two)


def test_octaves_of_both_kinds_make_one_script(workplace, model):
    plain = "[[octave]]\niter_n = 2\nstart_step_size = 8\nend_step_size = 4\n"
    (workplace / "mixed.toml").write_text(plain + SCRIPT + plain)
    assert dream(model, "--schedule", "whole", script="mixed.toml") == 0
    assert change() > 3


def test_strength_is_how_strongly_a_class_is_drawn(workplace, model):
    changes = []
    for strength in (0, 1, 3):
        assert dream(model, "--class-strength", strength) == 0
        changes.append(change())
    assert changes[0] < 1
    assert 2 * changes[0] < changes[1] < 0.7 * changes[2]


def test_layers_are_drawn_as_classes_are(workplace, model):
    code = run("noise:90x90", "out.png", "--engine", "torch", "--model", model, "--seed", 5,
               "--layers", "mixed/output[2]", "--script", "direct.toml")  # fmt: skip
    assert code == 0
    assert pixels("out.png").std() > 10


def test_a_second_judge_changes_the_picture_and_is_told_of(workplace, model, tmp_path):
    other = classifier(tmp_path / "other", seed=7)
    dream(model)
    alone = pixels("out.png")
    assert dream(model, "--judges", other) == 0
    assert np.abs(pixels("out.png") - alone).mean() > 1
    assert load_config("out.png")["judges"] == other
    shutil.copy("out.png", "first.png")
    assert run("sky.png", "out.png", "--config", "first.png") == 0
    assert np.array_equal(pixels("first.png"), pixels("out.png"))


def test_a_judge_is_asked_for_the_class_by_its_name(workplace, model, tmp_path):
    names = find_model(model).read_labels()
    weights = tmp_path / "same"
    same = classifier(weights)
    dream(model, "--judges", same)
    expected = pixels("out.png")
    # The same network, whose classes 1 and 2 have changed places.
    swapped = [names[0], names[2], names[1], *names[3:]]
    other = classifier(tmp_path / "swapped", labels=swapped)
    net = load_net(find_model(other), "torch")
    for blob in net.params["classifier"]:
        blob.data[[1, 2]] = blob.data[[2, 1]]
    net.save(f"{other}/random.caffemodel")
    dream(model, "--judges", other)
    assert np.array_equal(pixels("out.png"), expected)


def test_workers_have_the_judges_too(workplace, model, tmp_path):
    Image.fromarray(picture(200, 240)).save("sky.png")
    other = classifier(tmp_path / "other", seed=7)
    flags = ["--schedule", "shift", "--tile-size", 128, "--overlap", 32, "--judges", other]
    assert dream(model, *flags) == 0
    here = pixels("out.png")
    assert dream(model, *flags, "--devices", "cpu,cpu") == 0
    # In float32 on canvases of 8 bits: the number of threads shows in last bits alone.
    assert np.abs(pixels("out.png") - here).mean() < 3


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--judges", "nonesuch"], "nonesuch"),
        (["--schedule", "spiral"], "--schedule spiral has no room for the views"),
        (["--script", "draw", "--judges", "{strange}"], "--judges look on in direct ascent alone"),
        (["--judges", "{strange}"], "knows no class 'thing 1'"),
    ],
)
def test_what_direct_ascent_cannot_do_is_refused(
    workplace, model, tmp_path, capsys, flags, says
):  # fmt: skip
    strange = classifier(tmp_path / "strange", labels=[f"other {n}" for n in range(10)])
    flags = [flag.format(model=model, strange=strange) for flag in flags]
    assert dream(model, *flags) == 2
    assert says in capsys.readouterr().err
    assert not (workplace / "out.png").exists()


def forms(path, sigma):
    image = np.float32(pixels(path)).transpose(2, 0, 1).copy()
    gaussian_blur(image, sigma)
    return image[:, 8:-8, 8:-8]


KEEPING = {
    "octaves": ["--octaves", 2, "--octave-scale", 1.3, "--step-size", 6],
    "tiles": ["--octaves", 1, "--schedule", "shift", "--tile-size", 96, "--step-size", 6],
    "direct ascent": ["--target", 1, "--script", "direct.toml"],
}


@pytest.mark.parametrize("flags", KEEPING.values(), ids=KEEPING)
def test_the_forms_of_a_picture_are_kept(workplace, model, flags):
    soft = 60 + 0.5 * np.float32(picture(150, 160))
    Image.fromarray(np.uint8(soft)).save("sky.png")
    command = ["sky.png", "out.png", "--engine", "torch", "--model", model, "--seed", 5, *flags]
    assert run(*command) == 0
    away = np.abs(forms("out.png", 6) - forms("sky.png", 6)).mean()
    assert run(*command, "--keep-forms", 3) == 0
    kept = np.abs(forms("out.png", 6) - forms("sky.png", 6)).mean()
    assert change() > 0.5
    assert kept < 0.5 < away
    assert kept < away / 3


def test_the_embedded_model_sees_what_it_has_drawn_and_it_is_colourful(workplace):
    folder = str(prepared_model().folder)
    code = run("noise:224x224", "out.png", "--model", folder, "--engine", "torch", "--seed", 1,
               "--target", "volcano")  # fmt: skip
    assert code == 0
    assert pixels("out.png").std() > 30
    assert load_config("out.png")["script"] == "direct"


def test_nothing_changes_outside_a_mask_on_steps(workplace, model):
    black_and_white = np.zeros((90, 120, 3), np.uint8)
    black_and_white[:, 60:] = 255
    black_and_white[:, 50:70] = 128
    Image.fromarray(black_and_white).save("sky.png")
    mask = np.zeros((90, 120), np.uint8)
    mask[:, 40:80] = 255
    Image.fromarray(mask).save("mask.png")
    assert dream(model, "--mask", "mask.png", "--mask-on", "steps") == 0
    moved = np.abs(pixels("out.png") - black_and_white).max(2)
    assert moved[:, :39].max() == moved[:, 81:].max() == 0
    assert moved[:, 45:75].max() > 3


def test_views_see_across_borders_that_close(workplace, model):
    dream(model)
    ends_apart = pixels("out.png")
    dream(model, "--wrap", "horizontal")
    assert not np.array_equal(pixels("out.png"), ends_apart)

    def seam(moved):
        return np.abs(moved[:, 0] - moved[:, -1]).mean() / np.abs(np.diff(moved, axis=1)).mean()

    sky = pixels("sky.png")
    assert seam(pixels("out.png") - sky) < seam(ends_apart - sky)


def test_a_judges_weights_may_not_change_on_the_way(workplace, model, tmp_path, capsys):
    other = classifier(tmp_path / "other", seed=7)
    with ctrl_c_at(1):
        assert dream(model, "--judges", other, "--work-dir", "work") == 130
    net = load_net(find_model(other), "torch")
    net.params["classifier"][0].data[...] *= 2
    net.save(f"{other}/random.caffemodel")
    assert run("sky.png", "out.png", "--work-dir", "work", "--resume") == 2
    assert "weights of the dream in work has changed" in capsys.readouterr().err


def test_judges_are_resumed_from_another_folder_by_any_spelling(
    workplace, model, tmp_path, monkeypatch
):  # fmt: skip
    classifier(workplace / "other", seed=7)
    dream(model, "--judges", "./other")
    whole = pixels("out.png")
    sky, out = str(workplace / "sky.png"), str(workplace / "out.png")
    with ctrl_c_at(1):
        assert dream(model, "--judges", "./other", "--work-dir", "work") == 130
    (workplace / "elsewhere").mkdir()
    monkeypatch.chdir(workplace / "elsewhere")
    flags = ["--work-dir", "../work", "--resume", "--judges", "../other"]
    assert run(sky, out, *flags) == 0
    assert np.array_equal(pixels(out), whole)


@pytest.mark.parametrize("judges", [",", "a,", " ", "a, a"])
def test_judges_that_are_no_list_of_names_are_refused(workplace, model, capsys, judges):
    assert dream(model, "--judges", judges) == 2
    assert "expected names of models, each once" in capsys.readouterr().err


def test_the_main_network_is_no_judge_beside_itself(workplace, model, capsys):
    assert dream(model, "--judges", model) == 2
    assert "draws already" in capsys.readouterr().err


def test_strength_may_not_vary_where_there_is_no_class(workplace, model, capsys):
    code = run("sky.png", "frames", "--model", model, "--engine", "torch", "--frames", 2,
               "--vary", "class-strength:1..2")  # fmt: skip
    assert code == 2
    assert "--class-strength means nothing without --target" in capsys.readouterr().err


def test_a_presets_octaves_give_way_to_a_class(workplace):
    folder = str(prepared_model().folder)
    code = run("sky.png", "out.png", "--model", folder, "--engine", "torch", "--seed", 1,
               "--target", 1, "--preset", "afar", "--script", "direct.toml")  # fmt: skip
    assert code == 0
    made = load_config("out.png")
    assert (made["keep_forms"], made["laplacian"], made["octaves"]) == (10, 0, 4)


def test_noise_too_thin_for_the_network_is_refused(workplace, model, capsys):
    assert dream(model, source="noise:1x300") == 2
    said = capsys.readouterr().err
    assert "1 x 300 pixels would be drawn at 92 x 27456" in said
    assert "shorter side is larger" in said


def test_whole_numbers_of_a_script_may_be_written_with_a_point(workplace, model):
    (workplace / "direct.json").write_text(
        '[{"iter_n": 2.0, "start_step_size": 5, "end_step_size": 1, "views": 2.0}]'
    )
    assert dream(model, script="direct.json") == 0
