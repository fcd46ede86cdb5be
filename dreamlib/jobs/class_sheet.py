"""The cells of a contact sheet of classes: each is drawn as ``--target`` draws it, by script."""

from __future__ import annotations

import re

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.grid import Cell
from dreamlib.imaging.picture import to_levels
from dreamlib.jobs.prepare import choose_script, open_network
from dreamlib.jobs.resolve import make_job
from dreamlib.jobs.run import NothingMoved, dream_levels, work
from dreamlib.jobs.sheet_items import check_number
from dreamlib.models.labels import parse_targets
from dreamlib.util.progress import Progress

#: What asks for classes where a layer, or a pattern, could stand.
PREFIX = "classes:"


def wanted_classes(text, model, seed):
    """Read which classes a sheet is to show.

    Parameters
    ----------
    text : str
        ``classes:`` and what ``--target`` takes without weights, ranges among it; or
        ``LAYER[NUMBERS]`` of the model's class layer.
    model : dreamlib.models.model.Model
    seed : int
        Draws ``random``.

    Returns
    -------
    list of int, or None
        None where layers or channels are asked for.

    Raises
    ------
    DreamError
        There is no such class, or too many are asked for, or the model has no classes.
    """
    of_layer = model.class_layer and re.fullmatch(rf"{re.escape(model.class_layer)}\[(.+)\]", text)
    if not of_layer and not text.startswith(PREFIX):
        return None
    if not model.class_layer:
        raise DreamError(
            f"--contact-sheet {text}: model {model.name} names no layer of class scores; write "
            "class_layer = LAYER into its model.toml, or take another --model"
        )
    names = []
    for part in (of_layer[1] if of_layer else text[len(PREFIX) :]).split(","):
        span = re.fullmatch(r"\s*(\d{1,6})\s*-\s*(\d{1,6})\s*", part)
        first, last = map(int, span.groups()) if span else (0, 0)
        check_number(last - first + 1, "classes are asked for")
        names += map(str, range(first, last + 1)) if span else [part.strip()]
    targets = parse_targets(", ".join(names), model.known_labels(), np.random.RandomState(seed))
    check_number(len(targets), "classes are asked for")
    if any(weight != 1 for _, weight in targets):
        raise DreamError(f"--contact-sheet {text}: a class of a sheet has no weight; leave it out")
    return [index for index, _ in targets]


def class_cells(picture, classes, settings):
    """Draw classes, each by itself; yield the cell of each until Ctrl-C.

    Parameters
    ----------
    picture : picture
        As large as a cell: see `dreamlib.imaging.picture`.
    classes : list of int
    settings : Settings
        With a seed.

    Yields
    ------
    Cell
        That of a class that cannot be drawn says why.
    """
    settings = settings.replace(target=str(classes[0]))
    way, begun = choose_script(settings, picture)
    network = open_network(way)
    labels = network.published.known_labels()
    first = make_job(network, begun, way, "cell.png")
    sizes, counts = work(first.dream)
    with Progress(
        sizes * len(classes), counts * len(classes), settings.quiet, parts=("cell", len(classes))
    ) as progress:
        for number, index in enumerate(classes):
            title = labels[index].split(",")[0] if labels else f"class {index}"
            cell = Cell(title, f"class {index}" if labels else "")
            way, begun = choose_script(settings.replace(target=str(index)), picture)
            try:
                job = make_job(network, begun, way, "cell.png")
                levels = dream_levels(job, _Cell(progress, number))
            except NothingMoved:
                levels = None
                cell = cell._replace(fault="no gradient reaches the picture")
            if progress.interrupted:
                return
            yield cell if levels is None else cell._replace(pixels=to_levels(levels))


class _Cell:
    """What the dream of one cell tells its progress to, as part of the sheet's."""

    left = False

    def __init__(self, progress, number):
        self._progress, self._number = progress, number

    def __call__(self, step):
        return self._progress(step._replace(octave=self._number))

    def say(self, line):
        """Do nothing: it is the same for every cell."""

    def skip(self, pixels):
        """Do nothing: a cell begins at its beginning."""
