"""Weights fetched from a web server on this machine, in every form they are published in."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from dreamlib import pycaffe
from dreamlib.errors import DreamError
from dreamlib.models import fetch as fetching
from dreamlib.models.definition import definition_of
from dreamlib.models.engines import load_layers
from dreamlib.models.fetch import fetch_weights
from dreamlib.models.model import REPOSITORY, load_model
from dreamlib.models.weights import (
    layer_shapes,
    read_caffemodel,
    values_sha256,
    write_caffemodel,
)
from dreamlib.util import download as downloading
from tests.nets import write_random_net
from tests.real_weights import real_model
from tests.webserver import serving


def sha1(content):
    return hashlib.sha1(content).hexdigest()


def archive(content, name="small/random.caffemodel"):
    """A .tar.gz with a prototxt and weights."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, data in (("small/deploy.protxt", b"layer {}"), (name, content)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def state_dict(layers):
    packed = io.BytesIO()
    state = {
        f"{name.replace('/', '_')}.{kind}": torch.from_numpy(array)
        for name, arrays in layers.items()
        for kind, array in zip(("weight", "bias"), arrays)
    }
    torch.save(state, packed)
    return packed.getvalue()


def arrays(layers, path="/arrays/"):
    files = {}
    for name, blobs in layers.items():
        for kind, array in zip(("filter", "bias"), blobs):
            last = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
            files[f"{path}{name}_{kind}.bin"] = np.ascontiguousarray(last, "<f4").tobytes()
    return files


class Published:
    """A small network's weights, in all forms."""

    def __init__(self, folder):
        write_random_net(folder)
        self.model = load_model(folder)
        self.content = self.model.weights.read_bytes()
        self.layers = read_caffemodel(self.model, pycaffe)
        self.shapes = layer_shapes(load_layers(self.model))
        self.values = values_sha256(self.layers, self.shapes)
        packed, state = archive(self.content), state_dict(self.layers)
        self.files = {
            **dict.fromkeys(["/good", "/plain", "/cut", "/hang"], self.content),
            **dict.fromkeys(["/good.tar.gz", "/cut.tar.gz"], packed),
            **dict.fromkeys(["/good.pth", "/cut.pth"], state),
            **arrays(self.layers),
        }

    def changed(self, change):
        """A caffemodel of layers with a change."""
        layers = {name: [blob.copy() for blob in blobs] for name, blobs in self.layers.items()}
        change(layers)
        path = self.model.folder / "changed"
        write_caffemodel(path, layers, definition_of(self.model, pycaffe))
        return path.read_bytes()


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return Published(tmp_path_factory.mktemp("published"))


@pytest.fixture
def server(published):
    with serving(published.files) as server:
        yield server


@pytest.fixture
def fetch(published, server, tmp_path):
    """Fetch the small model from paths of the server; `said` is what was told."""
    weights = tmp_path / "weights" / "random.caffemodel"

    def run(*paths, asked=None, **known):
        known.setdefault("values_sha256", published.values)
        addresses = [path if "://" in path else server.address + path for path in paths]
        run.model = dataclasses.replace(
            published.model, weights=weights, source=addresses[0], mirrors=tuple(addresses[1:]),
            **known,
        )  # fmt: skip
        run.said.clear()
        fetch_weights(run.model, checksum=asked, say=run.said.append)
        return "\n".join(run.said)

    run.said, run.weights = [], weights
    return run


def values(path, published):
    model = dataclasses.replace(published.model, weights=path)
    return values_sha256(read_caffemodel(model, pycaffe), published.shapes)


MEMORY = "random.caffemodel.values_sha256"


def left(fetch):
    """The files that lie there."""
    return sorted(path.name for path in fetch.weights.parent.iterdir())


# Forms and verdicts


def test_the_published_file_is_moved_into_place_as_it_is(fetch, published):
    said = fetch("/good", sha1=sha1(published.content))
    assert "the published file, by its checksum" in said
    assert fetch.weights.read_bytes() == published.content
    assert left(fetch) == ["random.caffemodel"]


