"""Trained GoogLeNet on real Caffe, asked or recorded, beside ours.

    python -m tests.real_caffe.trained OUT.npz    # record

The weights are found as `tests.real_weights` says; the notebook's two photographs, which are not in
the repository either, in $DREAMLIB_IMAGES.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib import dream, pycaffe
from dreamlib.imaging.samples import clouds, flowers
from tests.real_caffe import root, trained_answers
from tests.real_weights import real_model

PHOTOGRAPHS = ("sky1024px", "flowers")
SIDE = 224  # of the pictures that are looked at


def pictures():
    """The pictures that are looked at, and the small ones that are dreamt: {name: uint8 or float}.

    "small sky moved" is the small sky with noise of a hundredth of a grey level: how far a dream of
    it goes from that of the small sky says how far any two computations of one dream may.
    """
    found = {f"sky {seed}": clouds(SIDE, SIDE, seed) for seed in range(3)}
    found.update({f"meadow {seed}": flowers(SIDE, SIDE, seed) for seed in range(2)})
    for name in PHOTOGRAPHS:
        path = Path(os.environ.get("DREAMLIB_IMAGES", "")) / f"{name}.jpg"
        if path.is_file():
            with Image.open(path) as image:
                reduced = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            found[name] = np.asarray(reduced)
    small = clouds(96, 72)
    noise = np.random.RandomState(0).uniform(-0.01, 0.01, small.shape)
    found.update({"small sky": small, "small sky moved": small + noise})
    found["small guide"] = flowers(80, 60, seed=1)
    return found


def prepare(folder, weights, looked_at):
    """Fill a folder for `trained_answers`."""
    network = root.PROJECT / "models/bvlc_googlenet/deploy.prototxt"
    (folder / "deploy.prototxt").write_text("force_backward: true\n" + network.read_text())
    shutil.copy(weights, folder / "googlenet.caffemodel")
    np.savez(folder / "pictures.npz", **looked_at)


def caffe_answers(folder):
    """Real Caffe's answers in grey levels; `folder` is prepared.

    For the dreams of the moved sky: their mean distance from those of the sky.
    """
    root.run(["-m", trained_answers.__name__, "caffe"], folder)
    with np.load(folder / "caffe.npz") as stored:
        found = dict(stored)
    for name in [name for name in found if name.startswith("small sky moved")]:
        moved = found.pop(name)
        still = found[name.replace(" moved", "")]
        found[name] = np.abs(moved - still).mean()
    return found


def our_answers(folder):
    """Our answers, without those of the moved sky; `folder` is prepared."""
    with np.load(folder / "pictures.npz") as stored:
        looked_at = {key: np.float32(stored[key]) for key in stored.files}
    del looked_at["small sky moved"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return trained_answers.answers(pycaffe, dream.deepdream, looked_at)


def pairs(found, theirs, what):
    """Two answers for every picture that both were asked about, float64."""
    asked = [name for name in theirs if name.endswith(f": {what}") and name in found]
    return [(np.float64(found[name]), np.float64(theirs[name])) for name in asked]


def assert_same(found, theirs, what):
    """Fail where an answer is further off than a ten-thousandth of the norm."""
    asked = pairs(found, theirs, what)
    assert asked
    for ours, caffes in asked:
        assert np.linalg.norm(ours - caffes) <= 1e-4 * np.linalg.norm(caffes)


def assert_same_gradients(found, theirs, what):
    """Fail where half of the values are not right to a ten-thousandth, or they are far off.

    Not all, because where two values of a maximum are equal but for rounding (one pair in the
    148,178 of a photograph's first pooling), engines let the gradient through another of them, and
    so does real Caffe on another processor: by one such pair a quarter of the gradient moves.
    """
    asked = pairs(found, theirs, what)
    assert asked
    for ours, caffes in asked:
        error = np.abs(ours - caffes)
        assert np.median(error) <= 1e-4 * np.sqrt(np.mean(caffes**2))
        assert np.linalg.norm(error) <= 0.1 * np.linalg.norm(caffes)


def assert_as_near_as_to_itself(found, theirs, cell):
    """Fail where a dream is further from Caffe's than twice what Caffe's own goes.

    That is: when its picture is moved by a hundredth of a grey level.
    """
    dreamt, caffes = (np.clip(one[f"small sky: {cell}"], 0, 255) for one in (found, theirs))
    assert np.abs(dreamt - caffes).mean() <= 2 * theirs[f"small sky moved: {cell}"]
    assert np.abs(dreamt - pictures()["small sky"]).mean() > 3


def record(path):
    """Write real Caffe's answers to a file; pictures in grey levels."""
    looked_at = pictures()
    if not looked_at.keys() >= set(PHOTOGRAPHS):
        sys.exit(f"name the folder of {', '.join(PHOTOGRAPHS)} (.jpg) in DREAMLIB_IMAGES")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), real_model("bvlc_googlenet").weights, looked_at)
        found = caffe_answers(Path(folder))
    for name, values in found.items():
        if name.startswith("small sky:"):
            found[name] = np.uint8(np.clip(np.rint(values), 0, 255))
    np.savez_compressed(path, **found)


if __name__ == "__main__":
    record(sys.argv[1])
