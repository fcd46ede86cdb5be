"""A trial of real Caffe on a GPU, in a process of its own.

Caffe ends its process on any error, and pycaffe has no way to ask beforehand: `set_device` of a
Caffe built for the CPU alone ends it, and so does the first kernel of one built for other GPUs.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import tempfile

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.util import subprocesses as processes

#: A convolution of ones with ones: a kernel of Caffe's own, and cuBLAS or cuDNN where it has them.
NET = """
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "sum" type: "Convolution" bottom: "data" top: "sum"
        convolution_param { num_output: 4 kernel_size: 3
                            weight_filler { type: "constant" value: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "sum" top: "sum" }
"""
SUM = 27  # of 3 x 3 x 3 ones

#: Caffe's words in glog's line of a fatal error, and their meaning here.
TROUBLES = (
    (
        "CPU-only Caffe",
        "the Caffe that is installed here was built for the CPU alone (Debian's python3-caffe is); "
        "leave --gpu out, use a Caffe with CUDA, or --engine torch",
    ),
    (
        "invalid device ordinal",
        "there is no GPU {gpu} for Caffe; CUDA counts devices from 0, nvidia-smi lists them; name "
        "another with --gpu or --devices",
    ),
    (
        "no CUDA-capable device",
        "Caffe sees no GPU; see whether nvidia-smi lists one, and whether a container was started "
        "with --gpus all; or leave --gpu out",
    ),
    (
        "driver version is insufficient",
        "the NVIDIA driver here is missing or older than this Caffe's CUDA; see whether nvidia-smi "
        "works, and whether a container was started with --gpus all; or leave --gpu out",
    ),
    (
        "no kernel image is available",
        "this Caffe was not built for GPU {gpu}: its CUDA is older than that GPU, or has dropped "
        "it; use --engine torch, or leave --gpu out",
    ),
)


@functools.cache
def require_gpu(gpu):
    """Refuse a CUDA device that real Caffe cannot compute on.

    A process of its own runs a small net there: a second or two, once for each device.

    Parameters
    ----------
    gpu : int

    Raises
    ------
    DreamError
        This Caffe has no CUDA, there is no such device, or it computes nothing or nonsense.
    """
    trial = subprocess.run(
        [sys.executable, "-m", "dreamlib.models.caffe_gpu", str(gpu)],
        env=processes.environment(GLOG_minloglevel="2", GLOG_logtostderr="1"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, errors="replace", check=False,
    )  # fmt: skip
    if trial.returncode:
        raise DreamError(_meaning(trial.stderr, trial.returncode, gpu))


def _meaning(said, status, gpu):
    """Explain a trial's stderr."""
    for sign, meaning in TROUBLES:
        if sign in said:
            return meaning.format(gpu=gpu)
    fatal = re.search(r"^F\d{4,8} .*?\] (.*)", said, re.MULTILINE)
    lines = said.strip().splitlines() or [f"ended with status {status}"]
    last = fatal.group(1) if fatal else lines[-1]
    return (
        f"Caffe cannot compute on GPU {gpu}: {last.strip()}; use --engine torch, or leave --gpu out"
    )


def compute(caffe):
    """Run the small net.

    Parameters
    ----------
    caffe : module

    Returns
    -------
    str or None
        The fault of a wrong answer.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(NET)
        file.flush()
        net = caffe.Net(file.name, caffe.TEST)
    net.blobs["data"].data[...] = 1
    net.forward()
    answer = net.blobs["sum"].data
    if np.array_equal(answer, np.full((1, 4, 6, 6), SUM, np.float32)):
        return None
    return f"a convolution that must give {SUM} gave {answer.min()} to {answer.max()}"


def main():
    """Try the device that the command line names."""
    import caffe

    caffe.set_device(int(sys.argv[1]))
    caffe.set_mode_gpu()
    sys.exit(compute(caffe))


if __name__ == "__main__":
    main()
