"""Hostile models: networks, weights, means and labels that are damaged, or made to do harm."""

import random
import re
import shutil
from pathlib import Path

import numpy as np

from dreamlib.pycaffe.proto import caffe_pb2
from tests.faults.pictures import damage, saved, write
from tests.faults.trial import OUTPUT, Case
from tests.nets import INCEPTION

#: What a number becomes.
NUMBERS = (
    "0",
    "-1",
    "4294967295",
    "4294967296",
    "999999999999",
    "1e400",
    "nan",
    "inf",
    "65536",
    "9" * 5000,
    "1000000",
    "0.5",
    "2147483647",
)


def cases(dream, folder, count, seed=0):
    """Make the cases.

    Parameters
    ----------
    dream : list of str
        Flags of a small dream, without a model.
    folder : Path
        Of a whole model.
    count : int
        Damaged copies of each of its files.
    seed : int
    """
    chance = random.Random(seed)
    prototxt, weights = (folder / name for name in ("deploy.prototxt", "random.caffemodel"))
    text, values = prototxt.read_text(), weights.read_bytes()
    files = {}
    for number in range(count):
        files[f"damaged {number}"] = {prototxt.name: damage(text.encode(), chance, number)}
        files[f"tokens {number}"] = {prototxt.name: tokens_changed(text, chance).encode()}
        files[f"weights {number}"] = {weights.name: damage(values, chance, number)}
    files.update({name: {prototxt.name: made.encode()} for name, made in networks(text).items()})
    files.update({name: {weights.name: made} for name, made in weights_of(values).items()})
    files.update(means_and_labels())
    for name, changed in files.items():
        for flags in ([], ["--list-layers"])[: 2 if prototxt.name in changed else 1]:
            yield Case(
                f"model {name}",
                ["sky.png", OUTPUT, "--model", "./m", *flags, *dream],
                lambda changed=changed: _write_model(folder, changed),
            )


def _write_model(folder, changed):
    write("sky.png", saved("png", (48, 56)))
    shutil.copytree(folder, "m")
    for name, content in changed.items():
        write(Path("m", name), content)


def tokens_changed(text, chance):
    """Exchange, drop, double or replace some tokens of a network."""
    tokens = re.findall(r"\s+|\"[^\"]*\"|[\w.+-]+|.", text)
    places = [place for place, token in enumerate(tokens) if token.strip()]
    for _ in range(chance.choice((1, 1, 2, 5))):
        one, other = chance.choice(places), chance.choice(places)
        if chance.random() < 0.5:
            numbers = [place for place in places if tokens[place][:1].isdigit()]
            tokens[chance.choice(numbers or places)] = chance.choice(NUMBERS)
        elif chance.random() < 0.5:
            tokens[one], tokens[other] = tokens[other], tokens[one]
        else:
            tokens[one] = chance.choice(("", tokens[one] + " " + tokens[one], tokens[other]))
    return "".join(tokens)


def networks(text):
    """Networks that are made to do harm, by name."""
    layer = 'layer {{ name: "{0}" type: "{1}" bottom: "{2}" top: "{0}" {3} }}\n'
    head = text[: text.index("layer", text.index('"data"') + 40)]
    deep = "layer { input_param { shape " * 10
    convolution = "convolution_param {{ num_output: {} kernel_size: {} stride: {} }}"
    made = {
        "nested": "layer {" * 100_000,
        "nested closed": "a {" * 50_000 + "}" * 50_000,
        "nested known": deep + "{ dim: 1 } } }" * 10,
        "empty": "",
        "binary": "\0\1\2" * 99,
        "long name": text.replace('"conv1"', '"' + "c" * 300_000 + '"'),
        "odd name": text.replace('"conv1"', '"\\377\\000conv"'),
        "loop": head + layer.format("conv1", "ReLU", "conv1", ""),
        "many": head
        + "".join(
            layer.format(f"r{n}", "ReLU", f"r{n - 1}" if n else "data", "") for n in range(1500)
        ),
        "input": text.replace("dim: 64", "dim: 1000000"),
        "python": head
        + layer.format("conv1", "Python", "data", 'python_param { module: "os" layer: "getcwd" }'),
    }
    for name, values in {
        "outputs": (4294967295, 3, 1),
        "outputs 2": (100_000_000, 1, 1),
        "kernel": (4, 4294967295, 1),
        "kernel 2": (4, 100_000, 1),
        "stride": (4, 3, 4294967295),
        "no stride": (4, 3, 0),
        "no kernel": (4, 0, 1),
        "no outputs": (0, 3, 1),
    }.items():
        made[name] = head + layer.format(
            "conv1", "Convolution", "data", convolution.format(*values)
        )
    return made


