"""Sliders for a notebook: what they say is dreamt, and shown step by step."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

import dreamlib
from dreamlib.errors import DreamError
from tests.nets import picture, write_random_net

SEED = 3


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The small model with a class layer and its classes' names."""
    folder = tmp_path_factory.mktemp("model")
    write_random_net(folder)
    (folder / "model.toml").write_text('class_layer = "classifier"\nend = "mixed/output"\n')
    (folder / "labels.txt").write_text("\n".join(f"thing {number}" for number in range(10)))
    return str(folder)


@pytest.fixture
def panel(model):
    pytest.importorskip("ipywidgets")
    panel = dreamlib.Panel(picture(60, 80), model, size=(70, 70), engine="torch", quiet=True)
    for name, value in {"iterations": 2, "octaves": 2, "seed": SEED}.items():
        panel.widgets[name].value = value
    return panel


def shown(panel):
    return np.asarray(Image.open(io.BytesIO(panel._image.value)).convert("RGB"))


def test_without_ipywidgets_it_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(DreamError, match="pip install ipywidgets"):
        dreamlib.Panel(picture(60, 80), model)


def test_the_sliders_are_the_dream(panel, model):
    panel.widgets["layer"].value = "conv1"
    panel.widgets["step_size"].value = 3.0
    dream = panel.run()
    same = dreamlib.run(
        picture(60, 80), model=model, engine="torch", end="conv1", iterations=2, octaves=2,
        step_size=3.0, seed=SEED, quiet=True,
    )  # fmt: skip
    assert np.array_equal(dream.array, same)
    assert np.array_equal(shown(panel), same)
    assert panel._said.value == "done"


def test_steps_are_shown_as_they_are_taken(panel):
    seen = []
    panel._image.observe(lambda change: seen.append(change["new"]), "value")
    panel.run()
    sizes = [Image.open(io.BytesIO(png)).size for png in seen]
    assert sizes[:3] == [(57, 43), (57, 43), (80, 60)]
    assert len(sizes) in (4, 5)  # the last step may be the dream itself


def test_channels_classes_and_noise(panel):
    panel.widgets["channels"].value = "2, 5-6"
    assert panel.settings()["layers"] == "mixed/output[2, 5-6]"
    first = panel.run().array
    panel.widgets["channels"].value = ""
    assert panel.settings()["end"] == "mixed/output"
    assert not np.array_equal(panel.run().array, first)
    panel.widgets["source"].value = "noise"
    assert panel.run().array.shape == (70, 70, 3)
    panel.widgets["classes"].value = "thing 4"
    settings = panel.settings()
    assert settings["target"] == "thing 4"
    assert not {"iterations", "octaves", "end", "layers"} & set(settings)


def test_the_network_is_loaded_once(panel, monkeypatch):
    from dreamlib.models import engines

    panel.run()
    monkeypatch.setattr(engines, "load_net", None)
    panel.widgets["layer"].value = "conv1"
    assert panel.run() is not None


def test_what_cannot_be_dreamt_is_said_in_the_panel(panel):
    panel.widgets["channels"].value = "999"
    assert panel.run() is None
    assert "channels 0 to 35" in panel._said.value
