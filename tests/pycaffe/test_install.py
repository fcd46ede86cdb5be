"""An unchanged script of 2015 runs where it says ``import caffe``."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dreamlib import pycaffe
from dreamlib.pycaffe.layers.registry import LAYERS, MODULES
from tests.nets import INCEPTION, MEAN, write_random_net

SCRIPT = Path(__file__).with_name("script_of_2015.py")
REPOSITORY = Path(__file__).parents[2]


def python(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=120
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder and output of the script, run on a net whose prototxt does not force gradients."""
    folder = tmp_path_factory.mktemp("model")
    write_random_net(folder, INCEPTION.replace("force_backward: true", ""))
    start = (
        "import runpy, sys, dreamlib.pycaffe; dreamlib.pycaffe.install(); "
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    # the script's own argument comes first in its sys.argv[1:]
    start = start.replace("sys.argv[1]", repr(str(SCRIPT)))
    return folder, python("-c", start, str(folder))


def test_the_script_runs_to_its_end(finished):
    _, process = finished
    assert process.returncode == 0, process.stderr
    assert "layers 15 blobs data conv1 pool1 norm1 norm1_norm1_0_split_0" in process.stdout


def test_its_step_moves_the_picture_by_the_step_size(finished):
    _, process = finished
    moved = float(process.stdout.split("moved by")[1])
    assert moved == pytest.approx(1.5, rel=1e-4)


def test_its_picture_equals_the_same_steps_taken_here(finished):
    folder, _ = finished
    net = pycaffe.Classifier(
        str(folder / "tmp.prototxt"), str(folder / "random.caffemodel"), mean=MEAN
    )
    image = np.float32(np.random.RandomState(0).uniform(0, 255, (48, 56, 3)))
    start = image.transpose(2, 0, 1)[::-1] - net.transformer.mean["data"]
    net.blobs["data"].reshape(1, 3, 48, 56)
    net.blobs["data"].data[0] = start
    net.blobs["mixed/output"].diff[...] = net.forward(end="mixed/output")["mixed/output"]
    gradient = net.backward(start="mixed/output")["data"][0]
    expected = start + 1.5 / np.abs(gradient).mean() * gradient
    np.testing.assert_allclose(np.load(folder / "dreamed.npy")[0], expected, atol=1e-3)


def test_install_registers_every_module_a_script_imports_and_nobody_does_before():
    names = ["caffe", "caffe.draw", "caffe.io", "caffe.net_spec", "caffe.proto"]
    names.append("caffe.proto.caffe_pb2")
    code = f"""
import dreamlib.pycaffe, importlib, sys
assert not any(name.startswith("caffe") for name in sys.modules)
dreamlib.pycaffe.install()
import caffe
assert caffe is dreamlib.pycaffe
from caffe import Net, Classifier, Detector, TRAIN, TEST
from caffe import layers as L, params as P
assert L.Pooling(L.Input(), pool=P.Pooling.MAX).fn.type_name == "Pooling"
import caffe.draw
assert caffe.draw.draw_net_to_file
from caffe.io import Transformer, load_image
from caffe.proto.caffe_pb2 import NetParameter
assert caffe.proto.caffe_pb2.NetParameter is NetParameter
for name in {names}:
    assert importlib.import_module(name).__name__.startswith("dreamlib.pycaffe")
"""
    process = python("-c", code)
    assert process.returncode == 0, process.stderr


def test_the_layer_types_are_listed_as_in_pycaffe():
    types = pycaffe.layer_type_list()
    assert types == sorted(types)
    assert {"Convolution", "LRN", "Pooling", "Softmax", "Split", "InnerProduct"} <= set(types)


@pytest.mark.parametrize("module", MODULES)
def test_each_layer_type_is_made_where_the_table_says(module):
    importlib.import_module(f"dreamlib.pycaffe.layers.{module}")
    made = {name for name, layer in LAYERS.items() if layer.__module__.endswith(module)}
    assert made == set(MODULES[module])
