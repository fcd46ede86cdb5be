"""GoogLeNet with random weights: as heavy as the published one, and nothing to download."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import dreamlib  # noqa: E402, F401  which settles how threads wait before PyTorch loads OpenMP

FOLDER = PROJECT / "out" / "random_googlenet"
END = "inception_4c/output"
#: Floating-point operations of a step to `END`, forward and backward, per pixel.
FLOP_PER_PIXEL = 94e3


def write(caffe, folder=FOLDER):
    """Write a model folder, unless it is there already.

    Parameters
    ----------
    caffe : module
        Whose fillers draw the weights; they are not the same in both engines.
    folder : Path

    Returns
    -------
    str, str
        Paths of the prototxt, with ``force_backward``, and of the caffemodel, as Caffe takes them.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    published = PROJECT / "models" / "bvlc_googlenet"
    prototxt = folder / "deploy.prototxt"
    prototxt.write_text((published / "deploy.prototxt").read_text() + "\nforce_backward: true\n")
    weights = folder / f"{caffe.__name__}.caffemodel"
    (folder / "model.toml").write_text(
        f'weights = "{weights.name}"\nmean = [104, 116, 122]\nend = "{END}"\n'
    )
    if not weights.exists():
        caffe.Net(str(prototxt), caffe.TEST).save(str(weights))
    return str(prototxt), str(weights)
