"""reproduce/reproduce.py runs every cell, twice, and its page shows what it wrote."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.embedded import REPOSITORY
from tests.nets import write_random_net

COMPARED = ("dream", "strokes", "frame 0", "frame 1", "guided")


@pytest.fixture(scope="module")
def reproduce():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "reproduce"))
        import reproduce

        yield reproduce


@pytest.fixture(scope="module")
def folder(reproduce, tmp_path_factory):
    """What the command wrote, for a small network and a small sky."""
    model = tmp_path_factory.mktemp("model")
    write_random_net(model)
    folder = tmp_path_factory.mktemp("out")
    words = ["--model", str(model), "--layers", "mixed/output,conv1,mixed/output",
             "--size", "90x70", "--frames", "3", "--octaves", "2", "--iterations", "2",
             "--engine", "torch", "--folder", str(folder)]  # fmt: skip
    assert reproduce.main(words) == 0
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def test_the_page_shows_every_picture_and_nothing_from_elsewhere(folder, page):
    shown = set(re.findall(r"src='([^']+)'", page))
    written = {str(path.relative_to(folder)) for path in folder.rglob("*.[pj][np]g")}
    assert shown == written
    assert len(shown) == 2 + 3 * 2 + 3
    assert not re.search(r"https?://|<script", page)


def test_each_dream_is_compared_with_the_notebooks_and_is_the_same(page):
    rows = re.findall(r"<tr><td>([\w ]+)<td>([\d.e-]+)<td>([\d.e-]+)<td>", page)
    assert tuple(name for name, *_ in rows) == COMPARED
    for _, largest, mean in rows:
        assert float(largest) < 0.01
        assert float(mean) < 1e-3


def test_dreams_differ_from_the_picture_and_from_each_other(folder):
    pictures = {name: np.float32(Image.open(folder / f"{name}.png"))
                for name in ("picture", "dream", "strokes", "guided")}  # fmt: skip
    names = list(pictures)
    for index, name in enumerate(names):
        for other in names[:index]:
            assert np.abs(pictures[name] - pictures[other]).mean() > 0.5


def test_a_difference_would_be_told(reproduce):
    ours = np.zeros((4, 4, 3), np.float32)
    theirs = ours.copy()
    theirs[0, 0, 0] = 4.8
    found = reproduce.compare("dream", ours, theirs, 1, 2)
    assert found.largest == pytest.approx(4.8)
    assert found.mean == pytest.approx(0.1)
    assert "4.8 levels" in str(found)


def test_a_layer_that_is_not_there_is_refused_before_anything_is_written(
    reproduce, tmp_path, capsys
):
    write_random_net(tmp_path)
    words = ["--model", str(tmp_path), "--layers", "mixed/output,nothing,mixed/output", "--engine",
             "torch", "--folder", str(tmp_path / "out")]  # fmt: skip
    assert reproduce.main(words) == 2
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_layers_of_the_notebook_are_googlenets(reproduce):
    from dreamlib.models.engines import load_layers
    from dreamlib.models.zoo import find_model

    for name, layers in reproduce.LAYERS.items():
        if find_model(name).prototxt.exists():
            assert set(layers) <= set(load_layers(find_model(name), "torch").blobs)
