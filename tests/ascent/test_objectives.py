"""What is maximised: mixtures, channels, neurons, guides; their gradients on arrays and tensors."""

import numpy as np
import pytest

from dreamlib.ascent.guides import channel_guide, guide
from dreamlib.ascent.objective_parser import parse_layers, parse_weights
from dreamlib.ascent.objectives import Objective, l2, mean, neuron, objective_L2
from dreamlib.ascent.spec import TermSpec
from dreamlib.dream import climb, make_step
from dreamlib.errors import DreamError
from dreamlib.models.preprocessing import preprocess
from dreamlib.tiling.network import Tensors
from tests.nets import picture

END, HEIGHT, WIDTH = "mixed/output", 64, 80


@pytest.fixture(scope="module", autouse=True)
def _as_in_a_dream(net):
    net.keep_intermediates = False


@pytest.fixture(scope="module")
def shapes(net):
    return {name: tuple(blob.shape) for name, blob in net.blobs.items()}


def put(net, seed=0):
    blob = net.blobs["data"]
    blob.reshape(1, 3, HEIGHT, WIDTH)
    blob.data[0] = preprocess(net, picture(HEIGHT, WIDTH, seed))


def gradient(net, objective, end=END, run=None):
    """Gradient of an objective at the picture."""
    put(net)
    if run is None:
        climb(net, end, objective)
    else:
        objective.climb(run(net))
    return net.blobs["data"].diff[0].copy()


def test_a_single_layer_is_the_notebooks_objective_to_the_bit(net):
    assert np.array_equal(gradient(net, l2(END)), gradient(net, objective_L2))


MIXTURES = [
    l2("mixed/3x3"),
    l2(END) + 0.3 * l2("pool1") - 2 * mean("norm1"),
    2 * l2(END, [0, 3, 7]) - l2("mixed/1x1"),
    neuron(END, 5, 3, 4) + mean("norm1", [2]),
    -l2("conv1") + l2("pool1") + l2("norm1"),
]


@pytest.mark.parametrize("objective", MIXTURES, ids=str)
def test_a_mixtures_gradient_is_the_sum_of_its_terms_gradients(net, objective):
    together = gradient(net, objective)
    # Each alone, beside a term that weighs nothing but goes as deep.
    deepest = 0 * l2(END) if END in objective.layers else 0 * l2("norm1")
    alone = sum(gradient(net, Objective([term]) + deepest) for term in objective.terms)
    assert np.abs(together).max() > 0
    np.testing.assert_allclose(together, alone, rtol=0, atol=2e-6 * np.abs(alone).max())


@pytest.mark.parametrize("objective", MIXTURES, ids=str)
def test_on_tensors_the_gradient_is_that_on_arrays(net, objective):
    on_arrays = gradient(net, objective)
    on_tensors = gradient(net, objective, run=Tensors)
    np.testing.assert_allclose(on_tensors, on_arrays, rtol=0, atol=1e-6 * np.abs(on_arrays).max())


def test_the_gradient_is_the_slope_of_what_is_maximised(net):
    objective = 2 * l2(END, [0, 1, 7]) - 0.5 * l2("mixed/3x3") + 30 * mean("norm1", [2])

    def value(image):
        net.blobs["data"].data[0] = image
        net.forward(end=END)
        end, middle, low = (
            net.blobs[name].data.astype(float) for name in (END, "mixed/3x3", "norm1")
        )
        whole = (end[0, [0, 1, 7]] ** 2).sum() - 0.25 * (middle**2).sum()
        return whole + 30 * low[0, 2].mean()

    put(net)
    # Noise, for where neighbours are equal a maximum has no slope.
    net.blobs["data"].data[0] += np.random.RandomState(1).randn(3, HEIGHT, WIDTH) * 9
    image = net.blobs["data"].data[0].copy()
    climb(net, None, objective)
    slope = net.blobs["data"].diff[0].copy()
    way = slope / np.linalg.norm(slope)  # where the difference is far above rounding
    difference = (value(image + way) - value(image - way)) / 2
    assert (slope * way).sum() == pytest.approx(difference, rel=0.02)


def test_what_earlier_passes_left_in_other_branches_does_not_count(net):
    clean = gradient(net, l2("mixed/3x3") + 0 * l2(END))
    for blob in net.blobs.values():
        blob.diff[...] = 7
    assert np.array_equal(gradient(net, l2("mixed/3x3") + 0 * l2(END)), clean)


