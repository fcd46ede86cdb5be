"""Pooling and LRN for a GPU, without one: operators on ``meta``, who takes them, what compiles."""

import importlib

import pytest

triton = pytest.importorskip(
    "triton", reason="Triton is not installed; `make test` does so on Linux"
)
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from triton.backends.compiler import GPUTarget

import dreamlib.pycaffe as caffe
from dreamlib.errors import CaffeError
from dreamlib.pycaffe import cpu_kernels, device, gpu_kernels, triton_kernels
from dreamlib.pycaffe.layers import choice
from tests.embedded import REPOSITORY
from tests.pycaffe.test_gpu_kernels import KERNELS, TYPES, room
from tests.pycaffe.test_lean import layer, noise

# -- without values -------------------------------------------------------------------------------


class Asked(TorchDispatchMode):
    """Notes which operators were called."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
        self.names.append(str(operator))
        return operator(*arguments, **(keywords or {}))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("text", "size", "name"),
    [
        ('type: "Pooling" pooling_param { kernel_size: 3 stride: 2 }', (10, 11), "maxima"),
        ('type: "LRN"', (20, 23), "normalise"),
    ],
    ids=["pooling", "LRN"],
)
def test_a_pass_is_one_operator_there_and_one_back(dtype, text, size, name):
    x = torch.empty(2, 6, 20, 23, dtype=dtype, device="meta")
    x = x.contiguous(memory_format=torch.channels_last)
    one = layer(text)
    one.reshape([tuple(x.shape)])
    with Asked() as asked:
        (top,), kept = one.trace([x])
        (gradient,) = one.retrace([torch.empty_like(top)], kept, [True])
    assert [name for name in asked.names if "empty" not in name] == [
        f"dreamlib.{name}.default", f"dreamlib.{name}_gradient.default"
    ]  # fmt: skip
    assert (top.shape, gradient.shape) == ((2, 6, *size), x.shape)
    assert top.dtype == gradient.dtype == dtype
    assert top.is_contiguous(memory_format=torch.channels_last)


def test_a_pooling_keeps_a_byte_for_each_window():
    x = torch.empty(2, 6, 20, 23, device="meta")
    top, winner = gpu_kernels.maxima(x, (10, 11), ((3, 3), (2, 2), (0, 0)), room)
    assert (winner.dtype, winner.shape) == (torch.uint8, top.shape)


def test_a_step_of_googlenet_takes_fewer_than_300_launches(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    sizes, random = map(importlib.import_module, ("sizes", "random_googlenet"))
    net = caffe.Net(*random.write(caffe, tmp_path), caffe.TEST)
    net.keep_intermediates = False
    monkeypatch.setattr(device, "_device", torch.device("meta"))
    assert 200 < sizes.launches(net, net.layer_index(random.END), (1, 3, 64, 64)) < 300


# -- which kernels --------------------------------------------------------------------------------


@pytest.fixture
def fresh():
    choice.triton_serves.cache_clear()
    yield
    choice.triton_serves.cache_clear()


GPU = torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("capability", "found", "served"),
    [
        ((9, 0), "triton gcc", True),
        ((7, 0), "triton clang", True),
        ((6, 1), "triton gcc", False),
        ((9, 0), "gcc", False),
        ((9, 0), "triton", False),
    ],
    ids=str,
)
def test_triton_serves_gpus_that_it_knows_where_it_can_compile(
    fresh, monkeypatch, tmp_path, capability, found, served
):
    (tmp_path / "Python.h").touch()
    found = found.split()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(choice.importlib.util, "find_spec", lambda name: name in found or None)
    monkeypatch.setattr(choice.shutil, "which", lambda name: name if name in found else None)
    monkeypatch.setattr(choice.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choice.triton_serves(GPU) is served


def test_a_gpu_without_pythons_headers_is_not_served(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "cc")
    monkeypatch.setattr(choice.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert not choice.triton_serves(GPU)


def test_without_triton_pytorchs_operators_do(fresh, monkeypatch):
    x = torch.empty(1, 3, 20, 20, device="meta")
    assert choice.kernels_for(x) is gpu_kernels
    assert choice.kernels_for(x.double()) is None
    choice.triton_serves.cache_clear()
    monkeypatch.setattr(choice.importlib.util, "find_spec", lambda name: None)
    assert choice.kernels_for(x) is None


@pytest.mark.parametrize("error", [OSError("read-only"), triton.TritonError("read-only")], ids=type)
def test_a_kernel_that_cannot_be_compiled_is_an_error_in_words(monkeypatch, error):
    class Fails:
        def __getitem__(self, grid):
            raise error

    monkeypatch.setattr(triton_kernels, "normalise", Fails())
    with pytest.raises(CaffeError, match=r"'normalise'.*\(read-only\).*DREAM_PLAIN_GPU=1"):
        gpu_kernels.RUN["normalise"](noise(1, 3, 4, 4), 5, 1.0, 0.75, 1.0)


def test_a_user_may_ask_for_pytorchs_operators(monkeypatch):
    monkeypatch.setenv("DREAM_PLAIN_GPU", "1")
    assert choice.kernels_for(torch.empty(1, 3, 20, 20, device="meta")) is None


def test_on_the_cpu_numbas_kernels_do():
    assert choice.kernels_for(torch.zeros(1, 3, 300, 300)) is cpu_kernels
    assert choice.kernels_for(torch.zeros(1, 3, 20, 20)) is None


# -- for the GPU itself ---------------------------------------------------------------------------


class Launches:
    """Stands for a kernel, and notes what it is launched with."""

    def __init__(self, kernel, found):
        self.kernel, self.found = kernel, found

    def __getitem__(self, grid):
        assert len(grid) <= 3
        return lambda *arguments: self.found.append((self.kernel, arguments))


def launches(x, diff, size):
    """Return the kernels, with their arguments, that pooling and LRN launch."""
    windows, how = ((3, 3), (2, 2), (1, 1)), (5, 0.3, 0.75, 2.0)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("maxima", "maxima_gradient", "normalise", "normalise_gradient"):
            patch.setattr(triton_kernels, name, Launches(KERNELS[name], found))
        winner = gpu_kernels.RUN["maxima"](x, size, *windows)[1]
        gpu_kernels.RUN["maxima_gradient"](diff, winner, x.shape, *windows)
        gpu_kernels.RUN["normalise"](x, *how)
        gpu_kernels.RUN["normalise_gradient"](x, x, *how)
    return found


def compiled(kernel, arguments, target):
    """Compile a kernel as its launch would."""
    known = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.float16: "*fp16",
             torch.uint8: "*u8"}  # fmt: skip
    types, constants, aligned = {}, {}, {}
    assert len(kernel.params) == len(arguments)
    for index, (param, value) in enumerate(zip(kernel.params, arguments)):
        special = not param.do_not_specialize
        if param.is_constexpr or (special and type(value) is int and value == 1):
            types[param.name], constants[(index,)] = "constexpr", value
        elif torch.is_tensor(value):
            types[param.name], aligned[(index,)] = known[value.dtype], [["tt.divisibility", 16]]
        elif isinstance(value, int):
            types[param.name] = "i32" if value < 2**31 else "i64"
            if special and value % 16 == 0:
                aligned[(index,)] = [["tt.divisibility", 16]]
        else:
            types[param.name] = "fp32"
    source = triton.compiler.ASTSource(kernel, types, constants, aligned)
    return triton.compile(source, target=GPUTarget("cuda", target, 32))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("channels", "target"), [(64, 90), (5, 70), (1, 90)])
def test_every_kernel_is_compiled_for_gpus_old_and_new(
    tmp_path, monkeypatch, dtype, channels, target
):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    x, diff = noise(1, channels, 32, 31).to(dtype), noise(1, channels, 16, 16).to(dtype)
    found = launches(x, diff, (16, 16))
    assert [kernel.__name__ for kernel, _ in found] == [
        "maxima", "maxima_gradient", "normalise", "normalise_gradient"
    ]  # fmt: skip
    for kernel, arguments in found:
        made = compiled(kernel, arguments, target)
        assert made.asm["cubin"]
        if kernel.__name__ == "normalise_gradient":
            assert made.asm["ttgir"].count("tt.load") <= 9 + 5  # no value twice
