"""Styles, guides in several layers, masks of terms and unmeasured steps, from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib.cluster.files import files_of
from dreamlib.config import load_config
from dreamlib.jobs.prepare import prepare
from dreamlib.models.preprocessing import Preprocessing, preprocess
from dreamlib.settings import Settings
from dreamlib.tiling.octaves import Dream
from tests.command import pixels, run, run_and_kill
from tests.nets import picture

END = "mixed/output"
STYLE = "style(norm1, meadow.png), style(mixed/output, meadow.png):0.5"
DIRECT = """[[octave]]
iter_n = 3
start_step_size = 8
end_step_size = 8
views = 4
turn = 0
farthest = 0.7
spectrum = 0
"""
TILED = ("--schedule", "shift", "--tile-size", "48", "--overlap", "8")


@pytest.fixture
def workplace(workplace):
    """A guide and a mask, white on the left, beside the picture."""
    Image.fromarray(picture(64, 70, 3)).save("meadow.png")
    left = np.zeros((9, 12), np.uint8)
    left[:, :6] = 255
    Image.fromarray(left).save("left.png")
    return workplace


def flags(model, *more):
    given = ["--engine", "torch", "--model", model, "--octaves", 2, "--iterations", 2, "--seed", 4,
             *more]  # fmt: skip
    return [str(flag) for flag in given]


def settings(model, **more):
    given = {"engine": "torch", "model": model, "octaves": 1, "iterations": 2, "seed": 4, **more}
    return Settings(**given)


def changed(name="out.png"):
    return np.abs(pixels(name) - pixels("sky.png")).mean(axis=2)


@pytest.mark.parametrize("more", [(), TILED])
def test_a_style_is_dreamt_and_repeated_from_anywhere(workplace, model, more, monkeypatch):
    assert run("sky.png", "out.png", *flags(model, "--layers", STYLE, *more)) == 0
    assert changed().mean() > 0.5
    monkeypatch.chdir(workplace / "..")
    assert run("again.png", "again.png", "--config", workplace / "out.png") == 2
    sky, again = workplace / "sky.png", workplace / "again.png"
    assert run(sky, again, "--config", workplace / "out.png") == 0
    assert np.array_equal(pixels(again), pixels(workplace / "out.png"))
    assert f"style(norm1, {workplace}/meadow.png)" in load_config(again)["layers"]


def test_a_style_by_layers_is_that_of_guides_in_several_layers(workplace, model):
    assert run("sky.png", "out.png", *flags(model, "--layers", STYLE)) == 0
    guided = ["--guide", "meadow.png", "--guide-mode", "style"]
    guided += ["--guide-layer", "norm1, mixed/output:0.5"]
    assert run("sky.png", "guided.png", *flags(model, *guided)) == 0
    assert np.array_equal(pixels("out.png"), pixels("guided.png"))


@pytest.mark.parametrize("mode", ["match", "channels"])
def test_a_guide_in_two_layers_is_the_sum_of_both(workplace, model, mode):
    job = prepare(
        "sky.png", "out.png",
        settings(model, guide="meadow.png:2", guide_mode=mode,
                 guide_layer="norm1:0.5, mixed/output@left.png"),
    )  # fmt: skip
    first, second = job.dream.octaves[0].objective.terms
    assert (first.kind, first.layer, first.weight, first.mask) == (mode, "norm1", 1, "")
    assert (second.layer, second.weight) == (END, 2)
    assert second.mask == str(workplace / "left.png")
    assert job.recorded.end == END
    assert Dream.from_json(job.dream.to_json()).octaves == job.dream.octaves


@pytest.mark.parametrize("more", [(), TILED, ("--schedule", "random", *TILED[2:])])
def test_a_masked_term_dreams_where_its_mask_is_white(workplace, model, more):
    given = flags(model, "--layers", "norm1@left.png", "--jitter", 4, *more)
    assert run("sky.png", "out.png", *given) == 0
    change = changed()
    assert change[:, :50].mean() > 1
    # What a place of the layer sees ends there, and where a whole picture closes.
    assert change[:, 90:100].max() <= (1 if more else 0)  # a level is what 8-bit canvases round


def test_a_region_lies_under_its_own_part_of_the_mask(workplace, model):
    """Of a term's mask and of one on the steps alike: both are stretched over all the picture."""
    Image.fromarray(picture(200, 600)).save("wide.png")
    for more in (["--layers", "norm1@left.png"],
                 ["--end", "norm1", "--mask", "left.png", "--mask-on", "steps"]):  # fmt: skip
        for region, dreamt in (("440,0,100,100", False), ("40,0,100,100", True)):
            given = flags(model, *more, "--region", region, "--jitter", 4)
            assert run("wide.png", "out.png", *given) == 0
            left, top, width, height = map(int, region.split(","))
            part = pixels("wide.png")[top : top + height, left : left + width]
            assert (np.abs(pixels("out.png") - part).mean() > 0.5) == dreamt


