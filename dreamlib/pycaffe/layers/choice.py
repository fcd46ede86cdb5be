"""Which kernels of our own pool and normalise a tensor: numba's, Triton's, or none."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sysconfig

import torch

from dreamlib.pycaffe.device import plain_gpu
from dreamlib.pycaffe.layers import kernels_take

#: What Triton's kernels read and write.
FLOATS = (torch.float32, torch.bfloat16, torch.float16)

#: The oldest GPUs that Triton compiles for, by their compute capability.
OLDEST = (7, 0)


def kernels_for(tensor):
    """Return the kernels that take a tensor.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    module or None
        `dreamlib.pycaffe.cpu_kernels`, or `gpu_kernels`, which is called alike. Without any,
        PyTorch's operators do.
    """
    if kernels_take(tensor):
        from dreamlib.pycaffe import cpu_kernels

        return cpu_kernels
    if tensor.dtype in FLOATS and triton_serves(tensor.device) and not plain_gpu():
        from dreamlib.pycaffe import gpu_kernels

        return gpu_kernels
    return None


@functools.cache
def triton_serves(device):
    """Tell whether Triton can compile for a device: GPUs, and ``meta``, which stands for one.

    Besides being installed it needs a C compiler, which it links itself to the driver with, and
    Python's headers.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    bool
    """
    if device.type not in ("cuda", "meta") or importlib.util.find_spec("triton") is None:
        return False
    if device.type == "meta":
        return True
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    headers = os.path.join(sysconfig.get_path("include"), "Python.h")
    capable = torch.cuda.get_device_capability(device) >= OLDEST
    return bool(compiler) and os.path.exists(headers) and capable
