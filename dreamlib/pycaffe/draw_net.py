"""Caffe's draw_net.py: ``python -m dreamlib.pycaffe.draw_net deploy.prototxt net.png``."""

from __future__ import annotations

import argparse

from google.protobuf import text_format

from dreamlib.errors import CaffeError
from dreamlib.pycaffe import draw, programs
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.util.input_file import read_text


def main(arguments):
    """Draw a prototxt's net into a file.

    Parameters
    ----------
    arguments : list of str

    Raises
    ------
    DreamError
        A file is missing, no prototxt, or cannot be drawn.
    """
    parser = argparse.ArgumentParser(prog="draw_net", description=__doc__)
    add = parser.add_argument
    add("input_net_proto_file", help="prototxt")
    add("output_image_file", help="picture; .dot writes Graphviz's text and needs nothing")
    add("--rankdir", default="LR", help="where the graph grows to: LR, RL, TB or BT (LR)")
    phases = {"ALL": None, "TRAIN": caffe_pb2.TRAIN, "TEST": caffe_pb2.TEST}
    add("--phase", choices=phases, default="ALL", help="draw this phase's layers (ALL)")
    add("--display_lrm", action="store_true", help="name the learning rates' multipliers")
    given = parser.parse_args(arguments)

    path, net = given.input_net_proto_file, caffe_pb2.NetParameter()
    try:
        text_format.Parse(read_text(path, "a prototxt"), net)
    except text_format.ParseError as error:
        raise CaffeError(f"{path}: not a network definition, at line:column {error}") from error
    print(f"Drawing net to {given.output_image_file}")
    draw.draw_net_to_file(
        net, given.output_image_file, given.rankdir, phases[given.phase], given.display_lrm
    )


if __name__ == "__main__":
    programs.run(main, "draw_net")
