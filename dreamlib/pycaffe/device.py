"""What pycaffe keeps for the whole process: CPU or GPU, the random stream, and freed memory."""

from __future__ import annotations

import ctypes
import functools
import os

import numpy as np
import torch

from dreamlib.errors import CaffeError

_device = torch.device("cpu")
_gpu = 0
_random = np.random.RandomState()
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # <malloc.h>

#: Where this is set in the environment a GPU is asked for PyTorch's own operators, one by one.
PLAIN = "DREAM_PLAIN_GPU"

#: Blocks that may be mapped at a time: glibc's own number. From how many bytes on they are.
MAPPED, SMALL = 65536, 256 << 10


def set_mode_cpu():
    """Run nets on the CPU from now on."""
    global _device
    _device = torch.device("cpu")


def set_mode_gpu():
    """Run nets on the GPU chosen by `set_device` (0 unless told otherwise) from now on.

    Raises
    ------
    CaffeError
        PyTorch sees no such CUDA device.
    """
    global _device
    if not torch.cuda.is_available():
        raise CaffeError(
            "GPU mode was asked for, but PyTorch sees no CUDA device; run without --gpu (a script "
            "says caffe.set_mode_cpu()), or install a CUDA build of PyTorch and the NVIDIA driver"
        )
    _require(_gpu)
    torch.backends.cudnn.allow_tf32 = False  # Caffe convolves with all 24 bits of its floats
    _device = torch.device("cuda", _gpu)


def set_device(gpu_id):
    """Choose the GPU that GPU mode uses.

    Parameters
    ----------
    gpu_id : int
        From 0.
    """
    global _gpu, _device
    if torch.cuda.is_available():
        _require(gpu_id)
    _gpu = int(gpu_id)
    if _device.type == "cuda":
        _device = torch.device("cuda", _gpu)


def _require(gpu_id):
    if not 0 <= gpu_id < torch.cuda.device_count():
        raise CaffeError(
            f"there is no GPU {gpu_id}: PyTorch sees {torch.cuda.device_count()} CUDA device(s), "
            "counted from 0"
        )


def current_device():
    """Return the torch device that the next pass of any net runs on."""
    return _device


def plain_gpu():
    """Tell whether a GPU is to be asked for PyTorch's own operators alone, one by one."""
    return bool(os.environ.get(PLAIN))


def set_random_seed(seed):
    """Make fillers and dropout repeatable. The stream is numpy's, not Caffe's.

    Parameters
    ----------
    seed : int
    """
    _random.seed(seed)
    torch.manual_seed(seed)


def random_stream():
    """Return the process-wide ``numpy.random.RandomState`` that fillers draw from."""
    return _random


def map_large_blocks(first):
    """Let the heap, where it is glibc's, map large blocks one by one, or keep all that it has.

    Parameters
    ----------
    first : bool
        Whether a pass is the first of its kind. Such a pass makes small blocks that stay (how to
        convolve such a shape, weights as that takes them). In the heap they would lie in the holes
        that blobs leave, and cut them into pieces too small for the next.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_MAX, MAPPED if first else 0)
        mallopt(M_MMAP_THRESHOLD, SMALL)


@functools.cache
def retain_freed_memory():
    """Tell glibc's malloc, where there is one, to take large blocks from the heap and keep them.

    By default every tensor above 32 MB is a mapping of its own, and the kernel zeroes and maps its
    pages each time: on a virtual machine a step of GoogLeNet at 1024 x 575 spent fifty times as
    long there as in the network. The process keeps its peak, which it is about to need again.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)
