"""Presets: named settings to begin with."""

import pytest

import dreamlib
from dreamlib.config import describe_preset, load_config, load_preset, preset_names
from dreamlib.errors import DreamError
from dreamlib.jobs import with_preset
from dreamlib.models.engines import load_layers
from dreamlib.models.layers import dreamable_layers
from dreamlib.models.zoo import EMBEDDED, GOOGLENET, find_model
from dreamlib.settings import Settings
from tests.command import run
from tests.embedded import prepared_model

MODELS = (GOOGLENET, EMBEDDED)


@pytest.fixture(scope="module")
def layers():
    """The layers of the two models that presets are made for."""
    prepared_model()
    nets = {name: load_layers(find_model(name), "torch") for name in MODELS}
    return {name: [layer for layer, *_ in dreamable_layers(net)] for name, net in nets.items()}


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_described_and_holds_settings_of_layers_that_are_there(layers, name):
    assert describe_preset(name)
    models = [model for model in MODELS if name in preset_names(model)]
    assert models
    for model in models:
        settings = Settings(**load_preset(name, model))
        for layer in [settings.end or "", *(settings.layers or "").split(", ")]:
            assert layer in ["", *layers[model]]


@pytest.mark.parametrize("model", MODELS)
def test_every_hint_is_of_a_layer_that_is_there(layers, model):
    assert set(find_model(model).hints) <= set(layers[model])


def test_flags_have_the_last_word(workplace):
    folder = str(prepared_model().folder)
    assert run("sky.png", "out.png", "--preset", "dogs", "--iterations", 1, "--octaves", 1,
               "--model", folder, "--engine", "torch") == 0  # fmt: skip
    made = load_config("out.png")
    assert (made["end"], made["laplacian"], made["iterations"]) == ("block11", 3, 1)


def test_a_layer_that_is_named_takes_the_place_of_the_presets(layers):
    values = with_preset("creatures", {"end": "block5", "model": EMBEDDED})
    assert values == {"end": "block5", "model": EMBEDDED, "laplacian": 3, "iterations": 20}


def test_python_takes_the_same_presets(workplace):
    made = dreamlib.run("sky.png", "out.png", preset="eyes", iterations=1, octaves=1,
                        model=str(prepared_model().folder), engine="torch", quiet=True)  # fmt: skip
    assert (made.settings.end, made.settings.iterations) == ("block10", 1)


def test_a_preset_of_another_model_is_refused_with_those_of_this_one(workplace, capsys):
    assert run("sky.png", "--preset", "buildings", "--model", EMBEDDED) == 2
    refused = capsys.readouterr().err
    assert "preset buildings is for bvlc_googlenet, not for efficientnet_lite0" in refused
    assert "dogs" in refused


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(DreamError, match="no preset 'dosg'; did you mean 'dogs'"):
        load_preset("dosg", EMBEDDED)


def test_presets_are_listed_with_what_they_make(capsys):
    assert run("--list-presets") == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == preset_names()
    assert "towers, pagodas and carts (bvlc_googlenet alone)" in listed
