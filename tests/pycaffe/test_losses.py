"""Losses beyond what real Caffe judges: a matrix from a file, and shapes that do not fit."""

import numpy as np
import pytest

from dreamlib import pycaffe as caffe
from dreamlib.errors import CaffeError
from tests.pycaffe.nets import make_net


def net_of(folder, kind, shapes, parameters=""):
    text = "force_backward: true\n"
    for name, shape in zip("abc", shapes):
        dims = " ".join(f"dim: {length}" for length in shape)
        text += f'input: "{name}" input_shape {{ {dims} }}\n'
    reads = " ".join(f'bottom: "{name}"' for name, _ in zip("abc", shapes))
    return make_net(
        folder, text + f'layer {{ name: "it" type: "{kind}" {reads} top: "y" {parameters} }}'
    )


def write_matrix(folder, matrix):
    blob = caffe.io.array_to_blobproto(matrix[None, None])
    (folder / "h.binaryproto").write_bytes(blob.SerializeToString())
    return f'infogain_loss_param {{ source: "{folder / "h.binaryproto"}" }}'


def test_infogain_reads_its_matrix_from_a_file(tmp_path):
    random = np.random.RandomState(0)
    matrix = random.rand(3, 3)
    net = net_of(tmp_path, "InfogainLoss", [(4, 3), (4,)], write_matrix(tmp_path, matrix))
    scores, labels = random.randn(4, 3), random.randint(0, 3, 4)
    net.blobs["a"].data[...], net.blobs["b"].data[...] = scores, labels
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    expected = -(matrix[labels] * logs).sum() / 4
    assert net.forward()["y"] == pytest.approx(expected, rel=1e-5)


def test_infogain_with_the_identity_is_softmax_with_loss(tmp_path):
    shapes = [(4, 5), (4,)]
    spread = net_of(tmp_path, "InfogainLoss", shapes, write_matrix(tmp_path, np.eye(5)))
    plain = net_of(tmp_path, "SoftmaxWithLoss", shapes)
    for net in (spread, plain):
        net.blobs["a"].data[...] = np.random.RandomState(1).randn(4, 5)
        net.blobs["b"].data[...] = [0, 4, 2, 2]
        net.forward()
    assert spread.blobs["y"].data == pytest.approx(plain.blobs["y"].data, rel=1e-6)
    np.testing.assert_allclose(spread.backward()["a"], plain.backward()["a"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "shapes", "words"),
    [
        ("HingeLoss", [(4, 5), (3,)], "not one for each row"),
        ("SigmoidCrossEntropyLoss", [(4, 5), (4, 4)], "do not match predictions"),
        ("ContrastiveLoss", [(4, 5), (4, 5), (5,)], "a label for each pair"),
        ("InfogainLoss", [(4, 5), (4,), (1, 1, 4, 4)], "5 classes need a matrix of 25 values"),
        ("InfogainLoss", [(4, 5), (4,)], "needs a matrix"),
        ("MultinomialLogisticLoss", [(4, 5)], "1 bottom blobs and takes 2"),
    ],
)
def test_shapes_that_do_not_fit_are_said_with_the_layers_name(tmp_path, kind, shapes, words):
    with pytest.raises(CaffeError, match=rf"layer 'it' \({kind}\): .*{words}"):
        net_of(tmp_path, kind, shapes)
