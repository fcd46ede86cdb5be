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
    return folder, python("-m", "dreamlib.pycaffe", str(SCRIPT), str(folder))


def test_the_script_runs_to_its_end(finished):
    _, process = finished
    assert process.returncode == 0, process.stderr
    assert "layers 15 blobs data conv1 pool1 norm1 norm1_norm1_0_split_0" in process.stdout


def test_a_script_for_python_2_is_told_to_be_converted(tmp_path):
    script = tmp_path / "old.py"
    script.write_text('import caffe\nprint "octave", 1\n')
    process = python("-m", "dreamlib.pycaffe", str(script))
    assert process.returncode == 1
    assert "line 2" in process.stderr
    assert process.stderr.endswith("once it is converted, by 2to3 for instance\n")


def test_a_script_is_asked_for_without_its_arguments():
    process = python("-m", "dreamlib.pycaffe")
    assert process.returncode == 2
    assert process.stderr.endswith("a SCRIPT is missing; expected the name of a Python file\n")


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


def test_install_makes_every_module_of_caffe_the_same_object_and_nothing_does_before():
    code = """
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
import caffe.classifier, caffe.detector, caffe.pycaffe, caffe._caffe
from caffe.classifier import Classifier as C
from caffe.detector import Detector as D
assert C is caffe.Classifier and D is caffe.Detector and issubclass(C, Net)
assert caffe.pycaffe.Net is caffe._caffe.Net is Net
assert caffe._caffe.Layer is caffe.Layer
assert sys.modules["caffe.io"] is caffe.io is dreamlib.pycaffe.io
assert caffe.io.__spec__.name == "dreamlib.pycaffe.io"
try:
    import caffe.nowhere
except ModuleNotFoundError as error:
    assert error.name == "caffe.nowhere"
"""
    process = python("-c", code)
    assert process.returncode == 0, process.stderr


#: A program that has children find Caffe, in every way that there is.
SPAWNING = """
import multiprocessing, subprocess, sys
import caffe

def axes(path):
    net = caffe.Net(path, caffe.TEST)
    return caffe.__name__, list(net.blobs["x"].shape)

if __name__ == "__main__":
    print(sys.argv[1:])
    for method in ("spawn", "fork"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(pool.map(axes, [sys.argv[1]]))
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", "import caffe.io, caffe; print(caffe.io.__name__)"], check=True)
"""  # noqa: E501


def test_a_script_runs_unmodified_and_so_do_the_processes_that_it_starts(tmp_path):
    (tmp_path / "program.py").write_text(SPAWNING)
    (tmp_path / "x.prototxt").write_text('input: "x" input_shape { dim: 2 dim: 3 }')
    words = [str(tmp_path / "x.prototxt"), "--gpu", "0"]
    process = python("-m", "dreamlib.pycaffe", str(tmp_path / "program.py"), *words)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [
        str(words),
        *["[('dreamlib.pycaffe', [2, 3])]"] * 2,
        "dreamlib.pycaffe.io",
    ]


def test_a_script_finds_its_own_folder_first_and_its_name(tmp_path):
    (tmp_path / "helper_of_mine.py").write_text("import caffe; name = caffe.__name__")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, helper_of_mine; print(sys.path[0]); print(__name__, __file__, sys.argv)"
    )
    said = python("-m", "dreamlib.pycaffe", str(script), "-v").stdout.splitlines()
    assert said == [str(tmp_path), f"__main__ {script} {[str(script), '-v']}"]


def test_a_script_that_is_not_there_is_refused_in_a_line(tmp_path):
    process = python("-m", "dreamlib.pycaffe", str(tmp_path / "nowhere.py"))
    assert process.returncode == 2
    assert "there is no script" in process.stderr.splitlines()[-1]


def test_the_layer_types_are_listed_as_in_pycaffe():
    types = pycaffe.layer_type_list()
    assert types == sorted(types)
    assert {"Convolution", "LRN", "Pooling", "Softmax", "Split", "InnerProduct"} <= set(types)


@pytest.mark.parametrize("module", MODULES)
def test_each_layer_type_is_made_where_the_table_says(module):
    importlib.import_module(f"dreamlib.pycaffe.layers.{module}")
    made = {name for name, layer in LAYERS.items() if layer.__module__.endswith(module)}
    assert made == set(MODULES[module])