@pytest.mark.parametrize("path", ["/good", "/good.tar.gz", "/good.pth", "/arrays/"])
def test_every_form_gives_the_published_values(fetch, published, path):
    said = fetch(path)
    assert "values are the published ones, by their SHA-256" in said
    assert values(fetch.weights, published) == published.values
    assert left(fetch) == ["random.caffemodel"]


@pytest.mark.parametrize("path", ["/good.pth?download=true", "/good.tar.gz?x=1"])
def test_the_form_is_that_of_the_path_not_of_what_is_asked_behind_it(fetch, server, path):
    server.files[path] = server.files[path.partition("?")[0]]
    assert "values are the published ones" in fetch(path)


def test_a_link_stays_and_what_it_points_to_is_replaced(fetch, published, tmp_path):
    fetch.weights.parent.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"")
    fetch.weights.symlink_to(tmp_path / "elsewhere")
    fetch("/good")
    assert fetch.weights.is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == published.content


def test_a_folder_in_the_place_of_the_file_is_said(fetch):
    fetch.weights.mkdir(parents=True)
    with pytest.raises(DreamError):
        fetch("/good")
    assert "random.caffemodel cannot be written: Is a directory" in fetch.said[-1]


def test_an_archive_is_known_by_its_own_checksum(fetch, server):
    said = fetch("/good.tar.gz", sha1=sha1(server.files["/good.tar.gz"]), values_sha256="")
    assert "the published file, by its checksum" in said


def test_the_hash_in_a_name_of_torch_hub_is_the_files(fetch, server):
    content = server.files["/good.pth"]
    right = hashlib.sha256(content).hexdigest()[:16]
    server.files[f"/net-{right}.pth"] = server.files["/net-0123456789abcdef.pth"] = content
    with pytest.raises(DreamError):
        fetch("/net-0123456789abcdef.pth", values_sha256="")
    assert "another file, its checksum is " in fetch.said[-1]
    assert "by its checksum" in fetch(f"/net-{right}.pth", values_sha256="")


def test_without_any_checksum_every_layer_is_asked_for(fetch):
    assert "no checksum is published" in fetch("/good", values_sha256="")


def test_the_sha256_of_a_file_goes_before_its_sha1(fetch, published):
    right = hashlib.sha256(published.content).hexdigest()
    assert "by its checksum" in fetch("/good", sha1="0" * 40, sha256=right, values_sha256="")


def test_a_file_of_another_sha256_is_refused_and_leaves_nothing(fetch):
    with pytest.raises(DreamError):
        fetch("/good", sha256="0" * 64, values_sha256="")
    assert "another file, its checksum is " in fetch.said[-1]
    assert f"expected {'0' * 64}" in fetch.said[-1]
    assert left(fetch) == []


def test_the_first_downloads_values_are_kept_and_later_ones_must_be_the_same(
    fetch, published, server
):
    said = fetch("/good", values_sha256="")
    assert f"{MEMORY}: {published.values}, of its values; those of later" in said
    fetch.weights.unlink()
    server.files["/other"] = published.changed(another_value)
    with pytest.raises(DreamError):
        fetch("/other", values_sha256="")
    assert "the values are others than those fetched before" in fetch.said[-1]
    assert f"expected {published.values}" in fetch.said[-1]
    assert left(fetch) == [MEMORY]
    assert "values are those fetched before" in fetch("/good.pth", values_sha256="")


def test_weights_taken_by_a_checksum_of_ones_own_are_those_expected_later(fetch, published, server):
    fetch("/good", values_sha256="")
    server.files["/other"] = published.changed(another_value)
    asked = hashlib.sha256(server.files["/other"]).hexdigest()
    fetch("/other", values_sha256="", asked=asked)
    assert "is there already: all 4,614 values are those fetched" in fetch("/x", values_sha256="")


def test_a_memory_that_is_no_checksum_is_refused(fetch):
    fetch.weights.parent.mkdir()
    (fetch.weights.parent / MEMORY).write_text("abc\n")
    with pytest.raises(DreamError, match="holds 'abc'; expected a SHA-256"):
        fetch("/good", values_sha256="")


