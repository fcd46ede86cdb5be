"""The notebook's default dream by trained GoogLeNet: real Caffe beside ours, pictures and seconds.

    python benchmarks/default_dream.py [--picture sky.jpg] [--size 1024x575] [--weights FILE]

The notebook's own code on real Caffe, in the Debian 11 root that scripts/real_caffe_root.sh builds,
and `dreamlib.dream` on PyTorch; the same seed. Prints how far the pictures are apart after 1, 10
and 40 steps, in mean grey levels; and, to compare, how far real Caffe's own goes when its picture
is moved by a hundredth of a grey level. Saves both dreams, and a picture of the two side by side,
in out/default_dream.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
OUT = PROJECT / "out" / "default_dream"
AFTER = (1, 10, 40)  # steps; 40 are the whole dream


def dreamt(engine, dreaming, picture, folder=Path()):
    """Dream a picture; return it after each of `AFTER` steps, uint8, and the seconds.

    Parameters
    ----------
    engine : module
        ``caffe`` or `dreamlib.pycaffe`.
    dreaming : module
        With the notebook's ``deepdream`` and ``make_step``.
    picture : (H, W, 3) ndarray
    folder : Path
        Of the network's files.
    """
    net = engine.Classifier(
        str(folder / "deploy.prototxt"), str(folder / "googlenet.caffemodel"),
        mean=np.float32([104, 116, 122]), channel_swap=(2, 1, 0),
    )  # fmt: skip
    taken, step = [], dreaming.make_step

    def watched(net, **parameters):
        step(net, **parameters)
        taken.append(None)
        if len(taken) in AFTER:
            taken[-1] = dreaming.deprocess(net, net.blobs["data"].data[0].copy())

    dreaming.make_step = watched
    try:
        np.random.seed(0)
        begin = time.perf_counter()
        dreaming.deepdream(net, picture)
        seconds = time.perf_counter() - begin
    finally:
        dreaming.make_step = step
    return [np.uint8(np.clip(np.rint(taken[n - 1]), 0, 255)) for n in AFTER], seconds


def worker(name):
    """Dream on real Caffe, twice: the picture, and the picture moved a little. Runs in the root."""
    from tests import notebook

    picture = np.float32(np.load("picture.npy"))
    moved = picture + np.float32(np.random.RandomState(1).uniform(-0.01, 0.01, picture.shape))
    engine = importlib.import_module(name)
    pictures, seconds = dreamt(engine, notebook, picture)
    again, _ = dreamt(engine, notebook, moved)
    np.savez("caffe.npz", seconds=seconds, **{f"picture{i}": one for i, one in enumerate(pictures)},
             **{f"moved{i}": one for i, one in enumerate(again)})  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", help="by default a generated sky")
    parser.add_argument("--size", default="1024x575", metavar="WIDTHxHEIGHT")
    parser.add_argument("--weights", help="by default those that were fetched")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    sys.path.insert(0, str(PROJECT))
    from PIL import Image

    from dreamlib import dream, pycaffe
    from dreamlib.imaging.samples import clouds
    from dreamlib.models.zoo import find_model
    from tests.real_caffe import root

    width, height = map(int, options.size.split("x"))
    picture = clouds(width, height)
    if options.picture:
        with Image.open(options.picture) as image:
            picture = np.asarray(image.convert("RGB").resize((width, height)))
    model = find_model("bvlc_googlenet")
    weights = Path(options.weights or model.weights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = "force_backward: true\n" + model.prototxt.read_text()
        (folder / "deploy.prototxt").write_text(text)
        (folder / "googlenet.caffemodel").write_bytes(weights.read_bytes())
        np.save(folder / "picture.npy", picture)
        root.run(["{project}/benchmarks/default_dream.py", "--worker", "caffe"], folder, 3000)
        with np.load(folder / "caffe.npz") as stored:
            caffes = dict(stored)
        ours, seconds = dreamt(pycaffe, dream, picture, folder)
    OUT.mkdir(parents=True, exist_ok=True)
    whole = [caffes[f"picture{len(AFTER) - 1}"], ours[-1]]
    for name, one in zip(("caffe", "ours", "side_by_side"), (*whole, np.hstack(whole))):
        Image.fromarray(one).save(OUT / f"{name}.png")
    print(f"default dream of {width} x {height}: real Caffe {float(caffes['seconds']):.1f} s, "
          f"ours {seconds:.1f} s\n")  # fmt: skip
    print("| mean grey levels apart after | ours and Caffe's | Caffe's and Caffe's of a picture "
          "moved by 0.01 |\n| --- | ---: | ---: |")  # fmt: skip
    for index, steps in enumerate(AFTER):
        one, moved = (np.float32(caffes[f"{kind}{index}"]) for kind in ("picture", "moved"))
        print(f"| {steps} steps | {np.abs(ours[index] - one).mean():.2f} | "
              f"{np.abs(moved - one).mean():.2f} |")  # fmt: skip
    print(f"\npictures: {OUT}")


if __name__ == "__main__":
    main()
