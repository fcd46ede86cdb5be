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
    rooms = [size[1] if cell.pixels is not None else cell_width for cell in cells]
    rooms = [room + (cell_width - room) // 2 for room in rooms]
    titles = [_lines(cell.title, TITLE, room) for cell, room in zip(cells, rooms)]
    notes = [_lines(cell.note, NOTE, room) for cell, room in zip(cells, rooms)]
    under = max(
        max(1, len(title)) * _line(TITLE) + len(note) * _line(NOTE)
        for title, note in zip(titles, notes)
    )
    row_height = size[0] + 4 + under + ROW_GAP
    rows = -(-len(cells) // columns)
    inner = columns * (cell_width + GAP) - GAP
    headings = _lines(heading, HEADING, inner)
    above = MARGIN + (len(headings) * _line(HEADING) + ROW_GAP if heading else 0)
    sheet = Image.new(
        "RGB", (inner + 2 * MARGIN, above + rows * row_height - ROW_GAP + MARGIN), BACKGROUND
    )
    _write(sheet, headings, (MARGIN, MARGIN), HEADING, BRIGHT)
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
        _write(sheet, titles[index], (corner[0], below), TITLE, BRIGHT)
        below += len(titles[index]) * _line(TITLE)
        _write(sheet, notes[index], (corner[0], below), NOTE, DIM)
    return np.asarray(sheet)


def _plate(text, size):
    """Stand in for a picture that could not be made: the reason, as much as has room."""
    from PIL import Image

    plate = Image.new("RGB", size, PLATE)
    lines = _lines(text, TITLE, size[0] - 2 * GAP)
    top = max(0, (size[1] - len(lines) * _line(TITLE)) // 2)
    _write(plate, lines, (GAP, top), TITLE, BRIGHT)
    return plate


def _lines(text, height, room):
    """Break a text into lines that have room: between words, else where a word is too long."""
    lines = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _mask(longer, height).width <= room:
            lines[-1] = longer
            continue
        while _mask(word, height).width > room and len(word) > 1:
            part = len(word) - 1
            while part > 1 and _mask(word[:part], height).width > room:
                part = min(part - 1, int(part * room / _mask(word[:part], height).width))
                part = max(part, 1)
            after = max(word.rfind(mark, 1, part) for mark in "/_-.:,[") + 1
            part = after if after > 1 else part
            lines.append(word[:part])
            word = word[part:]
        lines.append(word)
    return lines


def _line(height):
    """Return the distance between two lines of letters of a height."""
    return round(1.3 * height)


def _write(sheet, lines, corner, height, colour):
    """Write lines one below the other."""
    for number, line in enumerate(lines):
        sheet.paste(colour, (corner[0], corner[1] + number * _line(height)), _mask(line, height))


def _mask(text, height):
    """Draw a line of text, white on black, as wide as it is and `_line(height)` high."""
    from PIL import Image, ImageDraw, ImageFont

    try:
        font, line, dots = ImageFont.load_default(height), _line(height), False
    except (TypeError, ImportError, OSError):  # before Pillow 10.1, or without FreeType
        font, line, dots = ImageFont.load_default(), DOTS_LINE, True
        text = text.encode("ascii", "replace").decode()  # more than that font has
    mask = Image.new("L", (line * len(text) + 1, line))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=font)
    mask = mask.crop((0, 0, (mask.getbbox() or (0, 0, 1, 1))[2], line))
    if not dots:
        return mask
    # That font has one size: each dot becomes a square, and then they are averaged.
    mask = mask.resize((4 * mask.width, 4 * line), Image.NEAREST)
    return mask.resize((max(1, mask.width * _line(height) // (4 * line)), _line(height)), Image.BOX)
