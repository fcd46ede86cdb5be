"""Networks of forks and of training, as far as an engine can build them."""

import numpy as np
import pytest

from dreamlib import pycaffe
from dreamlib.errors import DreamError
from dreamlib.models import engines
from dreamlib.models.definition import definition_of
from dreamlib.models.layers import check_layer, dreamable_layers, layer_named
from dreamlib.models.zoo import find_model
from tests.command import ctrl_c_at, run
from tests.nets import INCEPTION, write_random_net

#: What detectors of 2015-17 have above their convolutions, with fields of their own.
DETECTOR = """
layer { name: "rois" type: "Proposals" bottom: "mixed/output" top: "rois"
  proposal_param { feat_stride: 16 sizes: [1, 2] } }
layer { name: "pool5" type: "ROIPooling" bottom: "mixed/output" bottom: "rois" top: "pool5"
  roi_pooling_param < pooled_w: 6 spatial_scale: 0.0625 > }
layer { name: "relu5" type: "ReLU" bottom: "pool5" top: "pool5" }
layer { name: "box" type: "Power" bottom: "pool5" top: "box" }
layer { name: "side" type: "Convolution" bottom: "mixed/output" top: "side"
  convolution_param { num_output: 2 kernel_size: 1 } }
"""


def model_of(folder, text):
    """A model whose prototxt is `text` and whose weights are of what can be built of it."""
    prototxt, _ = write_random_net(folder)
    with open(prototxt, "w") as file:
        file.write(text)
    return find_model(str(folder))


def layers_of(model):
    return [name for name, _, _ in dreamable_layers(engines.load_layers(model, "torch"))]


# -- layers that are unknown ----------------------------------------------------------------------


@pytest.fixture
def detector(tmp_path):
    return model_of(tmp_path, INCEPTION + DETECTOR)


def test_only_what_needs_an_unknown_layer_is_left_out(detector):
    plain = dreamable_layers(engines.load_layers(find_model(str(detector.folder)), "torch"))
    assert [name for name, _, _ in plain][-4:] == ["pool2", "classifier", "prob", "side"]


def test_a_dream_below_unknown_layers_is_that_of_the_network_without_them(
    tmp_path, detector, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    flags = ["--end", "mixed/output", "--iterations", 1, "--octaves", 1, "--seed", 1, "--engine",
             "torch"]  # fmt: skip
    assert run("noise:64x64", "with.png", "--model", detector.folder, *flags) == 0
    detector.prototxt.write_text(INCEPTION)
    assert run("noise:64x64", "without.png", "--model", detector.folder, *flags) == 0
    pictures = [pixels("with.png"), pixels("without.png")]
    assert np.array_equal(*pictures)


def pixels(path):
    from PIL import Image

    return np.asarray(Image.open(path))


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (
            "box",
            "layer 'box', above layer 'rois', is left out: not supported: layer 'rois' has type",
        ),
        ("rois", "layer 'rois' is left out: not supported: layer 'rois' has type 'Proposals'"),
        ("", "names no layer to dream; choose one with --end, for instance"),
        ("", "not supported: layer 'rois' has type 'Proposals'"),
    ],
)
def test_to_dream_what_is_left_out_is_refused_with_the_layer_that_is_unknown(detector, end, says):
    net = engines.load_layers(detector, "torch")
    with pytest.raises(DreamError) as refusal:
        check_layer(net, end, detector)
    assert says in str(refusal.value)


def test_the_list_of_layers_says_what_is_left_out(detector, capsys):
    assert run("--list-layers", "--model", detector.folder, "--engine", "torch") == 0
    assert "4 more are left out: this Caffe does not have 'rois'" in capsys.readouterr().out


