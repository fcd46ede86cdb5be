"""From a spec to its objective: pictures are seen as the dream's own, masks lie in their places."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from dreamlib.ascent.build import objective_of
from dreamlib.ascent.mask import Mask, over_grid
from dreamlib.ascent.objective_parser import parse_layers
from dreamlib.ascent.objectives import Objective, l2, mean
from dreamlib.ascent.spec import ObjectiveSpec, TermSpec
from dreamlib.dream import climb, make_step
from dreamlib.imaging.picture import Window
from dreamlib.models.preprocessing import preprocess
from dreamlib.tiling.network import Tensors
from tests.nets import picture

END, HEIGHT, WIDTH = "mixed/output", 64, 80


@pytest.fixture(autouse=True)
def _pictures(tmp_path, monkeypatch, net):
    monkeypatch.chdir(tmp_path)
    net.keep_intermediates = False
    Image.fromarray(picture(60, 70, 3)).save("meadow.png")
    left = np.zeros((16, 20), np.uint8)
    left[:, :10] = 255
    Image.fromarray(left).save("left.png")


def put(net):
    blob = net.blobs["data"]
    blob.reshape(1, 3, HEIGHT, WIDTH)
    blob.data[0] = preprocess(net, picture(HEIGHT, WIDTH))


def made(net, text):
    return objective_of(net, ObjectiveSpec("", tuple(parse_layers(text))))


def gradient(net, objective, part_of=None, on_tensors=False):
    put(net)
    if on_tensors:
        objective.climb(Tensors(net), part_of)
    else:
        climb(net, END, objective, part_of)
    return net.blobs["data"].diff[0].copy()


def test_a_spec_travels_as_json():
    terms = parse_layers("a[1]@3x4, style(b, c.png)@d.png:0.5, mean(e[1-2]):-1")
    spec = ObjectiveSpec("b", tuple(terms), ((3, 0.5),), "classes")
    assert ObjectiveSpec.from_json(json.loads(json.dumps(asdict(spec)))) == spec
    assert hash(spec)


def test_a_term_of_every_kind_is_made_and_named(net):
    text = (
        "mixed/output[0-2]:2, mean(norm1), mixed/output[5]@3x4, style(norm1, meadow.png), "
        "match(mixed/output, meadow.png):0.5, channels(pool1, meadow.png)@left.png:3"
    )
    objective = made(net, text)
    assert [term.layer for term in objective.terms] == [
        END, "norm1", END, "norm1", END, "pool1",
    ]  # fmt: skip
    assert [term.weight for term in objective.terms] == [2, 1, 1, 1, 0.5, 3]
    assert np.abs(gradient(net, objective)).max() > 0


@pytest.mark.parametrize("kind", ["channels", "style"])
def test_a_guide_in_a_lower_layer_is_seen_as_the_dream_is_after_a_relu_in_place(net, kind):
    """For the guide picture itself a style is met, in any layer, whatever is beside it."""
    net.blobs["data"].reshape(1, 3, 60, 70)
    net.blobs["data"].data[0] = preprocess(net, picture(60, 70, 3))
    terms = (TermSpec(kind, "mixed/3x3", picture="meadow.png"), TermSpec("l2", END, 1e-9))
    (term, _) = objective_of(net, ObjectiveSpec(END, terms)).terms
    net.forward(end=END, blobs=["mixed/3x3"])
    ours = net.blobs["mixed/3x3"].data.copy()
    assert ours.min() == 0
    diff = np.zeros_like(ours)
    term.add_gradient(ours, diff, 1.0)
    if kind == "style":
        assert np.abs(diff).max() < 1e-4 * np.abs(ours).max()
    else:
        np.testing.assert_allclose(diff[0, :, 0, 0], ours[0].mean(axis=(1, 2)), rtol=1e-4)


@pytest.mark.parametrize("on_tensors", [False, True])
@pytest.mark.parametrize("body", ["norm1", "mean(norm1[2])", "channels(norm1, meadow.png)",
                                  "match(norm1, meadow.png)"])  # fmt: skip
def test_a_masked_terms_gradient_at_its_layer_is_weighed_by_the_mask(net, body, on_tensors):
    """A half that is masked out counts nothing; the other half counts as ever."""
    masked = gradient(net, made(net, f"{body}@left.png:2"), on_tensors=on_tensors)
    everywhere = gradient(net, made(net, f"{body}:2"), on_tensors=on_tensors)
    reach = 12  # of a place of the layer
    assert np.abs(masked[..., WIDTH // 2 + reach :]).max() == 0
    inside = (..., slice(0, WIDTH // 2 - reach))
    assert np.abs(everywhere[inside]).max() > 0
    np.testing.assert_allclose(masked[inside], everywhere[inside], rtol=1e-4, atol=1e-9)


def test_terms_may_have_masks_of_their_own(net):
    Image.open("left.png").transpose(Image.FLIP_LEFT_RIGHT).save("right.png")
    halves = gradient(net, made(net, "norm1@left.png, norm1@right.png"))
    whole = gradient(net, made(net, "norm1"))
    np.testing.assert_allclose(halves, whole, atol=1e-5 * np.abs(whole).max())


def test_a_tile_sees_its_own_part_of_the_mask(net):
    objective = made(net, "norm1@left.png")
    size = (HEIGHT, 10 * WIDTH)
    for left, counts in ((0, True), (9 * WIDTH, False)):
        window = Window(0, left, HEIGHT, WIDTH)
        found = gradient(net, objective, lambda mask, at=window: mask.part(at, size))
        assert np.abs(found).any() == counts


def test_a_mask_stays_where_it_is_while_the_picture_is_rolled(net):
    grey = np.zeros((HEIGHT, WIDTH), np.uint8)
    grey[8:24, 8:24] = 255
    (term,) = l2("norm1").terms
    masked = Objective([term._replace(mask=Mask(grey))])
    changed = np.zeros((HEIGHT, WIDTH))
    for seed in range(6):
        np.random.seed(seed)
        put(net)
        before = net.blobs["data"].data[0].copy()
        make_step(net, objective=masked, jitter=32, clip=False)
        changed += np.abs(net.blobs["data"].data[0] - before).sum(axis=0)
    reach = 14
    assert changed[8:24, 8:24].mean() > 0
    assert changed[24 + reach :].max() == 0
    assert changed[:, 24 + reach : -reach].max() == 0


@pytest.mark.parametrize("grid", [(4, 5), (3, 7), (16, 20), (33, 41), (1, 1)])
def test_over_a_layers_places_a_mask_is_averaged(grid):
    part = np.random.RandomState(0).rand(16, 20).astype(np.float32)
    found = over_grid(part, grid)
    assert found.shape == grid
    for row, column in np.ndindex(*grid):
        edges = [
            slice(
                place * side // count, max((place + 1) * side // count, place * side // count + 1)
            )
            for place, side, count in zip((row, column), part.shape, grid)
        ]
        assert found[row, column] == pytest.approx(part[tuple(edges)].mean(), rel=1e-5)


def test_without_a_mask_nothing_is_weighed(net):
    assert np.array_equal(gradient(net, made(net, "norm1:2")), gradient(net, 2 * l2("norm1")))
    assert np.array_equal(gradient(net, made(net, "mean(norm1)")), gradient(net, mean("norm1")))
