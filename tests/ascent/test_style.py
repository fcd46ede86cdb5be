"""Style: the gradient of a Gram matrix's distance, against a reference in double precision."""

import numpy as np
import pytest
import torch

from dreamlib.ascent import style as module
from dreamlib.ascent.style import gram, style
from dreamlib.dream import climb
from dreamlib.errors import DreamError
from dreamlib.models.preprocessing import preprocess
from tests.nets import picture

CHANNELS, HEIGHT, WIDTH = 12, 20, 30


def noise(*shape, seed=0, dtype=np.float64):
    return np.random.RandomState(seed).randn(*shape).astype(dtype)


def reference(ours, theirs, weight=None):
    """What is maximised and its gradient by PyTorch's autograd: float64, no blocks, no algebra."""
    ours = torch.tensor(np.float64(ours), requires_grad=True)
    weight = torch.ones(ours.shape[1:]) if weight is None else torch.tensor(np.float64(weight))
    flat, share = ours.flatten(1), weight.flatten() / weight.sum()
    theirs = torch.tensor(np.float64(theirs)).flatten(1)
    wanted = theirs @ theirs.T / theirs.shape[1]
    off = (flat * share) @ flat.T - wanted
    value = -weight.sum() / 4 * (off**2).sum() / (wanted**2).sum().sqrt()
    value.backward()
    return value.item(), ours.grad.numpy()


def added(objective, ours, weight):
    """The gradient that the objective's only term adds to an array, or to a tensor."""
    (term,) = objective.terms
    diff = ours * 0
    term.add_gradient(ours[None], diff[None], weight)
    return np.asarray(diff.float() if torch.is_tensor(diff) else diff)


@pytest.mark.parametrize("values", [1 << 22, 60])
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_the_gradient_is_that_of_the_reference_in_blocks_of_any_size(values, kind, monkeypatch):
    monkeypatch.setattr(module, "VALUES", values)
    ours, theirs = noise(CHANNELS, HEIGHT, WIDTH), noise(CHANNELS, 9, 7, seed=1)
    _, expected = reference(ours, theirs)
    found = added(style("layer", np.float32(theirs)), kind(np.float32(ours)), 0.5)
    np.testing.assert_allclose(found, 0.5 * expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_with_a_mask_only_its_places_are_to_have_the_style(kind):
    ours, theirs = noise(CHANNELS, HEIGHT, WIDTH), noise(CHANNELS, 9, 7, seed=1)
    mask = np.random.RandomState(2).rand(HEIGHT, WIDTH).astype(np.float32)
    mask[:, 20:] = 0
    _, expected = reference(ours, theirs, mask)
    found = added(style("layer", np.float32(theirs)), kind(np.float32(ours)), kind(mask))
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())
    assert (found[..., 20:] == 0).all()


def test_a_mask_of_nothing_adds_nothing():
    ours, nowhere = noise(CHANNELS, 4, 5, dtype=np.float32), np.zeros((4, 5), np.float32)
    assert not added(style("layer", ours), ours, nowhere).any()


def test_half_precision_does_not_blur_a_style_that_is_almost_met():
    theirs = noise(CHANNELS, 40, 40, dtype=np.float32)
    ours = torch.tensor(theirs * 1.02).bfloat16()
    _, expected = reference(ours.float().numpy(), theirs)
    found = added(style("layer", theirs), ours, 1.0)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_a_layer_that_has_the_style_already_is_left_alone():
    theirs = noise(CHANNELS, 8, 9, dtype=np.float32)
    turned = np.ascontiguousarray(theirs[:, ::-1, ::-1])  # the same textures elsewhere
    assert np.abs(added(style("layer", theirs), turned, 1.0)).max() < 1e-5


def test_the_gram_matrix_is_the_mean_of_products():
    features = noise(5, 70)
    np.testing.assert_allclose(gram(features), np.cov(features, bias=True) + np.outer(
        features.mean(1), features.mean(1)
    ), rtol=1e-12)  # fmt: skip


def test_a_layer_in_which_the_style_picture_wakes_nothing_is_refused():
    with pytest.raises(DreamError, match=r"nothing is active in layer 'layer' for black\.png"):
        style("layer", np.zeros((3, 4, 5), np.float32), name="black.png")


@pytest.mark.parametrize("layer", ["mixed/output", "norm1"])
def test_the_gradient_at_the_picture_is_the_slope_of_what_is_maximised(net, layer):
    net.keep_intermediates = False
    net.blobs["data"].reshape(1, 3, 64, 80)

    def seen(image):
        net.blobs["data"].data[0] = image
        net.forward(end=layer)
        return net.blobs[layer].data[0].copy()

    theirs = seen(preprocess(net, picture(64, 80, 3)))
    image = preprocess(net, picture(64, 80)) + noise(3, 64, 80, dtype=np.float32) * 9
    seen(image)
    climb(net, None, style(layer, theirs))
    slope = net.blobs["data"].diff[0].copy()
    way = slope / np.linalg.norm(slope)
    above, below = (reference(seen(image + sign * way), theirs)[0] for sign in (1, -1))
    assert (slope * way).sum() == pytest.approx((above - below) / 2, rel=0.02)
