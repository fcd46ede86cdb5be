"""What Triton's kernels compute is what the CPU's do: interpreted here, or on a GPU."""

import math

import pytest

pytest.importorskip("triton", reason="Triton is not installed; `make test` does so on Linux")
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from triton.runtime.interpreter import InterpretedFunction
from triton.runtime.jit import JITFunction

import dreamlib.pycaffe as caffe
from dreamlib.pycaffe import cpu_kernels, gpu_kernels, triton_kernels
from dreamlib.pycaffe.layers import normalisation, pooling
from tests.pycaffe.test_lean import lrn_of_float64, noise
from tests.real_caffe import cases

TYPES = [torch.float32, torch.bfloat16, torch.float16]
KERNELS = {name: one for name, one in vars(triton_kernels).items() if isinstance(one, JITFunction)}
ERRORS = {torch.float32: 2e-6, torch.bfloat16: 1e-2, torch.float16: 1e-3}


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def place(request):
    """Where the kernels run: on the CPU, where Triton interprets them; or on the GPU."""
    if request.param == "cuda":
        yield request.param
        return
    library = torch.library.Library("dreamlib", "IMPL")
    for name, run in gpu_kernels.RUN.items():
        library.impl(name, run, "CPU")
    with pytest.MonkeyPatch.context() as patch:
        for name, kernel in KERNELS.items():
            patch.setattr(triton_kernels, name, InterpretedFunction(kernel.fn))
        yield request.param
    library._destroy()


def room(count):
    return np.empty(count, np.uint8)


#: Batch and channels, the picture, windows down and across, and their kernel, stride and padding.
POOLINGS = [
    ((2, 5), (7, 9), (4, 5), ((3, 3), (2, 2), (1, 1))),
    ((1, 192), (6, 5), (3, 2), ((3, 3), (2, 2), (0, 0))),
    ((3, 1), (8, 8), (4, 4), ((2, 2), (2, 2), (0, 0))),
    ((1, 70), (5, 6), (5, 6), ((3, 3), (1, 1), (1, 1))),  # as in an inception module
    ((2, 3), (5, 8), (2, 3), ((2, 2), (3, 3), (0, 0))),  # values that no window holds
    ((2, 6), (9, 4), (4, 2), ((4, 1), (2, 2), (1, 0))),  # of an odd shape
    ((1, 3), (2, 70), (1, 35), ((2, 2), (2, 2), (0, 0))),
    ((1, 4), (6, 6), (3, 3), ((3, 3), (2, 2), (0, 0))),  # the last windows are clipped
    ((1, 8), (5, 7), (1, 1), ((5, 7), (1, 1), (0, 0))),  # global
]


def pooled(kernels, x, size, windows, diff):
    """Pool there and back: the top, the winners, (N, C, h, w), and the gradient."""
    top, winner = kernels.maxima(x, size, windows, room)
    gradient = kernels.maxima_gradient(diff, winner, tuple(x.shape), windows)
    if isinstance(winner, np.ndarray):
        winner = torch.from_numpy(winner.copy()).permute(0, 3, 1, 2)
    return [one.cpu() for one in (top, winner, gradient)]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("outer", "picture", "size", "windows"), POOLINGS, ids=str)
def test_maxima_winners_and_gradients_are_the_cpus(place, dtype, outer, picture, size, windows):
    x = noise(*outer, *picture).round(decimals=1).to(dtype)  # with ties
    diff = noise(*outer, *size, seed=1).to(dtype)
    # The CPU's kernels know no float16, and float32 has its values.
    known = dtype if dtype != torch.float16 else torch.float32
    top, winner, gradient = pooled(cpu_kernels, x.to(known), size, windows, diff.to(known))
    found = pooled(gpu_kernels, x.to(place), size, windows, diff.to(place))
    assert found[0].dtype == found[2].dtype == dtype
    assert torch.equal(found[0], top.to(dtype))
    assert torch.equal(found[1], winner)
    # The rounding of bfloat16 is the interpreter's here.
    torch.testing.assert_close(
        found[2].to(known), gradient, rtol=0 if dtype == torch.float32 else ERRORS[dtype], atol=0
    )