def test_a_layer_in_python_whose_module_is_not_there_is_left_out(tmp_path):
    text = INCEPTION + (
        'layer { name: "rpn" type: "Python" bottom: "prob" top: "rpn" '
        'python_param { module: "rpn_of_nobody.proposals" layer: "Proposals" } }'
    )
    net = engines.load_layers(model_of(tmp_path, text), "torch")
    assert net.left_out == {"rpn": "rpn"}
    with pytest.raises(DreamError) as refusal:
        check_layer(net, "rpn", model_of(tmp_path, text))
    assert "in the module 'rpn_of_nobody.proposals', which is not found" in str(refusal.value)
    assert "did you mean 'Python'" not in str(refusal.value)


def test_a_network_of_unknown_layers_alone_is_refused_with_all_of_them(tmp_path):
    text = (
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'
        'layer { name: "a" type: "Warp" bottom: "data" top: "a" warp_param { by: 2 } }\n'
        'layer { name: "b" type: "ReLU" bottom: "a" top: "b" }'
    )
    model = model_of(tmp_path, text)
    with pytest.raises(DreamError) as refusal:
        engines.load_layers(model, "torch")
    assert str(refusal.value) == (
        f"{model.prototxt}: not supported: layer 'a' has type 'Warp'; layer 'a' has a field "
        "warp_param (line 2). docs/extending.md says how a layer is added"
    )


def test_a_field_that_the_network_itself_has_too_much_is_refused(tmp_path):
    with pytest.raises(DreamError, match=r"the network has a field mem_param \(line 1\)"):
        engines.load_layers(model_of(tmp_path, "mem_param { on: true }" + INCEPTION), "torch")


# -- files for training ---------------------------------------------------------------------------