def weights_of(values):
    """Weights that are whole and no good, by name."""
    made = {}
    for name, value in {
        "nan": np.nan,
        "inf": np.inf,
        "huge": 3e38,
        "tiny": 1e-45,
        "zero": 0.0,
    }.items():
        net = caffe_pb2.NetParameter.FromString(values)
        layer = next(layer for layer in net.layer if layer.name == "conv1")
        layer.blobs[0].data[5] = value
        made[f"one {name}"] = net.SerializeToString()
        layer.blobs[0].data[:] = [value] * len(layer.blobs[0].data)
        made[f"all {name}"] = net.SerializeToString()
    for name, shape in {
        "negative": [-1, 3, 7, 7],
        "huge": [2**62, 2**62],
        "many": [1] * 999,
    }.items():
        net = caffe_pb2.NetParameter.FromString(values)
        next(one for one in net.layer if one.name == "conv1").blobs[0].shape.dim[:] = shape
        made[f"shape {name}"] = net.SerializeToString()
    return {
        **made,
        "no layers": b"",
        "zeros": bytes(5000),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(99),
    }


def means_and_labels():
    """Other files of a model that are no good: name -> {file: content}."""
    header = b"\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
    npy = {
        "pickle": header.replace(b"<f4", b"|O ") % b"3,",
        "claims": header % b"3,99999999,99999999",
        "negative": header % b"-3,",
        "digits": header % (b"9" * 5000),
        "cut": b"\x93NUM",
        "nested": header % (b"(" * 9000),
        "text": b"104 116 122",
    }
    made = {f"mean.npy {name}": {"mean.npy": content} for name, content in npy.items()}
    for value in ("nan", "inf", "1e39"):
        blob = caffe_pb2.BlobProto(num=1, channels=3, height=1, width=1, data=[1, 2, float(value)])
        made[f"mean {value}"] = {"m.binaryproto": blob.SerializeToString()}
    made["mean shape"] = {
        "m.binaryproto": caffe_pb2.BlobProto(
            num=2**30, channels=2**30, height=2**30, width=4
        ).SerializeToString()
    }
    made["mean text"] = {"m.binaryproto": b"hello"}
    settings = {
        "nan": "mean = [nan, 1, 2]",
        "inf": "mean = [inf, 1, 2]",
        "huge": "mean = [1e300, 1, 2]",
        "scale": "input_scale = inf",
        "scale 2": "input_scale = nan",
        "scale 3": "input_scale = 1e-300",
        "digits": "input_scale = " + "9" * 5000,
        "end": 'end = "' + "e" * 100_000 + '"',
        "prototxt": 'prototxt = "' + "p" * 300 + '"',
        "nul": 'weights = "a\\u0000b"',
        "nested": "dream = " + "[" * 5000,
        "dream": "dream = {octaves = 'nan'}",
        "labels": 'labels = "/dev/zero"',
        "dream code": "[dream]\ndistort = 'python:os:getcwd'",
        "binary": "\0",
        "name": 'end = "\\ud800"',
    }
    for name, text in settings.items():
        made[f"model.toml {name}"] = {"model.toml": text.encode()}
    made["labels binary"] = {"labels.txt": bytes(range(256))}
    return made


assert 'name: "conv1"' in INCEPTION
