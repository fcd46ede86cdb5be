"""What the programs beside pycaffe share: flags of 2014, their values, and how errors end."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from dreamlib.errors import CaffeError, DreamError, paragraph
from dreamlib.pycaffe.device import set_mode_cpu, set_mode_gpu
from dreamlib.util.atomic_write import replacing
from dreamlib.util.input_file import check_file

#: Where Caffe's own programs look for a net: in models/, beside the package.
CAFFENET = Path(__file__).resolve().parents[2] / "models" / "bvlc_reference_caffenet"

#: Mean of ILSVRC 2012's training pictures, grey levels, BGR.
ILSVRC_MEAN = (104.00699, 116.66877, 122.67892)


def add_net_flags(parser):
    """Add the flags that name a net and say how it wants its pictures.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    add = parser.add_argument
    add("--model_def", default=CAFFENET / "deploy.prototxt", help="model definition file")
    weights = CAFFENET / "bvlc_reference_caffenet.caffemodel"
    add("--pretrained_model", default=weights, help="trained model weights file")
    add("--gpu", action="store_true", help="compute on the GPU")
    add(
        "--mean_file",
        help="mean picture of the data set, channels x height x width, an array of numpy's (.npy); "
        "'' for none. By default the mean colour of ILSVRC 2012",
    )
    add("--input_scale", type=float, help="multiply what preprocessing ends in by this")
    add(
        "--raw_scale",
        type=float,
        default=255.0,
        help="multiply pictures, 0..1, by this before preprocessing (255)",
    )
    add(
        "--channel_swap",
        type=whole_numbers,
        default=(2, 1, 0),
        help="order of the input's channels (2,1,0: RGB to BGR); '' for the picture's",
    )


def whole_numbers(text):
    """Read ``2,1,0`` as a tuple of int; nothing as None."""
    try:
        return tuple(int(word) for word in text.split(",")) if text else None
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of whole numbers, such as 2,1,0"
        ) from None


def net_options(arguments):
    """Return the keywords of `Classifier` and `Detector` that flags gave, and choose CPU or GPU.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    dict
    """
    if arguments.gpu:
        set_mode_gpu()
    else:
        set_mode_cpu()
    print("GPU mode" if arguments.gpu else "CPU mode")
    mean = None
    if arguments.mean_file is None:
        mean = np.float32(ILSVRC_MEAN)
    elif arguments.mean_file:
        mean = load_array(arguments.mean_file)
    return {
        "mean": mean,
        "input_scale": arguments.input_scale,
        "raw_scale": arguments.raw_scale,
        "channel_swap": arguments.channel_swap,
    }


def load_array(path):
    """Read an array of numpy's.

    Parameters
    ----------
    path : str

    Returns
    -------
    ndarray

    Raises
    ------
    DreamError
        No such file, or none of numpy's.
    """
    check_file(path)
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DreamError(f"{path} is no array of numpy's (.npy): {error}") from error


def write(path, save):
    """Write a file whole or not at all.

    Parameters
    ----------
    path : str
    save : callable
        Writes into the path that it is given.

    Raises
    ------
    CaffeError
        It cannot be written.
    """
    try:
        with replacing(path, Path(path).suffix) as temporary:
            save(temporary)
    except OSError as error:
        raise CaffeError(f"{path}: cannot be written: {error.strerror or error}") from error


def run(main, name):
    """Run a program and end Python: with 2 and a sentence where the user can mend what is wrong.

    Parameters
    ----------
    main : callable
        Of the list of arguments.
    name : str
        Of the program, before errors.
    """
    try:
        main(sys.argv[1:])
    except DreamError as error:
        print(f"{name}: {paragraph(str(error))}", file=sys.stderr)
        sys.exit(2)
