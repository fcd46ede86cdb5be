"""Drawing a net as a graph of its layers and blobs: ``caffe.draw``.

The graph is written in Graphviz's language here; its program ``dot`` makes a picture of it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from dreamlib.errors import CaffeError
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.prototxt import upgrade_layer
from dreamlib.util.atomic_write import replacing
from dreamlib.util.net_layers import chooser

#: Endings that mean the graph's text itself.
TEXT = ("dot", "gv", "raw")

COLOURS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
OTHER_LAYER, IN_PLACE, BLOB = "#6495ED", "#90EE90", "#E0E0E0"
LEARNING = ("Convolution", "Deconvolution", "InnerProduct")


def dot_source(caffe_net, rankdir="LR", label_edges=True, phase=None, display_lrm=False):
    """Write a net as a graph in Graphviz's language.

    Parameters
    ----------
    caffe_net : caffe_pb2.NetParameter
    rankdir : {'LR', 'TB', 'BT', 'RL'}
        Where the graph grows to.
    label_edges : bool
        Write the number of outputs at the arrows that leave convolutions and inner products.
    phase : {TRAIN, TEST}, optional
        Draw the layers of this phase only.
    display_lrm : bool
        Name the learning rates' multipliers.

    Returns
    -------
    str
    """
    lines = [f"digraph {_quoted(caffe_net.name or 'Net')} {{", f"  rankdir={_quoted(rankdir)};"]
    blobs, arrows = {}, []
    for name in caffe_net.input:
        blobs[name] = True
    layers = caffe_net.layer or [upgrade_layer(layer) for layer in caffe_net.layers]
    belongs = chooser(caffe_net, phase)
    for number, layer in enumerate(layers):
        if phase is not None and not belongs(layer):
            continue
        node = f"layer {number} {layer.name}"
        separator = " " if rankdir in ("TB", "BT") else "\n"
        style = {"label": _label(layer, separator, display_lrm), "shape": "box"}
        alone = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
        style["fillcolor"] = IN_PLACE if alone else COLOURS.get(layer.type, OTHER_LAYER)
        lines.append(f"  {_quoted(node)} {_style(style)};")
        for blob in layer.bottom:
            blobs[blob] = True
            arrows.append((f"blob {blob}", node, ""))
        for blob in layer.top:
            blobs[blob] = True
            arrows.append((node, f"blob {blob}", _outputs(layer) if label_edges else ""))
    for blob in blobs:
        style = {"label": blob, "shape": "octagon", "fillcolor": BLOB}
        lines.append(f"  {_quoted(f'blob {blob}')} {_style(style)};")
    for start, end, label in arrows:
        mark = f" [label={_quoted(label)}]" if label else ""
        lines.append(f"  {_quoted(start)} -> {_quoted(end)}{mark};")
    return "\n".join([*lines, "}\n"])


def _quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _style(values):
    pairs = ", ".join(f"{key}={_quoted(value)}" for key, value in values.items())
    return f"[{pairs}, style=filled]"


def _outputs(layer):
    if layer.HasField("convolution_param"):
        return str(layer.convolution_param.num_output)
    if layer.HasField("inner_product_param"):
        return str(layer.inner_product_param.num_output)
    return f"Batch {layer.data_param.batch_size}" if layer.type == "Data" else ""


def _label(layer, separator, display_lrm):
    kind = layer.type
    if kind == "Pooling":
        kind += f" {caffe_pb2.PoolingParameter.PoolMethod.Name(layer.pooling_param.pool)}"
    parts = [layer.name, f"({kind})"]
    if layer.type == "Pooling":
        param = layer.pooling_param
        parts += _windows([param.kernel_size or param.kernel_h], [param.stride], [param.pad])
    elif layer.HasField("convolution_param"):
        param = layer.convolution_param
        parts += _windows(param.kernel_size or [param.kernel_h], param.stride, param.pad)
    if display_lrm and layer.type in LEARNING:
        rates = [spec.lr_mult for spec in layer.param] + [1.0, 1.0]
        parts.append(f"lr mult: {rates[0]:.1f}, {rates[1]:.1f}")
    return separator.join(parts)


def _windows(kernel, stride, pad):
    values = zip(("kernel size", "stride", "pad"), (kernel, stride, pad), (1, 1, 0))
    return [f"{name}: {next(iter(given), default)}" for name, given, default in values]


def get_pydot_graph(caffe_net, rankdir, label_edges=True, phase=None, display_lrm=False):
    """Return a net as a graph of the package pydot's; see `dot_source`.

    Returns
    -------
    pydot.Dot

    Raises
    ------
    CaffeError
        The package is not there.
    """
    try:
        import pydot
    except ImportError as error:
        raise CaffeError(
            "get_pydot_graph needs the package pydot, which is not installed: pip install pydot; "
            "draw_net and draw_net_to_file do without it"
        ) from error
    source = dot_source(caffe_net, rankdir, label_edges, phase, display_lrm)
    return pydot.graph_from_dot_data(source)[0]


def draw_net(caffe_net, rankdir, ext="png", phase=None, display_lrm=False):
    """Draw a net.

    Parameters
    ----------
    caffe_net, rankdir, phase, display_lrm
        As for `dot_source`.
    ext : str
        A format of Graphviz's: png, svg, pdf ...; or 'dot', 'gv' or 'raw', the graph's own text.

    Returns
    -------
    bytes

    Raises
    ------
    CaffeError
        Graphviz's program ``dot`` is not there, or does not make this format.
    """
    source = dot_source(caffe_net, rankdir, phase=phase, display_lrm=display_lrm).encode()
    if ext in TEXT:
        return source
    if not shutil.which("dot"):
        raise CaffeError(
            f"drawing as {ext} needs Graphviz's program dot, which is not there: apt install "
            "graphviz; or write a .dot file, which needs nothing"
        )
    made = subprocess.run(["dot", f"-T{ext}"], input=source, capture_output=True, check=False)
    if made.returncode:
        said = made.stderr.decode(errors="replace").strip()
        raise CaffeError(f"dot does not draw this net as {ext}: {said}")
    return made.stdout


def draw_net_to_file(caffe_net, filename, rankdir="LR", phase=None, display_lrm=False):
    """Draw a net into a file, whose ending says the format; see `draw_net`.

    Parameters
    ----------
    caffe_net : caffe_pb2.NetParameter
    filename : str
    """
    ending = str(filename).rpartition(".")[2]
    drawn = draw_net(caffe_net, rankdir, ending, phase, display_lrm)
    try:
        with replacing(Path(filename)) as temporary:
            Path(temporary).write_bytes(drawn)
    except OSError as error:
        raise CaffeError(f"{filename}: cannot be written: {error.strerror or error}") from error