def test_a_file_without_the_training_layers_is_right_by_its_values(fetch, published):
    assert "values are the published ones" in fetch("/good", sha1="0" * 40)


def test_other_weights_of_the_network_are_taken_by_a_checksum_of_ones_own(fetch, published, server):
    server.files["/other"] = published.changed(lambda layers: layers["conv1"][0].fill(1))
    assert "by its checksum" in fetch("/other", asked=sha1(server.files["/other"]).upper())
    with pytest.raises(DreamError):
        fetch("/good", asked=sha1(server.files["/good.pth"]))
    assert "another file, its checksum is " in fetch.said[-1]


# Mirrors


def test_a_mirror_is_taken_where_the_published_address_fails_and_both_are_said(fetch, server):
    said = fetch("/gone", "/good.pth")
    assert f"{server.address}/gone: the server answers 404" in said
    assert said.splitlines()[-2] == f"fetching {server.address}/good.pth"


def test_the_reasons_of_all_addresses_are_said(fetch):
    with pytest.raises(DreamError, match=r"could not be fetched from any of 3 .*DREAM_MOD"):
        fetch("/gone", "/gone.pth", "/gone/")
    assert "\n".join(fetch.said).count("the server answers 404") == 3
    assert left(fetch) == []


def test_the_published_address_is_asked_first(fetch, server):
    fetch("/good", "/good.pth")
    assert [path for path, _ in server.asked] == ["/good"]


# Cuts


def test_a_download_that_is_cut_is_resumed_at_once(fetch, server, monkeypatch):
    fetch("/cut")
    half = len(server.files["/cut"]) // 2
    assert server.asked == [("/cut", None), ("/cut", f"bytes={half}-")]


@pytest.mark.parametrize("path", ["/hang", "/hang.pth"])
def test_a_server_that_falls_silent_is_left_for_the_next_run(fetch, server, monkeypatch, path):
    monkeypatch.setattr(downloading, "TIMEOUT", 0.2)
    monkeypatch.setattr(fetching, "RESUMED", 0)
    server.files["/hang.pth"] = server.files["/good.pth"]
    with pytest.raises(DreamError, match="Run this again to resume"):
        fetch(path)
    assert "no answer for 0.2 s; what has come is kept" in fetch.said[-1]
    (part,) = left(fetch)
    assert (fetch.weights.parent / part).stat().st_size == len(server.files[path]) // 2
    fetch(path)  # a range of it is served to the end
    assert left(fetch) == ["random.caffemodel"]


def test_arrays_that_have_come_are_not_fetched_again(fetch, server):
    lost = server.files.pop("/arrays/mixed/3x3_bias.bin")
    with pytest.raises(DreamError):
        fetch("/arrays/")
    server.files["/arrays/mixed/3x3_bias.bin"] = lost
    asked = len(server.asked)
    fetch("/arrays/")
    assert len(server.asked) - asked == 3  # that file and the classifier's two


# What is not the weights


def another_value(layers):
    layers["conv1"][0][0, 0, 0, 0] += 1


def not_a_number(layers):
    layers["conv1"][0][0, 0, 0, 0] = np.nan


def layer_missing(layers):
    del layers["mixed/3x3"]


def layer_too_many(layers):
    layers["relu1"] = [np.zeros(3, np.float32)]


def another_shape(layers):
    layers["classifier"][0] = layers["classifier"][0][:9]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (another_value, "the values are others than the published ones"),
        (not_a_number, "layer 'conv1' holds 1 values that are NaN"),
        (layer_missing, "the first is 'mixed/3x3'"),
        (another_shape, "layer 'classifier' has parameters of shapes 9 x 36, 10"),
    ],
)
@pytest.mark.parametrize("form", ["caffemodel", "archive"])
def test_other_weights_are_refused_and_the_good_file_stays(
    fetch, published, server, change, says, form
):
    fetch.weights.parent.mkdir()
    fetch.weights.write_bytes(published.content[:-1])  # wrong, and better than nothing
    content = published.changed(change)
    path = "/bad.tar.gz" if form == "archive" else "/bad"
    server.files[path] = archive(content) if form == "archive" else content
    with pytest.raises(DreamError):
        fetch(path)
    assert f"{server.address}{path}: " in fetch.said[-1]
    assert says in fetch.said[-1]
    assert fetch.weights.read_bytes() == published.content[:-1]
    assert left(fetch) == ["random.caffemodel"]


