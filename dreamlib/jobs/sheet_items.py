"""What a contact sheet is to show: layers of a network, or channels of one of them."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import NamedTuple

from dreamlib.ascent.objective_parser import parse_channels
from dreamlib.errors import DreamError
from dreamlib.models.layers import check_layer, dreamable_layers

#: Cells of a sheet that one still looks at.
MOST_CELLS = 300


class Item(NamedTuple):
    """What one cell dreams."""

    layer: str
    channel: int | None = None  #: all of them where None


def choose_items(net, model, text=""):
    """Read what the sheet is to show; refuse what is not there, or too much.

    Parameters
    ----------
    net : caffe.Net
    model : dreamlib.models.model.Model
    text : str
        Nothing for all layers; ``LAYER`` for its channels, ``LAYER[0-31,47]`` for some of
        them; or a pattern with ``*`` or ``?`` for the layers that match.

    Returns
    -------
    list of Item
    """
    channels = {name: shape[1] for name, _, shape in dreamable_layers(net)}
    some = re.fullmatch(r"(.+)\[([^\[\]]*)\]", text)
    if text in channels:
        check_number(channels[text], f"channels are in {text!r}", f"{text}[0-{MOST_CELLS - 1}]")
        return [Item(text, channel) for channel in range(channels[text])]
    if some:
        layer, wanted = some.groups()
        _check_layer(net, layer, model)
        chosen = parse_channels(wanted, layer, channels[layer], "--contact-sheet")
        advice = f"{layer}[{chosen[0]}-{chosen[0] + MOST_CELLS - 1}]"
        check_number(len(chosen), "channels are asked for", advice)
        return [Item(layer, channel) for channel in chosen]
    if not text or "*" in text or "?" in text:
        found = [Item(name) for name in channels if fnmatch.fnmatchcase(name, text or "*")]
        if not found:
            raise DreamError(
                f"--contact-sheet {text}: no layer of model {model.name} is named so; expected a "
                "pattern as 'block*' (all layers: --list-layers)"
            )
        check_number(len(found), "layers are asked for", "a pattern as 'block1?'")
        return found
    return _check_layer(net, text, model)  # which knows what is wrong with it


def _check_layer(net, layer, model):
    if Path(layer).exists():
        raise DreamError(
            f"--contact-sheet took the file {layer} for a layer; write it after INPUT and OUTPUT"
        )
    try:
        check_layer(net, layer, model)
    except DreamError as error:
        said = str(error).replace("--end", "--contact-sheet")
        raise DreamError(f"{said} (a class is written classes:NAME)") from error


def numbers(chosen):
    """Write numbers shortly, as they were meant: ``0-31, 47``.

    Parameters
    ----------
    chosen : list of int

    Returns
    -------
    str
    """
    runs = []
    for number in chosen:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def check_number(number, what, advice="fewer"):
    """Refuse a sheet of more than `MOST_CELLS` cells.

    Parameters
    ----------
    number : int
    what, advice : str
        Parts of the message.
    """
    if number > MOST_CELLS:
        raise DreamError(
            f"{number} {what}, but a contact sheet holds at most {MOST_CELLS} cells; take {advice}"
        )