def test_direct_ascent_has_masked_terms_and_styles_too(workplace, model):
    Path("draw.toml").write_text(DIRECT)
    script = ["--engine", "torch", "--model", model, "--seed", "1", "--script", "draw.toml"]
    layers = "norm1@left.png, style(mixed/output, meadow.png)@left.png"
    assert run("sky.png", "out.png", *script, "--layers", layers) == 0
    change = changed()
    assert change[:, :50].mean() > 4 * max(0.01, change[:, 80:].mean())


def test_files_of_terms_are_known_to_clusters_and_to_those_who_resume(
    workplace, model, capsys, monkeypatch
):
    layers = "style(norm1, meadow.png), mixed/output@left.png"
    job = prepare("sky.png", "out.png", settings(model, layers=layers))
    assert {str(workplace / "meadow.png"), str(workplace / "left.png")} <= set(files_of(job.dream))
    given = flags(model, "--layers", layers, "--iterations", 20, *TILED, "--work-dir", "work")
    journal = Path("work/journal.json")

    def has_begun():
        return journal.exists() and json.loads(journal.read_text())["state"]

    run_and_kill(has_begun, "sky.png", "out.png", *given)
    for name, what in (("meadow.png", "the guide picture"), ("left.png", "the mask")):
        kept = Path(name).read_bytes()
        Image.fromarray(picture(64, 71, 5)).save(name)
        assert run("sky.png", "out.png", "--resume", "--work-dir", "work") == 2
        assert f"{what} {workplace}/{name}" in " ".join(capsys.readouterr().err.split())
        Path(name).write_bytes(kept)
    assert run("sky.png", "out.png", *given, "--resume") == 0
    assert changed().mean() > 0.5


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ("style(norm1, nowhere.png)", "nowhere.png"),
        ("norm1@nowhere.png", "nowhere.png"),
        ("style(norm9, meadow.png)", "no layer 'norm9'"),
        ("style(mixed/output, tiny.png)", "guide picture"),
        ("prob@left.png", "has no places that a mask could tell apart"),
    ],
)
def test_a_term_that_cannot_be_is_refused_before_anything_is_written(
    workplace, model, capsys, layers, says
):
    Image.fromarray(picture(2, 2)).save("tiny.png")
    assert run("sky.png", "out.png", *flags(model, "--layers", layers)) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not Path("out.png").exists()


def test_pictures_of_terms_are_part_of_the_promise(workplace, model):
    Image.fromarray(picture(1000, 1100)).save("large.png")
    tiles = {"schedule": "shift", "memory": "4G"}
    alone = prepare("sky.png", "out.png", settings(model, layers="norm1", **tiles), planning=True)
    for layers in ("style(norm1, large.png)", "norm1@large.png"):
        job = prepare("sky.png", "out.png", settings(model, layers=layers, **tiles), planning=True)
        assert job.demand.ram > alone.demand.ram + (1 << 20)


# -- steps that the mean |gradient| does not measure ----------------------------------------------


