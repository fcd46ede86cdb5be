"""What a model dreams where nothing is asked for: the dream of its model.toml."""

from pathlib import Path

import pytest

from dreamlib.errors import DreamError
from dreamlib.jobs.prepare import with_models_own
from dreamlib.settings import Settings


@pytest.fixture
def own(tmp_path):
    """Settings of a model whose own dream has an anchor and twelve steps."""
    (tmp_path / "deploy.prototxt").write_text("")
    toml = Path(tmp_path / "model.toml")

    def settings(dream="{ laplacian = 2, iterations = 12 }", **values):
        toml.write_text(f'end = "a"\ndream = {dream}\n')
        return with_models_own(Settings(model=str(tmp_path), **values))

    return settings


def test_a_models_own_dream_is_made_where_nothing_is_named(own):
    settings = own()
    assert (settings.laplacian, settings.iterations) == (2, 12)


def test_what_is_given_stays(own):
    settings = own(iterations=10)
    assert (settings.laplacian, settings.iterations) == (2, 10)


@pytest.mark.parametrize("name", ["end", "layers", "target", "guide", "script"])
def test_where_something_is_named_it_is_the_notebooks_dream_of_that(own, name):
    settings = own(**{name: "b"})
    assert (settings.laplacian, settings.iterations) == (0, 10)


def test_a_film_is_the_models_own_film(own, tmp_path):
    own()
    (tmp_path / "model.toml").write_text("film = { octaves = 2, iterations = 3 }\n")
    settings = with_models_own(Settings(model=str(tmp_path), iterations=5), "film")
    assert (settings.octaves, settings.iterations) == (2, 5)
    assert with_models_own(Settings(model=str(tmp_path))).octaves == 4


def test_a_resumed_dream_has_what_it_was_begun_with(own):
    assert own(resume=True).laplacian == 0


def test_an_unknown_setting_in_it_is_named_with_the_nearest(own):
    with pytest.raises(DreamError, match=r"its dream has 'laplcian'.*'laplacian'"):
        own("{ laplcian = 2 }")


def test_a_wrong_value_in_it_is_refused(own):
    with pytest.raises(DreamError, match="laplacian is -1; expected"):
        own("{ laplacian = -1 }")