def test_a_layer_too_many_is_refused_where_nothing_else_is_known(fetch, published, server):
    server.files["/bad"] = published.changed(layer_too_many)
    with pytest.raises(DreamError):
        fetch("/bad", values_sha256="")
    assert "'relu1' is not one of the network's" in fetch.said[-1]


@pytest.mark.parametrize("path", ["/page", "/page.pth", "/page.tar.gz"])
def test_a_web_page_is_refused(fetch, server, path):
    server.files[path] = b"\n<!DOCTYPE html><html>Sign in</html>"
    with pytest.raises(DreamError):
        fetch(path)
    assert fetch.said[-1].endswith(f"{path}: a web page, not the weights")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/short", "truncated, or not a caffemodel"),
        ("/short.pth", "truncated, or no PyTorch state dict"),
        ("/short.tar.gz", "cannot be unpacked"),
    ],
)
def test_a_file_that_is_cut_on_the_server_is_refused(fetch, server, path, says):
    content = server.files[path.replace("short", "good")]
    server.files[path] = content[:-100]
    with pytest.raises(DreamError):
        fetch(path)
    assert says in fetch.said[-1]
    assert left(fetch) == []


def test_an_array_with_a_value_too_few_is_refused(fetch, server):
    server.files["/arrays/conv1_bias.bin"] = b"\0" * 60
    with pytest.raises(DreamError):
        fetch("/arrays/")
    assert "layer 'conv1' has 60 bytes here; expected 64" in fetch.said[-1]


def test_an_archive_without_the_weights_is_refused(fetch, server, published):
    server.files["/other.tar.gz"] = archive(published.content, "small/other.caffemodel")
    with pytest.raises(DreamError):
        fetch("/other.tar.gz")
    assert "there is no random.caffemodel in the archive" in fetch.said[-1]


# What is there already


def test_a_right_file_is_not_fetched_again(fetch, server):
    fetch("/good")
    server.asked.clear()
    assert "is there already: all 4,614 values" in fetch("/good")
    assert server.asked == []


def test_a_wrong_file_is_replaced(fetch, published):
    fetch.weights.parent.mkdir()
    fetch.weights.write_bytes(published.changed(another_value))
    assert "it is kept until the right one is there" in fetch("/good")
    assert fetch.weights.read_bytes() == published.content


def test_a_folder_that_cannot_be_made_is_named(fetch, tmp_path):
    (tmp_path / "weights").write_text("")
    with pytest.raises(DreamError, match=rf"{tmp_path}/weights cannot be made"):
        fetch("/good")


# The command


