"""Winograd's way to convolve: the same results as the direct one, where it is taken."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import dreamlib.pycaffe as caffe
from dreamlib.pycaffe import winograd
from tests.real_caffe import cases


def by_groups(weight):
    """Return what multiplies spread values by spread kernels."""
    kernels = winograd.spread_kernels(weight)
    return lambda values: F.conv2d(values, kernels, groups=36)


@given(st.integers(3, 19), st.integers(3, 19), st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_results_are_those_of_float64(height, width, pad):
    random = torch.Generator().manual_seed(height * width)
    x = torch.randn(2, 16, height, width, generator=random)
    x = x.contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(32, 16, 3, 3, generator=random), torch.randn(32, generator=random)
    found = winograd.convolve(x, 32, pad, bias, by_groups(weight))
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=pad)
    assert found.shape == expected.shape
    assert (found - expected).norm() <= 1e-5 * expected.norm()


def test_any_share_of_a_picture_at_a_time_gives_the_same_bits(monkeypatch):
    x = torch.randn(1, 16, 33, 21).contiguous(memory_format=torch.channels_last)
    multiply = by_groups(torch.randn(16, 16, 3, 3))
    whole = winograd.convolve(x, 16, (1, 1), None, multiply)
    monkeypatch.setattr(winograd, "SCRATCH", 1)
    assert torch.equal(winograd.convolve(x, 16, (1, 1), None, multiply), whole)


@pytest.fixture
def net():
    """A convolution of 32 to 48 channels on 90 x 110 values, which takes this way."""
    how = "num_output: 48 kernel_size: 3 pad: 1"
    net = cases.make_net(caffe, cases.prototxt(cases.conv(how, (1, 32, 90, 110))))
    net.blobs["x"].data[...] = np.random.RandomState(0).randn(1, 32, 90, 110)
    return net


def there_and_back(net):
    """Return a net's result, and its gradient."""
    top = net.forward()["y"].copy()
    net.blobs["y"].diff[...] = np.random.RandomState(1).randn(*top.shape)
    return top, net.backward()["x"].copy()


def test_a_layer_goes_this_way_both_ways_with_the_same_numbers(net, monkeypatch):
    taken = []
    convolve = winograd.convolve
    monkeypatch.setattr(
        winograd, "convolve", lambda *arguments: taken.append(1) or convolve(*arguments)
    )
    direct = there_and_back(net)
    assert not taken
    net.keep_intermediates = False
    for found, expected in zip(there_and_back(net), direct):
        assert np.linalg.norm(found - expected) <= 1e-5 * np.linalg.norm(expected)
    assert len(taken) == 2


def test_weights_that_a_script_changes_are_spread_anew(net):
    net.keep_intermediates = False
    before, _ = there_and_back(net)
    net.params["it"][0].data[...] *= 2
    net.params["it"][1].data[...] *= 2
    after, _ = there_and_back(net)
    np.testing.assert_allclose(after, 2 * before, rtol=1e-4, atol=1e-5)