def test_without_the_mean_a_step_is_so_many_levels_for_each_unit_of_the_gradient(workplace, model):
    one = settings(
        model, end=END, iterations=1, jitter=0, normalise=False, step_size=0.75, clip=False
    )
    job = prepare("sky.png", "out.png", one)
    net, rule = job.network.net, Preprocessing.of(job.network.net)
    from dreamlib.ascent.objectives import objective_L2
    from dreamlib.dream import climb
    from dreamlib.jobs.run import dream_levels
    from tests.dreams import Steps

    progress = Steps()
    progress.say = lambda line: said.append(line)
    said = []
    found = dream_levels(job, progress)
    net.blobs["data"].reshape(1, 3, 90, 120)
    net.blobs["data"].data[0] = preprocess(net, np.asarray(Image.open("sky.png")))
    climb(net, END, objective_L2)
    gradient = net.blobs["data"].diff[0][list(rule.order)].transpose(1, 2, 0)
    expected = np.asarray(Image.open("sky.png")) + 0.75 * gradient
    np.testing.assert_allclose(found, expected, atol=1e-3)
    mean = np.abs(gradient).mean()
    assert f"is {mean:.3g}, so the first step changed a pixel by {0.75 * mean:.3g}" in said[0]
    assert len(said) == 1


def test_the_length_of_such_a_step_is_told_once(workplace, model, capsys):
    given = flags(model, "--end", END, "--no-normalise", *TILED)
    assert run("sky.png", "out.png", *given) == 0
    assert capsys.readouterr().err.count("--no-normalise: the mean |gradient| is") == 1
    assert load_config("out.png")["normalise"] is False
    assert run("sky.png", "film", *given, "--frames", 2) == 0
    assert capsys.readouterr().err.count("--no-normalise: the mean |gradient| is") == 1


@pytest.mark.parametrize("flag", [["--no-normalise"], ["--optimiser", "adam"]])
def test_direct_ascent_has_steps_of_its_own(workplace, model, capsys, flag):
    Path("draw.toml").write_text(DIRECT)
    given = ["--engine", "torch", "--model", model, "--script", "draw.toml", "--end", END, *flag]
    assert run("noise:64x64", "out.png", *given) == 2
    assert f"{' '.join(flag)} means nothing to direct ascent" in " ".join(
        capsys.readouterr().err.split()
    )


def test_layers_fade_into_each_other_over_the_frames_of_a_film(workplace, model):
    """A frame between them is the dream of the mixture; pictures are named from anywhere."""
    vary = ["--vary", "layers:norm1..style(mixed/output, meadow.png)", "--frames", 3]
    how = flags(model, "--iterations", 1)
    assert run("sky.png", "film", *how, *vary, "--distort", "hue:1", "--no-keep-tone") == 0
    assert f"style(mixed/output, {workplace}/meadow.png)" in load_config("film/0001.png")["vary"]
    assert run("sky.png", "first.png", *how, "--layers", "norm1") == 0
    assert np.array_equal(pixels("film/0000.png"), pixels("first.png"))
    mixture = "norm1:0.5, style(mixed/output, meadow.png):0.5"
    off = {}
    seed = int(np.random.SeedSequence([4, 1]).generate_state(1)[0])
    for layers in (mixture, "norm1", "style(mixed/output, meadow.png)"):
        Path("next.png").unlink(missing_ok=True)
        assert run("film/0000.png", "next.png", *how, "--seed", seed, "--layers", layers) == 0
        off[layers] = np.abs(pixels("film/0001.png") - pixels("next.png")).mean()
    assert min(off, key=off.get) == mixture


def test_a_fade_to_what_cannot_be_is_refused_before_the_film_begins(workplace, model, capsys):
    for vary, says in (
        ("layers:norm1..nowhere", "no layer 'nowhere'"),
        ("layers:norm1..norm1@nowhere.png..mixed/output", "nowhere.png"),
    ):
        assert run("sky.png", "film", *flags(model, "--frames", 9, "--vary", vary)) == 2
        assert says in " ".join(capsys.readouterr().err.split())
        assert not list(Path().glob("film/*.png"))
