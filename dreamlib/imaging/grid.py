"""Small pictures in a grid, each with its name under it, drawn with Pillow's own font."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BACKGROUND, PLATE = (24, 24, 26), (54, 54, 58)
BRIGHT, DIM = (238, 238, 238), (168, 168, 172)

#: Heights of the letters in pixels.
HEADING, TITLE, NOTE = 24, 17, 14
MARGIN, GAP, ROW_GAP = 18, 12, 16

#: Distance of two lines in the font of dots that old Pillows have.
DOTS_LINE = 13

#: Least width of a cell in pixels: names need it, however narrow the picture.
LEAST_CELL = 200


class Cell(NamedTuple):
    """One place of the grid."""

    title: str
    note: str = ""  #: a second line, smaller
    pixels: np.ndarray | None = None  #: (H, W, 3) of uint8
    fault: str = ""  #: why there are none


def draw_grid(cells, size, heading="", width=2000):
    """Draw cells from left to right and top to bottom.

    Parameters
    ----------
    cells : list of Cell
    size : (height, width)
        Of every picture.
    heading : str
        Stands above them.
    width : int
        Of the grid in pixels, at most, unless one cell alone is wider.

    Returns
    -------
    (H, W, 3) ndarray of uint8
    """
    from PIL import Image

    cell_width = max(LEAST_CELL, size[1])
    columns = max(1, (width - 2 * MARGIN + GAP) // (cell_width + GAP))
    columns = min(columns, len(cells))
    notes = any(cell.note for cell in cells)
    row_height = size[0] + 4 + _line(TITLE) + (_line(NOTE) if notes else 0) + ROW_GAP
    above = MARGIN + (_line(HEADING) + ROW_GAP if heading else 0)
    rows = -(-len(cells) // columns)
    inner = columns * (cell_width + GAP) - GAP
    sheet = Image.new(
        "RGB", (inner + 2 * MARGIN, above + rows * row_height - ROW_GAP + MARGIN), BACKGROUND
    )
    _write(sheet, heading, (MARGIN, MARGIN), HEADING, BRIGHT, inner)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        left, top = MARGIN + column * (cell_width + GAP), above + row * row_height
        corner = (left + (cell_width - size[1]) // 2, top)
        if cell.pixels is not None:
            sheet.paste(Image.fromarray(cell.pixels), corner)
        else:
            sheet.paste(_plate(cell.fault, (cell_width, size[0])), (left, top))
            corner = (left, top)
        below = top + size[0] + 4
        room = left + cell_width - corner[0]
        _write(sheet, cell.title, (corner[0], below), TITLE, BRIGHT, room)
        _write(sheet, cell.note, (corner[0], below + _line(TITLE)), NOTE, DIM, room)
    return np.asarray(sheet)


def _plate(text, size):
    """Stand in for a picture that could not be made: the reason, as much as has room."""
    from PIL import Image

    plate = Image.new("RGB", size, PLATE)
    room = size[0] - 2 * GAP
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _mask(longer, TITLE).width > room:
            lines.append(word)
        else:
            lines[-1] = longer
    top = max(0, (size[1] - len(lines) * _line(TITLE)) // 2)
    for number, line in enumerate(lines):
        _write(plate, line, (GAP, top + number * _line(TITLE)), TITLE, BRIGHT, room)
    return plate


def _line(height):
    """Return the distance between two lines of letters of a height."""
    return round(1.3 * height)


def _write(sheet, text, corner, height, colour, room):
    """Write a line, without its middle where it is too long."""
    if not text:
        return
    mask, kept = _mask(text, height), len(text)
    while mask.width > room and kept > 3:
        kept = min(kept - 1, int(kept * room / mask.width))
        mask = _mask(text[: kept // 2] + ".." + text[len(text) - (kept - kept // 2) :], height)
    sheet.paste(colour, corner, mask)


def _mask(text, height):
    """Draw a line of text, white on black, as wide as it is and `_line(height)` high."""
    from PIL import Image, ImageDraw, ImageFont

    text = text.encode("ascii", "replace").decode()  # more than the old font has
    try:
        font, line, dots = ImageFont.load_default(height), _line(height), False
    except (TypeError, ImportError, OSError):  # before Pillow 10.1, or without FreeType
        font, line, dots = ImageFont.load_default(), DOTS_LINE, True
    mask = Image.new("L", (line * len(text) + 1, line))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=font)
    mask = mask.crop((0, 0, (mask.getbbox() or (0, 0, 1, 1))[2], line))
    if not dots:
        return mask
    # That font has one size: each dot becomes a square, and then they are averaged.
    mask = mask.resize((4 * mask.width, 4 * line), Image.NEAREST)
    return mask.resize((max(1, mask.width * _line(height) // (4 * line)), _line(height)), Image.BOX)