def test_a_negative_weight_suppresses_a_layer(net):
    def activity():
        net.forward(end=END)
        return float((net.blobs[END].data ** 2).sum())

    put(net)
    before = activity()
    for _ in range(3):
        make_step(net, objective=-l2(END), jitter=0)
    assert activity() < before


def notebooks_guide(ours, theirs):
    """The notebook's arithmetic: for each place the guide's vector with the best dot product."""
    x, y = ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1)
    return y[:, x.T.dot(y).argmax(1)].reshape(ours.shape)


@pytest.mark.parametrize("block", [1 << 24, 3000])
def test_a_guides_gradient_is_the_notebooks_in_blocks_of_any_size(monkeypatch, block):
    monkeypatch.setattr("dreamlib.ascent.guides.MATCHES", block)
    random = np.random.RandomState(1)
    ours, theirs = random.rand(1, 12, 20, 30), random.rand(12, 17, 9)
    diff = np.zeros_like(ours)
    (term,) = (0.5 * guide("layer", theirs)).terms
    term.add_gradient(ours, diff, term.weight)
    np.testing.assert_allclose(diff[0], 0.5 * notebooks_guide(ours[0], theirs), rtol=1e-12)


def test_guides_are_the_same_on_tensors():
    import torch

    random = np.random.RandomState(1)
    ours = random.rand(1, 12, 20, 30).astype(np.float32)
    for kind in (guide, channel_guide):
        (term,) = kind("layer", random.rand(12, 17, 9).astype(np.float32)).terms
        on_array, on_tensor = np.zeros_like(ours), torch.zeros(ours.shape)
        term.add_gradient(ours, on_array, 2.0)
        term.add_gradient(torch.from_numpy(ours), on_tensor, 2.0)
        np.testing.assert_allclose(on_tensor.numpy(), on_array, rtol=1e-6)


def test_what_is_written_reads_back_as_the_same(shapes):
    text = (
        "mixed/output[0-3,7]:2, mixed/3x3:-0.5, mean(norm1[2]), mixed/output[5]@3x4, pool1:1e-3, "
        "pool1@sky or not:2.png:0.5, style(norm1, a (1), b:2.png):2, match(pool1, c.png)@m.png"
    )
    terms = parse_layers(text, shapes)
    assert parse_layers(", ".join(map(str, terms)), shapes) == terms
    assert [term.weight for term in terms] == [2, -0.5, 1, 1, 1e-3, 0.5, 2, 1]
    assert terms[3] == TermSpec("neuron", "mixed/output", channels="5", place=(3, 4))
    assert [term.kind for term in terms[5:]] == ["l2", "style", "match"]
    assert [term.files for term in terms[5:]] == [
        [("the mask sky or not:2.png", "sky or not:2.png")],
        [("the guide picture a (1), b:2.png", "a (1), b:2.png")],
        [("the guide picture c.png", "c.png"), ("the mask m.png", "m.png")],
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mixed/outputs", "'mixed/output'"),
        ("mixed/output[36]", "channels 0 to 35"),
        ("mixed/output[4-2]", "channels 0 to 35"),
        ("mixed/output[a]", "cannot be read"),
        ("mixed/output:much", "cannot be read"),
        ("mixed/output@3x4", "LAYER.CHANNEL.@COLUMNxROW"),
        ("mean(norm1[2])@3x4", "LAYER.CHANNEL.@COLUMNxROW"),
        ("style(norm1)", r"expected style\(LAYER, PICTURE\)"),
        ("style(norm1, a.png", r"expected style\(LAYER, PICTURE\)"),
        ("style(norm1[2], a.png)", r"expected style\(LAYER, PICTURE\)"),
        ("style(norm, a.png)", "no layer 'norm'"),
        ("norm1@", "cannot be read"),
        ("norm1@mask.png:0", "the weight is 0"),
        ("classifier@mask.png", "has no places"),
        ("mean(mixed/output", "cannot be read"),
        (" , ", "names no layer"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused_in_words(shapes, text, says):
    with pytest.raises(DreamError, match=says):
        parse_layers(text, shapes)


def test_weights_of_names_with_colons():
    assert parse_weights("a.jpg:0.5, C:/b.png", "--guide") == [("a.jpg", 0.5), ("C:/b.png", 1.0)]


def test_a_neuron_beyond_a_small_picture_is_refused(net):
    with pytest.raises(DreamError, match="16 neurons"):
        gradient(net, neuron(END, 0, 90, 0))