def run(*arguments, script="fetch_model.sh", **variables):
    return subprocess.run(
        [str(REPOSITORY / "scripts" / script), *arguments],
        env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_an_unknown_name_lists_the_models_that_can_be_fetched():
    done = run("bvlc_googlnet")
    assert done.returncode == 2
    assert "did you mean 'bvlc_googlenet'" in done.stderr
    assert "there are: bvlc_googlenet, bvlc_reference_caffenet, " in done.stderr


def test_help_says_the_variables_and_every_model_that_can_be_fetched():
    done = run("--help", script="fetch_bvlc_googlenet.sh")
    tomls = sorted(REPOSITORY.glob("models/*/model.toml"))
    names = [path.parent.name for path in tomls if 'fetch = "scripts/fetch_' in path.read_text()]
    assert done.stdout.splitlines()[-1] == f"NAME is one of: {' '.join(names)}"
    assert "DREAM_MODEL_URL" in done.stdout
    assert "DREAM_MODEL_SHA1" in done.stdout


def test_the_command_refuses_a_web_page_for_googlenet(tmp_path):
    with serving({"/it": b"<html>"}) as server:
        done = run(str(tmp_path), script="fetch_bvlc_googlenet.sh",
                   DREAM_MODEL_URL=server.address + "/it")  # fmt: skip
    assert done.returncode == 2
    assert "a web page, not the weights" in done.stdout
    assert "fetch_model: the weights of bvlc_googlenet could not be fetched" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_malformed_checksum_is_refused(tmp_path):
    done = run("bvlc_googlenet", str(tmp_path), DREAM_MODEL_SHA1="abc")
    assert done.returncode == 2
    assert "DREAM_MODEL_SHA1: 'abc' is no SHA-1" in done.stderr
    done = run("bvlc_googlenet", str(tmp_path), DREAM_MODEL_SHA256="abc")
    assert done.returncode == 2
    assert "DREAM_MODEL_SHA256: 'abc' is no SHA-256; expected 64 digits" in done.stderr


def test_every_address_of_a_model_that_can_be_fetched_is_of_the_web():
    for toml in REPOSITORY.glob("models/*/model.toml"):
        model = load_model(Path(toml).parent)
        for address in (model.source, *model.mirrors):
            # Without TLS, a published checksum alone tells who answered.
            known = ("http://", "https://") if model.sha1 or model.values_sha256 else "https://"
            assert address.startswith(known), (model.name, address)


# GoogLeNet itself, as its mirrors have it


@pytest.fixture(scope="module")
def googlenet():
    model = real_model("bvlc_googlenet")
    return model, read_caffemodel(model, pycaffe)


def crowsonkb(name):
    """A layer's name in the conversion of crowsonkb/pytorch-caffe-models."""
    short = {"conv1/7x7_s2": "conv1", "conv2/3x3_reduce": "conv2_reduce", "conv2/3x3": "conv2"}
    block, _, part = name.partition("/")
    if block.startswith("inception"):
        return f"{block}.{'' if part == 'pool_proj' else 'conv_'}{part}"
    return short.get(name, name.replace("/", "_"))


@pytest.mark.parametrize("form", ["caffemodel", "state dict", "state dict of torch.hub", "arrays"])
def test_googlenet_is_had_from_every_mirrors_form(googlenet, tmp_path, form):
    model, layers = googlenet
    path, files = {
        "caffemodel": lambda: ("/it.caffemodel", {"/it.caffemodel": model.weights.read_bytes()}),
        "state dict": lambda: ("/it.pth", {"/it.pth": state_dict(layers)}),
        "state dict of torch.hub": lambda: _hashed(
            state_dict({crowsonkb(name): blobs for name, blobs in layers.items()})
        ),
        "arrays": lambda: ("/arrays/", arrays(layers)),
    }[form]()
    said = []
    with serving(files) as server:
        here = dataclasses.replace(
            model, weights=tmp_path / "it.caffemodel", mirrors=(server.address + path,),
            source=server.address + "/gone",
        )  # fmt: skip
        fetch_weights(here, say=said.append)
    if form == "state dict of torch.hub":
        assert said[-1].endswith("the published file, by its checksum")
    else:
        assert said[-1].endswith("all 6,998,552 values are the published ones, by their SHA-256")
    shapes = layer_shapes(load_layers(model))
    assert values_sha256(read_caffemodel(here, pycaffe), shapes) == model.values_sha256


def _hashed(content):
    path = f"/googlenet-{hashlib.sha256(content).hexdigest()[:16]}.pth"
    return path, {path: content}


@pytest.mark.parametrize("name", ["bvlc_googlenet", "squeezenet_v1.1"])
def test_the_recorded_hash_is_that_of_the_trained_values(name):
    model = real_model(name)
    layers = read_caffemodel(model, pycaffe)
    assert values_sha256(layers, layer_shapes(load_layers(model))) == model.values_sha256
