"""Passes that keep only what the gradient needs: the same numbers, less memory, clear refusals."""

import gc
import importlib
import math
import multiprocessing

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import dreamlib.pycaffe as caffe
from dreamlib.pycaffe import kernels
from tests.pycaffe.test_against_golden import compare, golden  # noqa: F401
from tests.real_caffe import cases

layers = importlib.import_module("dreamlib.pycaffe.layers")  # `caffe.layers` are NetSpec's
windows = importlib.import_module("dreamlib.pycaffe.layers.windows")

GRADIENTS = [
    name for name, case in cases.CASES.items() if case.phase == cases.TEST and case.backward
]
LAST = torch.channels_last
LIMITS = np.float32(0), np.float32(6)


@pytest.fixture(params=[0, layers.FEW], ids=["kernels", "PyTorch"])
def few(request, monkeypatch):
    """Small blobs by the kernels, and as they are by themselves."""
    monkeypatch.setattr(layers, "FEW", request.param)


@pytest.mark.parametrize("name", GRADIENTS)
def test_outputs_and_gradients_are_real_caffes(golden, few, name):  # noqa: F811
    case = cases.CASES[name]
    net = cases.make_net(caffe, cases.prototxt(case), case.phase)
    net.keep_intermediates = False
    random = np.random.RandomState(1)
    for blob, (shape, kind) in case.inputs.items():
        net.blobs[blob].data[...] = cases.numbers(random, shape, kind)
    net.forward()
    found = {f"{blob} data": net.blobs[blob].data.copy() for blob in net.outputs}
    for blob in net.outputs:
        diff = net.blobs[blob].diff
        if not diff.any():
            diff[...] = random.randn(*diff.shape)
    net.backward()
    found |= {f"{blob} diff": net.blobs[blob].diff.copy() for blob in case.inputs}
    compare(found, {what: golden[name][what] for what in found})


def noise(*shape, dtype=torch.float32, seed=0):
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return values.to(dtype).contiguous(memory_format=LAST)


def layer(text):
    """Make a layer of a prototxt's parameters, given a (1, C, H, W) blob's shape when it runs."""
    net = cases.make_net(caffe, f'input: "x" input_dim: 1 input_dim: 6 input_dim: 20 '
                                f'input_dim: 23 force_backward: true layer {{ name: "it" '
                                f'bottom: "x" top: "y" {text} }}')  # fmt: skip
    return net.layer_dict["it"]


def traced(one, x, diff):
    """Run a layer there and back: its top, and its gradient."""
    one.reshape([tuple(x.shape)])
    (top,), kept = one.trace([x.clone(memory_format=torch.preserve_format)])
    gradient = one.retrace([diff(top)], kept, [True])[0]
    return top, gradient


