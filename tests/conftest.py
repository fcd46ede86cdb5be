"""What holds for all tests."""

import importlib.util
import os
import sys

# Before PyTorch is imported: with a thread for every core, threads wait for each other by spinning,
# and a busy machine slows down by tens.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# No test fails because the machine is slow, and none on some machines alone.
settings.register_profile("dreamlib", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("dreamlib")


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory):
    """A place for what users are told once, which is not the user's own."""
    there = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if there is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = there


@pytest.fixture(autouse=True)
def no_caffe_is_left():
    """Undo what `dreamlib.pycaffe.install` did; a net with a `Python` layer installs it, too."""
    places = os.environ.get("PYTHONPATH")
    yield
    installed = sys.modules.get("dreamlib.pycaffe.installed")
    if installed is None or installed.FOLDER not in sys.path:
        return
    os.environ.pop("PYTHONPATH", None)
    if places is not None:
        os.environ["PYTHONPATH"] = places
    if sys.modules.get("caffe") is sys.modules["dreamlib.pycaffe"]:
        for name in [name for name in sys.modules if name.partition(".")[0] == "caffe"]:
            del sys.modules[name]
    sys.path[:] = [place for place in sys.path if place != installed.FOLDER]
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if not isinstance(finder, installed._Submodules)
    ]


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A small classifier, as the notebook makes one; a module's tests share it."""
    from tests.nets import small_classifier

    return small_classifier(tmp_path_factory.mktemp("net"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The name of a small model, in a folder of its own; a module's tests share it."""
    from tests.nets import write_random_net

    folder = tmp_path_factory.mktemp("model")
    write_random_net(folder)
    return str(folder)


@pytest.fixture
def sky_size():
    """Height and width of the picture in `workplace`."""
    return 90, 120


@pytest.fixture
def workplace(tmp_path, monkeypatch, sky_size):
    """An empty folder to be in, with one picture, ``sky.png``."""
    from PIL import Image

    from tests.nets import picture

    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture(*sky_size)).save("sky.png")
    return tmp_path


def pytest_collection_modifyitems(items):
    """Skip the tests that need CUDA, with the reason, where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="PyTorch sees no CUDA device"))


def _has_cuda():
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
