"""Caffe's classify.py: ``python -m dreamlib.pycaffe.classify picture.jpg scores.npy``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.pycaffe import io, programs
from dreamlib.pycaffe.classifier import Classifier


def main(arguments):
    """Classify a picture, all of a folder, or an array of pictures, and write the scores.

    Parameters
    ----------
    arguments : list of str

    Raises
    ------
    DreamError
        A file is missing, or not what it should be.
    """
    parser = argparse.ArgumentParser(prog="classify", description=__doc__)
    add = parser.add_argument
    add("input_file", help="picture, folder of pictures, or array of them (.npy)")
    add("output_file", help="scores, pictures x classes, an array of numpy's (.npy)")
    programs.add_net_flags(parser)
    add(
        "--center_only",
        action="store_true",
        help="score the centre alone, not the average of ten crops",
    )
    add(
        "--images_dim",
        type=programs.whole_numbers,
        default=(256, 256),
        help="height,width that pictures are brought to before they are cropped (256,256)",
    )
    add("--ext", default="jpg", help="ending of the pictures of a folder (jpg)")
    given = parser.parse_args(arguments)

    inputs = _inputs(given.input_file, given.ext)
    classifier = Classifier(
        str(given.model_def),
        str(given.pretrained_model),
        image_dims=given.images_dim,
        **programs.net_options(given),
    )
    print(f"Classifying {len(inputs)} inputs.")
    start = time.time()
    scores = classifier.predict(inputs, not given.center_only)
    print(f"Done in {time.time() - start:.2f} s.")
    output = given.output_file + ".npy" * (not given.output_file.endswith(".npy"))
    print(f"Saving results into {output}")
    programs.write(output, lambda path: np.save(path, scores))


def _inputs(name, ending):
    path = Path(name).expanduser()
    print(f"Loading {'folder' if path.is_dir() else 'file'}: {path}")
    if path.is_dir():
        names = sorted(path.glob(f"*.{ending}"))
        if not names:
            raise DreamError(f"{path} holds no *.{ending}; --ext names another ending")
        for number, each in enumerate(names):
            print(f"  {number}: {each.name}")
        return [io.load_image(str(each)) for each in names]
    return programs.load_array(path) if path.suffix == ".npy" else [io.load_image(str(path))]


if __name__ == "__main__":
    programs.run(main, "classify")