sides = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(sides, st.tuples(st.integers(1, 4), st.integers(1, 4)), st.data())
def test_pooling_and_its_gradient_are_pytorchs(kernel, stride, data):
    pad = tuple(data.draw(st.integers(0, side // 2)) for side in kernel)
    size = [data.draw(st.integers(side, side + 9)) for side in kernel]
    x = noise(2, 3, *size, seed=data.draw(st.integers(0, 99))).round(decimals=1).requires_grad_()
    expected = F.max_pool2d(x, kernel, stride, pad)
    diff = noise(*expected.shape, seed=1)
    (wanted,) = torch.autograd.grad(expected, x, diff)
    top, gradient = torch.empty_like(expected), torch.empty_like(x)
    winner = np.empty((2, *expected.shape[2:], 3), np.uint8)
    how = kernel, stride, pad
    values = kernels.rows_of(x.detach()), kernels.rows_of(top.detach()), winner
    kernels.maxima(0, 2 * top.shape[2], *values, *how)
    kernels.maxima_gradient(
        0, 2 * size[0], kernels.rows_of(diff), winner, kernels.rows_of(gradient.detach()), *how
    )
    assert torch.equal(top, expected)
    torch.testing.assert_close(gradient, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("count", [1, 63, 512, 513, 1100])
def test_relu_and_clip_keep_a_bit_for_each_value(dtype, count):
    x = torch.randn(count, generator=torch.Generator().manual_seed(count)).to(dtype)
    x[::7] = 0
    rooms = []

    def room(size):
        rooms.append(np.full(size, 255, np.uint8))
        return rooms[-1]

    diff = torch.randn(count).to(dtype)
    above, within = x.clone(), torch.empty_like(x)
    signs, inside = kernels.rectify(above, room), kernels.limit(x, within, -0.5, 0.75, room)
    assert torch.equal(above, x.relu())
    assert torch.equal(within, x.clamp(-0.5, 0.75))
    assert torch.equal(kernels.pass_inside(diff.clone(), signs), diff * (x > 0))
    assert torch.equal(
        kernels.pass_inside(diff.clone(), inside), diff * ((x >= -0.5) & (x <= 0.75))
    )
    assert max(map(len, rooms)) <= count / 8 + 64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_relu_lets_nan_through_as_caffe_does(dtype):
    x = torch.tensor([math.nan, -math.nan, math.inf, -math.inf, -0.0, 1]).to(dtype)
    kernels.rectify(x, lambda size: np.empty(size, np.uint8))
    assert x[:2].isnan().all()
    assert x[2:].tolist() == [math.inf, 0, 0, 1]


def test_lrn_keeps_what_is_no_number_and_what_is_large(monkeypatch):
    monkeypatch.setattr(layers, "FEW", 0)
    one = layer('type: "LRN" lrn_param { local_size: 5 alpha: 0.3 beta: 0.75 k: 2 }')
    x = torch.zeros(1, 24, 1, 2).contiguous(memory_format=LAST)
    x[0, 3, 0, 0], x[0, 12, 0, 0], x[0, 20, 0, 1] = math.nan, 1e4, 1e12
    top, _ = traced(one, x, torch.ones_like)
    nan = torch.zeros(24, dtype=torch.bool)
    nan[1:6] = True
    assert torch.equal(top[0, :, 0, 0].isnan(), nan)
    expected = lrn_of_float64(x[:, :, :, 1:].double().clone(), 5, 0.3, 2)
    torch.testing.assert_close(top[:, :, :, 1:].double(), expected, rtol=1e-5, atol=0)


def lrn_of_float64(x, n, alpha, k, beta=0.75):
    """Return LRN across channels, in float64."""
    squares = F.pad(x.double() ** 2, (0, 0, 0, 0, n // 2, n // 2))
    total = sum(squares[:, shift : shift + x.shape[1]] for shift in range(n))
    return x.double() * (k + alpha / n * total) ** -beta


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize("channels", [1, 3, 40])
@pytest.mark.parametrize("n", [1, 3, 5, 7])
def test_lrn_and_its_gradient_are_those_of_float64(monkeypatch, dtype, error, channels, n):
    monkeypatch.setattr(layers, "FEW", 0)
    one = layer(f'type: "LRN" lrn_param {{ local_size: {n} alpha: 0.3 beta: 0.75 k: 2 }}')
    x = (5 * noise(2, channels, 6, 7)).to(dtype)
    diff = noise(*x.shape, dtype=dtype, seed=1)
    top, gradient = traced(one, x, lambda _: diff.clone(memory_format=torch.preserve_format))
    wide = x.double().requires_grad_()
    expected = lrn_of_float64(wide, n, 0.3, 2)
    (wanted,) = torch.autograd.grad(expected, wide, diff.double())
    assert (top.double() - expected).norm() <= error * expected.norm()
    assert (gradient.double() - wanted).norm() <= error * wanted.norm()


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("group", [1, 2, 3, 6])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_gradient_of_grouped_convolutions_is_float64s(
    monkeypatch, dtype, error, stride, group, dilation
):
    monkeypatch.setattr(windows, "SOME", 500)  # fewer values than a group has, or two
    one = layer(
        f'type: "Convolution" convolution_param {{ num_output: 12 kernel_h: 4 kernel_w: 3 pad: 1 '
        f"stride: {stride} group: {group} dilation: {dilation} bias_term: false "
        f'weight_filler {{ type: "xavier" }} }}'
    )
    x = noise(2, 6, 20, 23, dtype=dtype)
    one.reshape([tuple(x.shape)])
    (top,), kept = one.trace([x])
    diff = noise(*top.shape, dtype=dtype, seed=1)
    (gradient,) = one.retrace([diff], kept, [True])
    exact, weight = x.double().requires_grad_(), one.blobs[0].data_tensor.double()
    wanted = F.conv2d(exact, weight, None, stride, 1, dilation, group)
    (found,) = torch.autograd.grad(wanted, exact, diff.double())
    assert gradient.dtype == dtype
    assert (top.double() - wanted).norm() < error * wanted.norm()
    assert (gradient.double() - found).norm() < error * found.norm()


@pytest.mark.parametrize(
    "text",
    [
        'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 }',
        'type: "LRN"',
        'type: "ReLU"',
        'type: "Clip" clip_param { min: 0 max: 1 }',
    ],
)
def test_any_number_of_threads_gives_the_same_bits(monkeypatch, text):
    monkeypatch.setattr(layers, "FEW", 0)
    monkeypatch.setattr(kernels, "ALONE", 1)
    before, found = torch.get_num_threads(), []
    x = noise(2, 6, 20, 23)
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(traced(layer(text), x, lambda top: noise(*top.shape, seed=1)))
    finally:
        torch.set_num_threads(before)
    for top, gradient in found[1:]:
        assert torch.equal(top, found[0][0])
        assert torch.equal(gradient, found[0][1])


def test_a_forked_process_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(kernels, "ALONE", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    values = np.ones((2, 512), np.float32)

    def work():
        flat, bits = values.ravel(), np.empty(128, np.uint8)
        kernels.by_rows(kernels.limited, 2, 1024, flat, bits, *LIMITS, np.empty_like(flat))

    work()
    child = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    child.start()
    child.join(30)
    assert child.exitcode == 0


# -- the net --------------------------------------------------------------------------------------


@pytest.fixture
def chain():
    """A net of a convolution, ReLU, pooling and LRN, that keeps little."""
    text = cases.prototxt(
        cases.Case(
            {"x": ((1, 3, 64, 64), "noise")},
            [
                *cases.convolution("c", "x", 32, 3),
                cases.layer("Pooling", "c", "p", "pooling_param { kernel_size: 3 stride: 2 }"),
                cases.layer("LRN", "p", "n"),
                *cases.convolution("d", "n", 8, 3),
            ],
        )
    )
    net = cases.make_net(caffe, text)
    net.keep_intermediates = False
    net.blobs["x"].data[...] = np.random.RandomState(0).randn(1, 3, 64, 64)
    return net


def test_what_was_given_up_is_refused_in_words(chain):
    chain.forward()
    with pytest.raises(caffe.CaffeError, match=r"has freed this blob's data.*keep_intermediates"):
        _ = chain.blobs["c"].data
    assert chain.blobs["d"].data.any()


def test_blobs_that_are_asked_for_stay(chain):
    found = chain.forward(blobs=["c"])
    chain.keep_intermediates = True
    assert np.array_equal(found["c"], chain.forward(blobs=["c"])["c"])


def test_an_array_that_a_script_holds_is_not_written_into_on_the_way_down(chain):
    held = {name: chain.blobs[name].diff for name in ("n", "p", "c")}
    chain.forward()
    chain.blobs["d"].diff[...] = 1
    chain.backward()
    lean = {name: diff.copy() for name, diff in held.items()}
    chain.keep_intermediates = True
    chain.forward()
    chain.blobs["d"].diff[...] = 1
    chain.backward()
    for name, diff in lean.items():
        np.testing.assert_allclose(diff, chain.blobs[name].diff, rtol=1e-4, atol=1e-6)


def test_weights_that_a_script_changes_are_used(chain):
    before = chain.forward()["d"].copy()
    chain.params["d"][0].data[...] *= 2
    chain.params["d"][1].data[...] *= 2
    np.testing.assert_allclose(chain.forward()["d"], 2 * before, rtol=1e-4, atol=1e-6)


def test_a_way_up_in_two_parts_has_the_gradient_of_one(chain):
    def gradient():
        chain.blobs["d"].diff[...] = 1
        return chain.backward()["x"].copy()

    chain.forward()
    whole = gradient()
    chain.forward(end="p")
    chain.forward(start="n")
    assert np.array_equal(gradient(), whole)


def test_a_second_way_down_without_a_way_up_is_refused(chain):
    chain.forward()
    chain.backward()
    with pytest.raises(caffe.CaffeError, match="run forward again first"):
        chain.backward()


def test_between_forward_and_backward_little_is_held(chain, monkeypatch):
    monkeypatch.setattr(layers, "FEW", 0)

    def tensors():
        gc.collect()
        storages = {
            one.untyped_storage().data_ptr(): one.untyped_storage().nbytes()
            for one in gc.get_objects()
            if type(one) is torch.Tensor and not one.is_mkldnn
        }
        return sum(storages.values())

    chain.forward()
    chain.backward()
    before = tensors()
    chain.forward()
    held = tensors() - before
    assert 0 < held <= 4 * 32 * 32 * 32 * 1.1  # LRN's input; not the convolution's 4 * 32 * 62 * 62