def test_equal_values_nan_and_minus_infinity_are_pooled_as_on_the_cpu(place):
    x = torch.zeros(1, 4, 4, 6)
    x[0, 1] = -math.inf
    x[0, 2, ::2, ::3] = x[0, 3, 1::2, 1::2] = math.nan
    x = x.contiguous(memory_format=torch.channels_last)
    for windows in (((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1))):
        how = x, (2, 3), windows, noise(1, 4, 2, 3)
        top, winner, gradient = pooled(cpu_kernels, *how)
        found = pooled(
            gpu_kernels, *[one.to(place) if torch.is_tensor(one) else one for one in how]
        )
        torch.testing.assert_close(found[0], top, rtol=0, atol=0, equal_nan=True)
        assert top.isnan().any()
        assert torch.equal(found[1], winner)
        assert torch.equal(found[2], gradient)


sides = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=15)
@given(kernel=sides, stride=sides, data=st.data())
def test_a_pooled_gradient_sums_up_to_what_was_given(place, kernel, stride, data):
    pad = tuple(data.draw(st.integers(0, side // 2)) for side in kernel)
    picture = [data.draw(st.integers(side, side + 6)) for side in kernel]
    axes = list(zip(picture, kernel, stride, pad))
    size = tuple((length + 2 * p - k) // s + 1 for length, k, s, p in axes)
    x = noise(2, 3, *picture, seed=data.draw(st.integers(0, 99)))
    diff = noise(2, 3, *size, seed=1).mul(8).round()
    gradient = pooled(gpu_kernels, x.to(place), size, (kernel, stride, pad), diff.to(place))[2]
    assert gradient.sum() == diff.sum()


@pytest.mark.parametrize("beta", [0.75, 0.6])
@pytest.mark.parametrize("n", [1, 3, 5])
@pytest.mark.parametrize("channels", [1, 5, 192])
@pytest.mark.parametrize("dtype", TYPES)
def test_lrn_and_its_gradient_are_those_of_float64(place, dtype, channels, n, beta):
    x = (5 * noise(2, channels, 3, 2 if channels > 5 else 7)).to(dtype)
    diff = noise(*x.shape, seed=1).to(dtype)
    how = n, 0.3, beta, 2.0
    top = gpu_kernels.normalise(x.to(place), *how).cpu()
    gradient = gpu_kernels.normalise_gradient(x.to(place), diff.to(place), *how).cpu()
    wide = x.double().requires_grad_()
    expected = lrn_of_float64(wide, n, 0.3, 2, beta)
    (wanted,) = torch.autograd.grad(expected, wide, diff.double())
    assert top.dtype == gradient.dtype == dtype
    assert (top.double() - expected).norm() <= ERRORS[dtype] * expected.norm()
    assert (gradient.double() - wanted).norm() <= ERRORS[dtype] * wanted.norm()


def test_lrn_is_the_cpus(place):
    x, diff, how = 9 * noise(1, 64, 5, 7), noise(1, 64, 5, 7, seed=1), (5, 1e-2, 0.75, 1.0)
    expected = cpu_kernels.normalise(x, *how), cpu_kernels.normalise_gradient(x, diff.clone(), *how)
    x, diff = x.to(place), diff.to(place)
    found = gpu_kernels.normalise(x, *how), gpu_kernels.normalise_gradient(x, diff, *how)
    for one, other in zip(found, expected):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-5, atol=1e-6)


def test_lrn_keeps_what_is_no_number_and_what_is_large(place):
    x = torch.zeros(1, 24, 1, 2).contiguous(memory_format=torch.channels_last)
    x[0, 3, 0, 0], x[0, 12, 0, 0], x[0, 20, 0, 1] = math.nan, 1e4, 1e12
    top = gpu_kernels.normalise(x.to(place), 5, 0.3, 0.75, 2.0).cpu()
    assert top[0, :, 0, 0].isnan().nonzero().flatten().tolist() == [1, 2, 3, 4, 5]
    expected = lrn_of_float64(x[:, :, :, 1:].double(), 5, 0.3, 2)
    torch.testing.assert_close(top[:, :, :, 1:].double(), expected, rtol=1e-5, atol=0)


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")  # the interpreter's
def test_lrn_without_k_has_gradients_at_the_borders(place):
    x = noise(1, 3, 2, 2).abs() + 1
    diff, how = torch.ones_like(x), (5, 0.3, 0.75, 0.0)
    gradient = gpu_kernels.normalise_gradient(x.to(place), diff.to(place), *how).cpu()
    wide = x.double().requires_grad_()
    lrn_of_float64(wide, 5, 0.3, 0).sum().backward()
    torch.testing.assert_close(gradient.double(), wide.grad, rtol=1e-4, atol=1e-5)


def test_tensors_in_another_order_are_put_in_theirs(place):
    x, diff = (noise(2, 6, 5, 4, seed=seed).contiguous() for seed in (0, 1))
    last = [one.contiguous(memory_format=torch.channels_last) for one in (x, diff)]
    windows = (3, 3), (1, 1), (1, 1)
    for one, other in zip(
        pooled(gpu_kernels, x.to(place), (5, 4), windows, diff.to(place)),
        pooled(gpu_kernels, last[0].to(place), (5, 4), windows, last[1].to(place)),
    ):
        assert torch.equal(one, other)


# -- in a net -------------------------------------------------------------------------------------


@pytest.fixture
def chain():
    """A net that pools with clipped windows, pads, and normalises; and keeps little."""
    text = cases.prototxt(
        cases.Case(
            {"x": ((2, 3, 23, 30), "noise")},
            [
                *cases.convolution("c", "x", 12, 3),
                cases.layer("Pooling", "c", "p", "pooling_param { kernel_size: 3 stride: 2 }"),
                cases.layer("LRN", "p", "n", "lrn_param { local_size: 5 alpha: 0.5 }"),
                cases.layer("Pooling", "n", "q", "pooling_param { kernel_size: 3 pad: 1 }"),
                *cases.convolution("d", "q", 4, 3),
            ],
        )
    )
    net = cases.make_net(caffe, text)
    net.keep_intermediates = False
    yield net
    caffe.set_mode_cpu()


def there_and_back(net):
    net.blobs["x"].data[...] = np.random.RandomState(0).randn(2, 3, 23, 30)
    top = net.forward()["d"].copy()
    net.blobs["d"].diff[...] = np.random.RandomState(1).randn(*top.shape)
    return top, net.backward()["x"].copy()


def test_a_net_passes_there_and_back_as_by_pytorchs_operators(place, chain, monkeypatch):
    expected = there_and_back(chain)
    if place == "cuda":
        caffe.set_mode_gpu()
    asked = []

    def kernels_for(tensor):
        asked.append(tensor.shape)
        return gpu_kernels

    for module in (pooling, normalisation):
        monkeypatch.setattr(module, "kernels_for", kernels_for)
    for found, wanted in zip(there_and_back(chain), expected):
        assert np.linalg.norm(found - wanted) < 1e-4 * np.linalg.norm(wanted)
    assert len(asked) == 4  # of LRN there and back


@pytest.mark.gpu
def test_a_graph_holds_the_kernels():
    x, diff = noise(1, 12, 20, 20).cuda(), noise(1, 12, 10, 10, seed=1).cuda()
    windows, how = ((3, 3), (2, 2), (0, 0)), (5, 0.3, 0.75, 2.0)

    def work():
        top, winner = gpu_kernels.maxima(x, (10, 10), windows, room)
        normal = gpu_kernels.normalise(top, *how)
        gradient = gpu_kernels.normalise_gradient(top, diff, *how)
        return normal, gpu_kernels.maxima_gradient(gradient, winner, tuple(x.shape), windows)

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        work()
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = work()
    x.mul_(-2)
    graph.replay()
    for one, other in zip(found, work()):
        assert torch.equal(one, other)
