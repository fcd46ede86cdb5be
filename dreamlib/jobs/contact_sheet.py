"""A sheet that shows what every layer of a network, or every channel of one, does to a picture.

Each cell is a small dream of the picture. `contact_sheet` makes a sheet of any items with any net;
`run` is the command's ``--contact-sheet``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.ascent.objectives import Objective, l2
from dreamlib.ascent.regularizers import GradientRules, parse_sigmas
from dreamlib.dream import deepdream
from dreamlib.errors import DreamError
from dreamlib.imaging import inplace
from dreamlib.imaging.formats import check_output
from dreamlib.imaging.grid import Cell, draw_grid
from dreamlib.imaging.open_save import open_picture, save_picture
from dreamlib.imaging.picture import Metadata, Noise, Picture, shrunken, shrunken_size, to_levels
from dreamlib.imaging.resample import octave_sizes
from dreamlib.jobs.class_sheet import class_cells, wanted_classes
from dreamlib.jobs.outputs import EARLY, check_free, refuse_unused
from dreamlib.jobs.prepare import default_output, with_seed
from dreamlib.jobs.sheet_items import Item, check_number, choose_items, numbers
from dreamlib.models import engines
from dreamlib.models.input_size import misfit
from dreamlib.models.layers import dreamable_layers
from dreamlib.models.zoo import absolute_name, find_model
from dreamlib.settings import to_toml
from dreamlib.util.progress import Progress, phase

#: Longest side of a cell's picture.
SIDE = 256

#: What shows the character of low layers and of high ones in so small a picture; by the names of
#: settings. Steep octaves give the high layers, whose patterns are large, something to begin with.
DREAM = {"iterations": 10, "octaves": 4, "octave_scale": 1.5, "step_size": 2.0, "jitter": 16}

DEAD = "no gradient reaches the picture: nothing in it makes this {} active"


class Sheet(NamedTuple):
    """A sheet, perhaps not of all that was wanted."""

    pixels: np.ndarray  #: (H, W, 3) of uint8
    cells: int  #: beside the undreamt picture
    interrupted: bool  #: whether Ctrl-C ended it early


class Result(NamedTuple):
    """What became of a sheet that the command was asked for."""

    path: Path
    cells: int
    settings: object
    seconds: float
    interrupted: bool


class _Planned(NamedTuple):
    item: Item
    cell: Cell  #: without a picture; where none can be dreamt, with a fault
    sizes: list  #: of the octaves that reach the layer, none where the picture does not


def contact_sheet(net, pixels, items, definition=None, heading="", quiet=False, seed=0, **dream):
    """Dream a small picture in many ways and put the dreams side by side.

    Parameters
    ----------
    net : caffe.Classifier
    pixels : (H, W, 3) ndarray of uint8
        As large as a cell: see `dreamlib.imaging.picture.shrunken`.
    items : list of Item
        Layers, or channels of layers; see `choose_items`.
    definition : caffe_pb2.NetParameter, optional
        The net's prototxt, which tells what layers the picture reaches. Without it our engine finds
        out by trying; real Caffe ends the process.
    heading : str
    quiet : bool
        Show no progress.
    seed : int
        Of the jitter, anew for every cell.
    **dream
        Other values for `DREAM`, `clip`, and `smooth` and `laplacian`, which shape gradients.

    Returns
    -------
    Sheet
        The undreamt picture is its first cell. After Ctrl-C it holds what was finished.

    Raises
    ------
    DreamError
        Too many items, or one that the net does not have.
    """
    check_number(len(items), "are asked for")
    size = pixels.shape[:2]
    cells = [Cell("undreamt", f"{size[1]} x {size[0]} pixels", pixels)]
    cells += _small_dreams(net, pixels, items, definition, quiet, seed, **dream)
    grid = draw_grid(cells, size, heading)
    return Sheet(grid, len(cells) - 1, len(cells) <= len(items))


def _small_dreams(net, pixels, items, definition=None, quiet=False, seed=0, **dream):
    """Yield the cell of each item, in order, until Ctrl-C.

    That of a layer that the picture does not reach, or that gives no gradient, says so.
    """
    dream = {**DREAM, **dream}
    planned = _plan(net, items, pixels.shape[:2], definition, dream)
    sizes = [octave for one in planned for octave in one.sizes]
    with Progress(sizes, dream["iterations"], quiet, parts=("cell", len(planned))) as progress:
        for index, one in enumerate(planned):
            cell, finished = _dreamt(net, pixels, one, index, progress, seed, dream)
            if finished:
                yield cell
            if progress.interrupted:
                break


def layer_examples(model, pixels):
    """Dream a small picture in every layer of a model.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    pixels : (H, W, 3) ndarray of uint8

    Returns
    -------
    list of str
        The layers.
    iterator of (h, w, 3) ndarray of uint8, or None
        The dream of each, made when it is asked for; None where there is none.
    """
    net = engines.load_net(model)
    items = choose_items(net, model)
    definition = engines.read_definition(model, "auto")
    cells = _small_dreams(net, pixels, items, definition, quiet=True)
    return [item.layer for item in items], (cell.pixels for cell in cells)


def _plan(net, items, size, definition, dream):
    """Resolve titles, and the octaves that each item can be dreamt on."""
    layers = {name: (kind, shape[1]) for name, kind, shape in dreamable_layers(net)}
    reach, planned = {}, []
    for item in items:
        kind, channels = layers.get(item.layer, (None, 0))
        if kind is None or not 0 <= (item.channel or 0) < channels:
            raise DreamError(
                f"{item} is not in the network; expected a layer of dreamable_layers(net) and one "
                "of its channels, counted from 0"
            )
        if item.layer not in reach:
            reach[item.layer] = _octaves(definition, item.layer, size, dream)
        sizes, fault = reach[item.layer]
        title, note = f"channel {item.channel}", item.layer
        if item.channel is None:
            title, note = item.layer, f"{kind}, {channels} channel{'s' * (channels != 1)}"
        planned.append(_Planned(item, Cell(title, note, None, fault), sizes))
    return planned


def _octaves(definition, layer, size, dream):
    """Return the sizes of as many octaves as reach a layer, and why there are none."""
    fault = misfit(definition, layer, *size) if definition is not None else ""
    if fault:
        return [], f"not reached: {fault}"
    sizes = octave_sizes(*size, dream["octaves"], dream["octave_scale"])
    while definition is not None and any(misfit(definition, layer, *one) for one in sizes):
        sizes = sizes[1:]
    return sizes, ""


def _dreamt(net, pixels, planned, index, progress, seed, dream):
    """Dream one cell; return it and whether it was finished."""
    (layer, channel), cell, sizes = planned
    if cell.fault:
        return cell, True
    alive, steps = False, 0

    def on_step(step):
        nonlocal alive, steps
        steps += 1
        # After a first step with a gradient the picture is one that the layer answers to.
        alive = alive or inplace.mean_abs(net.blobs[net.inputs[0]].diff[0]) > 0
        return progress(step._replace(octave=index))

    np.random.seed(seed)  # every cell is the same whatever is dreamt beside it
    try:
        dreamt = deepdream(
            net, pixels, dream["iterations"], len(sizes), dream["octave_scale"], layer,
            dream.get("clip", True), on_step, step_size=dream["step_size"], jitter=dream["jitter"],
            objective=_Shaped(l2(layer, None if channel is None else [channel]), dream),
        )  # fmt: skip
    except DreamError as error:
        return cell._replace(fault=str(error)), True
    finished = steps == len(sizes) * dream["iterations"]
    if not alive:
        return cell._replace(fault=DEAD.format("layer" if channel is None else "channel")), finished
    return cell._replace(pixels=to_levels(dreamt)), finished


class _Shaped(Objective):
    """An objective whose gradient at the picture is filtered, as `GradientRules.shape` does."""

    def __init__(self, objective, dream):
        super().__init__(objective.terms)
        sigmas = parse_sigmas(dream["smooth"]) if dream.get("smooth") else ()
        self._rules = GradientRules(sigmas, dream.get("laplacian", 0))

    def climb(self, run, part_of=None):
        super().climb(run, part_of)
        self._rules.shape(run.net.blobs[run.net.inputs[0]].diff[0])


def run(source, output, text, settings):
    """Make a sheet from file to file.

    Parameters
    ----------
    source : str
        A picture file, or ``noise:WIDTHxHEIGHT``.
    output : str or None
        By default ``STEM_sheet.png`` in the current folder.
    text : str
        See `choose_items`.
    settings : Settings
        Those of `DREAM` that were not given are `DREAM`'s.

    Returns
    -------
    Result
    """
    output = str(output or default_output(source, "sheet.png"))
    refuse_unused(settings, "sheet", output)
    check_output(output, source)
    check_free(output, settings.overwrite)
    model = find_model(settings.model)
    seed = with_seed(settings).seed
    phase("reading")
    picture = open_picture(source, seed, output, settings.tiff)
    if isinstance(picture, Noise):  # reduced it would be grey
        picture = Noise(*shrunken_size(picture, SIDE), seed)
    phase("network")
    classes = wanted_classes(text, model, seed)
    if classes:
        return _class_sheet(output, picture, model, classes, settings.replace(seed=seed))
    net = engines.load_net(model, settings.engine, settings.gpu, settings.precision)
    items = choose_items(net, model, text)
    tuned = {name: value for name, value in DREAM.items() if name not in settings.given}
    settings = settings.replace(
        model=absolute_name(settings.model or model.name), engine=engines.engine_name(net),
        end=None if items[0].channel is None else items[0].layer, seed=seed, **tuned,
    )  # fmt: skip
    dream = {name: getattr(settings, name) for name in (*DREAM, "clip", "smooth", "laplacian")}
    begin = time.monotonic()
    sheet = contact_sheet(
        net, shrunken(picture, SIDE), items, engines.read_definition(model, settings.engine),
        _heading(model, items, dream), settings.quiet, seed, **dream,
    )  # fmt: skip
    return _written(output, sheet, picture, settings, time.monotonic() - begin)


def _class_sheet(output, picture, model, classes, settings):
    """Make a sheet of classes."""
    begin = time.monotonic()
    small = picture
    if not isinstance(picture, Noise):
        small = Picture(shrunken(picture, SIDE))
    cells = list(class_cells(small, classes, settings))
    pixels = shrunken(small, SIDE)
    size = pixels.shape[:2]
    grid = draw_grid(
        [Cell("undreamt", f"{size[1]} x {size[0]} pixels", pixels), *cells], size,
        f"classes {numbers(classes)} of {model.name}",
    )  # fmt: skip
    sheet = Sheet(grid, len(cells), len(cells) < len(classes))
    engine = "caffe" if engines.import_engine(settings.engine).__name__ == "caffe" else "torch"
    model = absolute_name(settings.model or model.name)
    settings = settings.replace(model=model, engine=engine)
    return _written(output, sheet, picture, settings, time.monotonic() - begin)


def _written(output, sheet, picture, settings, seconds):
    """Write a sheet with the settings of its cells."""
    phase("writing")
    early = f"{EARLY}\n" if sheet.interrupted else ""
    words = f"# contact sheet: {sheet.cells} small dreams, longest side {SIDE} pixels\n"
    around = Picture(None, metadata=Metadata(picture.metadata.icc_profile))
    save_picture(
        output, sheet.pixels, early + words + to_toml(settings), around, settings.quality,
        settings.tiff,
    )  # fmt: skip
    return Result(Path(output), sheet.cells, settings, seconds, sheet.interrupted)


def _heading(model, items, dream):
    first = items[0]
    what = f"{len(items)} layer{'s' * (len(items) > 1)} of {model.name}"
    if first.channel is not None:
        chosen = numbers([item.channel for item in items])
        what = f"{first.layer} of {model.name}, channels {chosen}"
    return (
        f"{what}: {dream['iterations']} steps on each of {dream['octaves']} octaves, "
        f"{dream['step_size']:g} levels a step"
    )
