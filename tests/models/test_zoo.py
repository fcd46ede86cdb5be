"""Models by name, and the repository's own."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.models import zoo
from dreamlib.models.model import REPOSITORY, load_model
from dreamlib.models.zoo import find_model, list_models
from tests.models.folders import TOML, make


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty working directory, and nothing in $DREAM_MODELS."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("DREAM_MODELS", raising=False)


# The repository's own


NAMES = (
    "bvlc_googlenet",
    "bvlc_reference_caffenet",
    "efficientnet_lite0",
    "googlenet_places205",
    "googlenet_places365",
    "squeezenet_v1.1",
)
OF_PLACES = ("googlenet_places205", "googlenet_places365")


def test_the_repository_has_these_models():
    assert set(NAMES) <= {model.name for model in list_models()}


def test_googlenet_is_fed_as_in_the_notebook():
    model = load_model(REPOSITORY / "models" / "bvlc_googlenet")
    assert model.mean == (104, 116, 122)
    assert (model.channel_order, model.input_scale) == ("BGR", 1)
    assert (model.end, model.class_layer) == ("inception_4c/output", "loss3/classifier")


@pytest.mark.parametrize("name", NAMES)
def test_layers_named_in_model_toml_are_in_the_prototxt(name):
    model = load_model(REPOSITORY / "models" / name)
    tops = re.findall(r'top: "([^"]+)"', model.prototxt.read_text())
    assert {model.end, model.class_layer} <= set(tops)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_PLACES])
def test_labels_are_imagenets_in_caffes_order(name):
    labels = load_model(REPOSITORY / "models" / name).read_labels()
    assert len(labels) == 1000
    assert (labels[0], labels[281]) == ("tench, Tinca tinca", "tabby, tabby cat")
    assert labels[999] == "toilet tissue, toilet paper, bathroom tissue"


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("googlenet_places205", 205, {0: "abbey", 13: "apartment building outdoor", 204: "yard"}),
        ("googlenet_places365", 365, {0: "airfield", 200: "kasbah", 364: "zen garden"}),
    ],
)
def test_labels_of_places_are_its_scenes_in_the_published_order(name, count, some):
    labels = load_model(REPOSITORY / "models" / name).read_labels()
    assert len(set(labels)) == count
    assert {i: labels[i] for i in some} == some


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_of_a_model_names_its_weights_and_their_licence(name):
    model = load_model(REPOSITORY / "models" / name)
    readme = (model.folder / "README.md").read_text()
    assert "| licence |" in readme
    assert model.weights.name in readme


@pytest.mark.parametrize("name", [name for name in NAMES if name != "efficientnet_lite0"])
def test_fetch_command_of_a_published_model_runs_from_any_folder(name):
    command, *arguments = shlex.split(load_model(REPOSITORY / "models" / name).fetch)
    assert Path(command).is_absolute()
    assert os.access(command, os.X_OK)
    assert arguments == ([] if name == "bvlc_googlenet" else [name])


def test_fetch_command_of_the_embedded_model_runs_from_any_folder():
    model = load_model(REPOSITORY / "models" / "efficientnet_lite0")
    assert shlex.split(model.fetch) == ["make", "-C", str(REPOSITORY), "setup"]


def test_other_fetch_commands_stay_as_they_are(tmp_path):
    folder = make(tmp_path / "mine", 'fetch = "scripts/of_mine.sh --quick"')
    assert load_model(folder).fetch == "scripts/of_mine.sh --quick"


# Finding


def test_own_models_folder_is_searched(tmp_path):
    make(tmp_path / "work" / "models" / "mine", TOML)
    assert find_model("mine").mean == (1, 2.5, 3)


def test_every_folder_in_the_environment_is_searched(tmp_path, monkeypatch):
    make(tmp_path / "a" / "first", TOML)
    make(tmp_path / "b" / "second", TOML)
    monkeypatch.setenv("DREAM_MODELS", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert {"first", "second"} <= {model.name for model in list_models()}


def test_folder_with_weights_goes_before_one_without(tmp_path, monkeypatch):
    make(tmp_path / "work" / "models" / "mine", TOML)
    full = make(tmp_path / "other" / "mine", TOML, weights=["mine.caffemodel"])
    assert not find_model("mine").has_weights
    monkeypatch.setenv("DREAM_MODELS", str(tmp_path / "other"))
    assert find_model("mine").folder == full


def test_environment_goes_before_the_working_directory(tmp_path, monkeypatch):
    make(tmp_path / "work" / "models" / "mine", TOML)
    mine = make(tmp_path / "other" / "mine", TOML)
    monkeypatch.setenv("DREAM_MODELS", str(tmp_path / "other"))
    assert find_model("mine").folder == mine


def test_default_is_googlenet_where_its_weights_are(tmp_path, monkeypatch):
    make(tmp_path / "a" / "bvlc_googlenet", TOML, weights=["bvlc_googlenet.caffemodel"])
    monkeypatch.setenv("DREAM_MODELS", str(tmp_path / "a"))
    assert find_model().name == "bvlc_googlenet"


def test_default_is_the_embedded_model_where_they_are_not(tmp_path, monkeypatch):
    make(tmp_path / "work" / "models" / "bvlc_googlenet", TOML)
    monkeypatch.setattr(zoo, "search_path", lambda: [Path("models"), tmp_path / "b"])
    make(tmp_path / "b" / "efficientnet_lite0", TOML)
    assert find_model().name == "efficientnet_lite0"


def test_unknown_name_lists_the_nearest():
    with pytest.raises(DreamError, match=r"'googlnet'.*bvlc_googlenet"):
        find_model("googlnet")


def test_unlike_name_lists_all():
    with pytest.raises(DreamError, match=f"there are: {', '.join(NAMES)}"):
        find_model("xyz")


def test_missing_folder_is_no_name():
    with pytest.raises(DreamError, match=r"no model '\./bvlc_googlenet'"):
        find_model("./bvlc_googlenet")


def test_file_instead_of_folder_names_the_folder(tmp_path):
    folder = make(tmp_path / "mine")
    with pytest.raises(DreamError, match=f"is a file; .*{folder}$"):
        find_model(str(folder / "deploy.prototxt"))


@given(st.text() | st.just("~nobody") | st.just("x" * 5000))
def test_text_that_names_no_model_is_refused_in_words(text):
    assume(text not in {model.name for model in list_models()})
    with pytest.raises(DreamError):
        find_model(text)


def test_a_folder_lasts_as_an_absolute_path_and_a_name_as_it_is(tmp_path, monkeypatch):
    make(tmp_path / "work" / "mine", TOML)
    make(tmp_path / "work" / "models" / "named", TOML)
    monkeypatch.setenv("HOME", str(tmp_path / "work"))
    for spelt in ("mine", "./mine", "../work/mine/", "~/mine", str(tmp_path / "work" / "mine")):
        assert zoo.absolute_name(spelt) == str(tmp_path / "work" / "mine")
    (tmp_path / "work" / "named").mkdir()
    for spelt in ("named", "bvlc_googlenet", "nobodys"):
        assert zoo.absolute_name(spelt) == spelt