TAIL = INCEPTION[INCEPTION.index('layer { name: "conv1"') :]
LOSS = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "classifier" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "classifier" bottom: "label" top: "accuracy" }
"""


@pytest.mark.parametrize(
    ("kind", "size", "side"),
    [
        ("Data", "transform_param { crop_size: 48 mirror: true } data_param { batch_size: 9 }", 48),
        ("Data", "data_param { crop_size: 40 }", 40),
        ("ImageData", "image_data_param { new_height: 56 new_width: 56 batch_size: 3 }", 56),
        ("ImageData", "transform_param { crop_size: 48 } image_data_param { new_height: 56 }", 48),
        ("WindowData", "transform_param { crop_size: 64 }", 64),
        ("MemoryData", "memory_data_param { batch_size: 2 channels: 3 height: 44 width: 44 }", 44),
        ("DummyData", "dummy_data_param { shape { dim: 5 dim: 3 dim: 52 dim: 52 } }", 52),
    ],
)
def test_a_file_for_training_is_dreamt_by_its_test_part(tmp_path, kind, size, side):
    sources = "".join(
        f'layer {{ name: "data" type: "{kind}" top: "data" top: "label" '
        f"{text} include {{ phase: {phase} }} }}\n"
        for phase, text in (("TRAIN", size.replace("4", "3")), ("TEST", size))
    )
    net = engines.load_layers(model_of(tmp_path, sources + TAIL + LOSS), "torch")
    assert tuple(net.blobs["data"].shape) == (1, 3, side, side)
    assert "classifier" in net.blobs
    assert "loss" not in net.blobs


def test_a_folder_with_a_file_for_training_alone_is_a_model(tmp_path):
    (tmp_path / "solver.prototxt").write_text('net: "train_val.prototxt"')
    (tmp_path / "train_val.prototxt").write_text(INCEPTION)
    assert find_model(str(tmp_path)).prototxt.name == "train_val.prototxt"
    (tmp_path / "test.prototxt").write_text(INCEPTION)
    assert find_model(str(tmp_path)).prototxt.name == "test.prototxt"


def test_a_file_for_training_of_unknown_size_is_called_one(tmp_path):
    text = 'layer { name: "d" type: "HDF5Data" top: "data" top: "label" }' + TAIL + LOSS
    with pytest.raises(DreamError, match=r"'d' \(HDF5Data\) .*a file for training; use the deploy"):
        engines.load_layers(model_of(tmp_path, text), "torch")


def test_a_file_for_training_of_2014_is_dreamt_too(tmp_path):
    text = (
        "layers { name: 'd' type: DATA top: 'data' top: 'label' data_param { crop_size: 32 } } "
        "layers { name: 'c' type: CONVOLUTION bottom: 'data' top: 'c' "
        "convolution_param { num_output: 2 kernel_size: 3 } } "
        "layers { name: 'loss' type: SOFTMAX_LOSS bottom: 'c' bottom: 'label' }"
    )
    assert layers_of(model_of(tmp_path, text)) == ["c"]


def test_a_network_of_2013_is_dreamt(tmp_path):
    text = (
        "\ufeff" + INCEPTION[INCEPTION.index("name") : INCEPTION.index("force")] + 'input: "data" '
        "input_dim: 1 input_dim: 3 input_dim: 20 input_dim: 20 "
        "layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'data' top: 'p' } "
        "layers { layer { name: 'c' type: 'conv' num_output: 2 kernelsize: 3 } "
        "bottom: 'p' top: 'c' }"
    )
    net = engines.load_layers(model_of(tmp_path, text), "torch")
    assert [(name, shape) for name, _, shape in dreamable_layers(net)] == [("c", (1, 2, 20, 20))]


# -- names ----------------------------------------------------------------------------------------

#: As INCEPTION, fine-tuned: a layer was exchanged and its blob kept.
TUNED = INCEPTION.replace('name: "mixed/1x1"', 'name: "mixed/new"')


def test_a_layer_is_found_by_its_blobs_name_too(tmp_path):
    net = engines.load_layers(model_of(tmp_path, TUNED), "torch")
    assert layer_named(net, "mixed/1x1") == layer_named(net, "mixed/new") == "mixed/new"
    assert layer_named(net, "conv1") == "conv1"
    assert "mixed/new" in layers_of(find_model(str(tmp_path)))


def test_end_takes_layer_and_blob(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model_of(tmp_path, TUNED)
    pycaffe.Net("deploy.prototxt", pycaffe.TEST).save("random.caffemodel")
    for name, end in (("a.png", "mixed/1x1"), ("b.png", "mixed/new")):
        assert run("noise:64x64", name, "--model", ".", "--end", end, "--iterations", 1,
                   "--octaves", 1, "--seed", 1, "--engine", "torch") == 0  # fmt: skip
    assert np.array_equal(pixels("a.png"), pixels("b.png"))


def test_a_dream_is_resumed_by_the_blobs_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model_of(tmp_path, TUNED)
    pycaffe.Net("deploy.prototxt", pycaffe.TEST).save("random.caffemodel")
    words = ["noise:64x64", "a.png", "--model", ".", "--end", "mixed/1x1", "--iterations", 3,
             "--octaves", 1, "--seed", 1, "--engine", "torch", "--work-dir", "w"]  # fmt: skip
    with ctrl_c_at(1):
        assert run(*words) == 130
    assert run(*words, "--resume") == 0


def test_a_name_that_another_blob_has_is_left_alone(tmp_path):
    text = INCEPTION + (
        'layer { name: "half" type: "Power" bottom: "prob" top: "other" }\n'
        'layer { name: "x" type: "Power" bottom: "other" top: "half" }\n'
    )
    definition = definition_of(model_of(tmp_path, text), pycaffe)
    assert [list(layer.top) for layer in definition.layer[-2:]] == [["other"], ["half"]]


@pytest.mark.parametrize("name", ["image", "data_of_mine"])
def test_a_network_whose_input_has_another_name_dreams_the_same(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for folder, text in (("usual", INCEPTION), ("own", INCEPTION.replace('"data"', f'"{name}"'))):
        (tmp_path / folder).mkdir()
        write_random_net(tmp_path / folder, text)
        assert run("noise:64x64", f"{folder}.png", "--model", f"./{folder}", "--end", "pool1",
                   "--iterations", 1, "--octaves", 2, "--seed", 1, "--classify",
                   "--engine", "torch") == 0  # fmt: skip
    assert np.array_equal(pixels("usual.png"), pixels("own.png"))
