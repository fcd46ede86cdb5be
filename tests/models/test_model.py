"""A model's folder: what model.toml says, and what the usual file names say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dreamlib.errors import DreamError
from dreamlib.models.model import Model, load_model
from tests.models.folders import TOML, make
from tests.nets import forbid

# Weights and labels


def test_missing_weights_say_the_command(tmp_path):
    model = load_model(make(tmp_path / "mine", TOML + 'fetch = "get it now"\n'))
    assert not model.has_weights
    with pytest.raises(DreamError, match=r"mine\.caffemodel is not there; run: get it now"):
        model.require_weights()


def test_missing_prototxt_counts_as_missing(tmp_path):
    model = load_model(make(tmp_path / "mine", TOML, weights=["mine.caffemodel"], files=[]))
    with pytest.raises(DreamError, match=r"deploy\.prototxt is not there; put the file into"):
        model.require_weights()


def test_weights_that_are_there_are_enough(tmp_path):
    model = load_model(make(tmp_path / "mine", TOML, weights=["mine.caffemodel"]))
    assert model.has_weights
    model.require_weights()


def test_labels_lose_their_wordnet_numbers(tmp_path):
    folder = make(tmp_path / "mine")
    (folder / "synset_words.txt").write_text("n01440764 tench, Tinca tinca\nnightingale\n\n")
    assert load_model(folder).read_labels() == ["tench, Tinca tinca", "nightingale"]


def test_missing_labels_are_named(tmp_path):
    with pytest.raises(DreamError, match=r"mine has no class names: .*labels\.txt"):
        load_model(make(tmp_path / "mine", TOML)).read_labels()


# model.toml


def test_all_keys_are_read(tmp_path):
    toml = (
        'mean = [1, 2, 3]\nend = "a"\nprototxt = "p"\nweights = "w"\nlabels = "l"\n'
        'channel_order = "RGB"\ninput_scale = 0.5\nclass_layer = "c"\nsource = "s"\n'
        'dream = { laplacian = 2 }\nfilm = { octaves = 3 }\nhints = { a = "dogs" }\n'
        f'mirrors = ["m", "n"]\nsha1 = "{"0" * 40}"\nvalues_sha256 = "{"a" * 64}"\n'
        f'sha256 = "{"b" * 64}"\n'
        'licence = "free"\nfetch = "f"\n'
    )
    folder = make(tmp_path / "mine", toml)
    assert load_model(folder) == Model(
        "mine",
        folder,
        folder / "p",
        folder / "w",
        folder / "l",
        (1.0, 2.0, 3.0),
        "RGB",
        0.5,
        "a",
        {"laplacian": 2},
        {"octaves": 3},
        "c",
        {"a": "dogs"},
        "s",
        ("m", "n"),
        "0" * 40,
        "b" * 64,
        "a" * 64,
        "free",
        "f",
    )


def test_values_are_plain_python(tmp_path):
    model = load_model(make(tmp_path / "mine", TOML + 'channel_order = "RGB"\ninput_scale = 2\n'))
    assert [type(v) for v in (*model.mean, model.input_scale)] == [float] * 4
    assert type(model.end) is type(model.channel_order) is str


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('end = "a"\ndream = 3', "key dream: expected a table of settings; given: dream = 3"),
        ('end = "a"\nhints = { a = 3 }', "key hints: expected a table of texts, by layer"),
        ('end = "a"\nmirrors = "m"', 'key mirrors: expected a list of addresses; given: .* "m"'),
        ('end = "a"\nsha1 = "xyz"', "key sha1: expected text: .* 40 digits"),
        ('mean = [1, 2]\nend = "a"', r"key mean: expected three numbers.*given: mean = \[1, ?2\]"),
        ('mean = [1, 2, "3"]\nend = "a"', "key mean: expected three numbers"),
        ('mean = [1, 2, true]\nend = "a"', "key mean: expected three numbers"),
        ('mean = 5\nend = "a"', "key mean: expected three numbers"),
        ("mean = [1, 2, 3]\nend = 5", "key end: expected the name.*given: end = 5"),
        ('mean = [1, 2, 3]\nend = ""', "key end: expected the name"),
        (TOML + 'channel_order = "GBR"', 'channel_order: expected "BGR" or "RGB"'),
        (TOML + "input_scale = 0", "input_scale: expected a number other than 0"),
        (TOML + 'input_scale = "1"', "input_scale: expected a number"),
        (TOML + "chanel_order = 1", "unknown key chanel_order; did you mean 'channel_order'"),
        (TOML + "x = 1", "unknown key x; known keys: mean, end"),
        ("mean = [1, 2", r"model\.toml, line 1: the list that begins here is not closed"),
        ('end = "[a"\nmean = [1, # ]\n2\nx = 1', r"model\.toml, line 2: the list .* not closed"),
        ("mean = [1, 2\n[table]\n", r"model\.toml, line 1: the list .* not closed"),
        ('end = "a"\nmean', r"model\.toml is not TOML: its last line is not complete"),
        ("mean = [1 2 3]", r"model\.toml is not TOML: .* line 1"),
        ("end = 1\nend = 2", r"model\.toml is not TOML: .*line 2"),
    ],
)
def test_wrong_toml_names_file_key_and_what_was_expected(tmp_path, toml, message):
    with pytest.raises(DreamError, match=message) as error:
        load_model(make(tmp_path / "mine", toml))
    assert str(tmp_path / "mine" / "model.toml") in str(error.value)


def test_all_problems_of_a_toml_are_told_at_once(tmp_path):
    folder = make(tmp_path / "mine", 'mean = 5\nend = ""\nchanel_order = "RGB"\n')
    with pytest.raises(DreamError, match=r"model\.toml has 3 problems:") as error:
        load_model(folder)
    for key in ("key mean", "key end", "unknown key chanel_order"):
        assert key in str(error.value)


def test_a_binary_toml_is_refused(tmp_path):
    folder = make(tmp_path / "mine")
    (folder / "model.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DreamError, match=r"model\.toml is not TOML: it holds binary data"):
        load_model(folder)


def test_what_a_toml_leaves_out_is_as_without_it(tmp_path):
    text = 'layer { top: "inception_4c/output" }\nlayer { top:"loss3/classifier" }\n'
    folder = make(
        tmp_path / "mine",
        'channel_order = "RGB"\n',
        ["snapshot.caffemodel"],
        ["net.prototxt"],
        text,
    )
    np.save(folder / "mean.npy", np.float32([1, 2, 3]))
    (folder / "synset_words.txt").write_text("cat\n")
    with_toml = load_model(folder)
    (folder / "model.toml").unlink()
    assert with_toml == replace(load_model(folder), channel_order="RGB")
    assert (with_toml.mean, with_toml.end) == ((1, 2, 3), "inception_4c/output")


def test_an_empty_toml_is_enough(tmp_path):
    model = load_model(make(tmp_path / "mine", ""))
    assert (model.mean, model.end) == ((104, 116, 122), "")


# What may not be read


@pytest.mark.parametrize("method", ["is_file", "iterdir", "read_bytes"])
def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch, method):
    folder = make(tmp_path / "mine")
    forbid(monkeypatch, method)  # root may read anything
    with pytest.raises(DreamError, match=f"{folder}.* cannot be read: Permission denied"):
        load_model(folder)


# A Caffe model folder of 2014 to 2016


def test_usual_caffe_folder_works(tmp_path):
    files = ["deploy.prototxt", "train_val.prototxt", "solver.prototxt", "readme.md"]
    folder = make(tmp_path / "mine", weights=["snapshot_1.caffemodel"], files=files)
    model = load_model(folder)
    assert (model.name, model.prototxt.name) == ("mine", "deploy.prototxt")
    assert model.weights == folder / "snapshot_1.caffemodel"
    assert (model.mean, model.channel_order, model.input_scale) == ((104, 116, 122), "BGR", 1)
    assert (model.end, model.class_layer, model.labels) == ("", None, None)


def test_only_prototxt_that_is_not_for_training_is_taken(tmp_path):
    files = ["net.prototxt", "train_val.prototxt", "quick_solver.prototxt"]
    model = load_model(make(tmp_path / "mine", files=files))
    assert model.prototxt.name == "net.prototxt"


def test_googlenet_in_another_folder_dreams_the_notebooks_layer(tmp_path):
    text = 'layer { top: "inception_4c/output" }\nlayer { top:"loss3/classifier" }\n'
    model = load_model(make(tmp_path / "mine", text=text))
    assert (model.end, model.class_layer) == ("inception_4c/output", "loss3/classifier")


@pytest.mark.parametrize(
    ("files", "weights", "extra"),
    [
        (["a.prototxt", "b.prototxt"], [], []),
        (["deploy.prototxt"], ["a.caffemodel", "b.caffemodel"], []),
        (["deploy.prototxt"], [], ["a.binaryproto", "b.binaryproto"]),
    ],
)
def test_two_candidates_are_listed(tmp_path, files, weights, extra):
    folder = make(tmp_path / "mine", weights=weights + extra, files=files)
    with pytest.raises(DreamError, match=r"which one is meant\? a\.\w+, b\.\w+\."):
        load_model(folder)


def test_folder_without_network_is_no_model(tmp_path):
    with pytest.raises(DreamError, match=r"mine is no model: .*deploy\.prototxt"):
        load_model(make(tmp_path / "mine", files=["solver.prototxt"]))


@pytest.mark.parametrize("shape", [(3,), (3, 4, 5), (1, 3, 4, 5)])
def test_mean_npy_is_averaged_over_the_picture(tmp_path, shape):
    folder = make(tmp_path / "mine")
    mean = np.random.default_rng(0).uniform(90, 130, shape).astype(np.float32)
    np.save(folder / "mean.npy", mean)
    expected = mean.reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose(load_model(folder).mean, expected, rtol=1e-6)


@pytest.mark.parametrize("new", [False, True], ids=["num-channels-height-width", "shape"])
@pytest.mark.parametrize("field", ["data", "double_data"])
def test_binaryproto_is_averaged_over_the_picture(tmp_path, new, field):
    from dreamlib.pycaffe.proto import caffe_pb2

    folder = make(tmp_path / "mine")
    mean = np.random.default_rng(0).uniform(90, 130, (1, 3, 4, 5)).astype(np.float32)
    blob = caffe_pb2.BlobProto()
    if new:
        blob.shape.dim.extend(mean.shape)
    else:
        blob.num, blob.channels, blob.height, blob.width = mean.shape
    getattr(blob, field).extend(mean.ravel().tolist())
    (folder / "imagenet_mean.binaryproto").write_bytes(blob.SerializeToString())
    expected = mean[0].mean(axis=(1, 2))
    np.testing.assert_allclose(load_model(folder).mean, expected, rtol=1e-6)


def test_mean_npy_goes_before_a_binaryproto(tmp_path):
    folder = make(tmp_path / "mine", weights=["mean.binaryproto"])
    np.save(folder / "mean.npy", np.float32([1, 2, 3]))
    assert load_model(folder).mean == (1, 2, 3)


def test_mean_of_another_shape_is_refused(tmp_path):
    folder = make(tmp_path / "mine")
    np.save(folder / "mean.npy", np.zeros((1, 4, 5)))
    with pytest.raises(DreamError, match=r"mean\.npy: expected .*it has \(1, 4, 5\)"):
        load_model(folder)


@pytest.mark.parametrize("name", ["mean.npy", "mean.binaryproto"])
def test_damaged_mean_is_named(tmp_path, name):
    folder = make(tmp_path / "mine")
    (folder / name).write_bytes(b"\x0f\xffno mean at all")
    with pytest.raises(DreamError, match=name):
        load_model(folder)
