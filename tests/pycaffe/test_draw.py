"""Nets drawn: Graphviz's text by ourselves, pictures by its program where that is."""

import os
import shutil
import stat
import sys

import pytest
from google.protobuf import text_format

from dreamlib import pycaffe as caffe
from dreamlib.errors import CaffeError
from dreamlib.pycaffe import draw, draw_net
from dreamlib.pycaffe.proto import caffe_pb2
from tests.pycaffe.nets import TRAINED

NET = """
name: "small"
layer { name: "data" type: "Input" top: "data" }
layer { name: "say \\"hi\\"" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } param { lr_mult: 0.5 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
"""


def parsed(text):
    return text_format.Parse(text, caffe_pb2.NetParameter())


def test_each_layer_and_blob_is_a_node_and_each_use_an_arrow():
    lines = draw.dot_source(parsed(NET)).splitlines()
    assert sum("->" in line for line in lines) == 7
    assert sum("label=" in line and "->" not in line for line in lines) == 4 + 3
    assert '  "blob conv" -> "layer 2 relu";' in lines
    assert '  "layer 1 say \\"hi\\"" -> "blob conv" [label="4"];' in lines


def test_labels_say_type_windows_and_rates():
    source = draw.dot_source(parsed(NET), "LR", display_lrm=True)
    assert (
        r"say \"hi\"\n(Convolution)\nkernel size: 3\nstride: 1\npad: 1\nlr mult: 0.5, 1.0" in source
    )
    assert r"pool\n(Pooling AVE)\nkernel size: 2\nstride: 2\npad: 0" in source


def test_a_layer_in_place_has_a_colour_of_its_own():
    [relu] = [line for line in draw.dot_source(parsed(NET)).splitlines() if "(ReLU)" in line]
    assert draw.IN_PLACE in relu


@pytest.mark.parametrize(
    ("phase", "there", "away"), [(0, "drop", "accuracy"), (1, "accuracy", "drop")]
)
def test_a_phase_leaves_the_others_layers_out(phase, there, away):
    source = draw.dot_source(parsed(TRAINED), phase=phase)
    assert f"{there}\\n(" in source
    assert f"{away}\\n(" not in source


def test_a_forks_convolution_is_labelled_as_one():
    fork = parsed(NET.replace('"Convolution"', '"ConvolutionDepthwise"'))
    assert r"(ConvolutionDepthwise)\nkernel size: 3\nstride: 1" in draw.dot_source(fork)


def test_layers_of_2014_are_drawn_too():
    old = 'layers { name: "r" type: RELU bottom: "x" top: "y" }'
    assert '"layer 0 r" -> "blob y";' in draw.dot_source(parsed(old))


def test_a_dot_file_needs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "net.prototxt").write_text(NET)
    draw_net.main([str(tmp_path / "net.prototxt"), str(tmp_path / "net.dot"), "--rankdir", "TB"])
    assert (tmp_path / "net.dot").read_text() == draw.dot_source(parsed(NET), "TB")


def test_without_graphviz_the_error_names_it_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CaffeError, match=r"Graphviz's program dot.*apt install graphviz"):
        caffe.draw.draw_net_to_file(parsed(NET), str(tmp_path / "net.png"))
    assert not (tmp_path / "net.png").exists()


@pytest.fixture
def failing_dot(tmp_path, monkeypatch):
    """A program of that name that knows no format."""
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho \"Format: '$1' not recognized\" >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def test_what_dot_says_is_in_the_error(failing_dot):
    with pytest.raises(CaffeError, match=r"does not draw this net as jpq: .*-Tjpq' not recognized"):
        draw.draw_net(parsed(NET), "LR", "jpq")


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not there")
def test_dot_draws_a_png(tmp_path):
    draw.draw_net_to_file(parsed(NET), str(tmp_path / "net.png"))
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")


def test_without_pydot_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(CaffeError, match="pip install pydot"):
        draw.get_pydot_graph(parsed(NET), "LR")


def test_pydots_graph_has_the_same_nodes_and_arrows():
    pytest.importorskip("pydot")
    graph = draw.get_pydot_graph(parsed(NET), "LR")
    assert len(graph.get_nodes()) == 7
    assert len(graph.get_edges()) == 7
