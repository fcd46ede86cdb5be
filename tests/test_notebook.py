"""The notebook in notebooks/ runs as it is committed, and its dreams are dreams."""

import importlib.util
import re
import shutil

import nbformat
import numpy as np
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from PIL import Image

from dreamlib.models.engines import load_layers
from dreamlib.models.zoo import find_model
from tests.embedded import REPOSITORY, prepared_model

NOTEBOOK = REPOSITORY / "notebooks" / "dream.ipynb"

#: Run after the notebook's own cells, to see what they made.
RESULTS = """
np.savez("results.npz", img=img, dreamt=dreamt, strokes=strokes, guided=guided,
         guide_features=guide_features, loudness=loudness, noise=step.array, channel=channel.array,
         drawn=drawn.array, **matches)
"""


def committed():
    return nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a copy of the notebook was run by this Python, whatever the user has."""
    prepared_model()
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copy(NOTEBOOK, folder)
    book = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    book.cells.append(nbformat.v4.new_code_cell(RESULTS))
    # Without folders of kernels to search, ipykernel's own is left: that of sys.executable.
    kernels = KernelSpecManager(kernel_dirs=[])
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernels)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        patch.setenv("OMP_NUM_THREADS", "1")  # on a busy machine two wait for each other
        client = NotebookClient(
            book, km=manager, timeout=240, resources={"metadata": {"path": str(folder)}}
        )
        client.execute()
    nbformat.write(book, folder / NOTEBOOK.name)
    return folder


@pytest.fixture(scope="module")
def results(folder):
    with np.load(folder / "results.npz") as arrays:
        return dict(arrays)


def test_the_notebook_is_valid_and_committed_without_outputs():
    book = committed()
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_the_layers_it_names_of_googlenet_are_there():
    names = set(re.findall(r'"(inception_[^"]+)"', NOTEBOOK.read_text().replace("\\", "")))
    assert len(names) == 2
    assert names <= set(load_layers(find_model("bvlc_googlenet"), "torch").blobs)


def test_every_cell_runs_and_shows_its_pictures(folder):
    book = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    shown = {cell.id: [output.get("data", {}) for output in cell.outputs] for cell in book.cells
             if cell.cell_type == "code"}  # fmt: skip
    pictures = {name for name, outputs in shown.items() if any("image/png" in o for o in outputs)}
    assert {"picture", "dream", "low", "zoom", "guide", "guided"} <= pictures
    assert {"noise", "channel", "class"} <= pictures


def test_steps_make_the_layer_louder(results):
    assert len(results["loudness"]) == 5
    assert results["loudness"][-1] > 1.2 * results["loudness"][0]


@pytest.mark.parametrize("name", ["dreamt", "strokes", "guided"])
def test_a_dream_differs_from_the_picture_and_is_not_grey(results, name):
    dream = results[name]
    assert dream.shape == results["img"].shape
    assert dream.min() >= 0
    assert dream.max() <= 255
    assert np.abs(dream - results["img"]).mean() > 8
    assert dream.std() > 30
    assert np.mean(dream.max(2) - dream.min(2)) > 25


@pytest.mark.parametrize(("name", "size"), [
    ("noise", (160, 240)), ("channel", (160, 240)), ("drawn", (160, 160)),
])  # fmt: skip
def test_noise_becomes_a_picture(results, name, size):
    dream = np.float32(results[name])
    assert dream.shape == (*size, 3)
    blocks = dream.reshape(size[0] // 8, 8, size[1] // 8, 8, 3).mean(axis=(1, 3))
    assert blocks.std() > 2 * dream.std() / 8  # that of noise would be an eighth


def test_sliders_are_there_or_it_is_said_what_is_missing(folder):
    book = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    outputs = next(cell.outputs for cell in book.cells if cell.id == "sliders")
    if importlib.util.find_spec("ipywidgets"):
        assert any("widget-view" in key for one in outputs for key in one.get("data", {}))
    else:
        assert "pip install ipywidgets" in outputs[0].text


def test_layers_dream_different_pictures(results):
    assert np.abs(results["dreamt"] - results["strokes"]).mean() > 8


def test_the_fall_writes_its_frames_each_another(folder):
    paths = sorted((folder / "frames").glob("*.jpg"))
    assert [path.name for path in paths] == [f"{number:04d}.jpg" for number in range(10)]
    frames = [np.float32(Image.open(path)) for path in paths]
    changes = [np.abs(one - other).mean() for one, other in zip(frames, frames[1:])]
    assert min(changes) > 5
    with Image.open(folder / "frames" / "fall.gif") as film:
        assert film.n_frames == 10


def test_the_guide_draws_the_dream_towards_it(results):
    assert results["guided dream"] > 2 * results["picture"]
    assert results["guided dream"] > 1.2 * results["dream"]
