"""A sheet that shows a large picture: all of it, and six windows at its true scale."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.formats import check_output
from dreamlib.imaging.grid import BRIGHT, Cell, draw_grid
from dreamlib.imaging.open_save import open_picture, save_picture
from dreamlib.imaging.picture import Metadata, Picture, Window, shrunken, to_levels, white_of
from dreamlib.imaging.resample import STRIP
from dreamlib.jobs.demands import refuse_unreadable
from dreamlib.jobs.outputs import check_free, recorded_text, refuse_unused
from dreamlib.jobs.prepare import default_output
from dreamlib.util.progress import phase

#: Height and width of a window and of the whole, in pixels of the sheet.
SIZE = 300, 400

#: Parts of the picture, each of which has a window: rows and columns.
PARTS = 2, 3

#: Longest side of the copy in which detail is looked for.
COPY = 1024

#: Width of a frame around a window in the whole, in pixels of the sheet.
FRAME = 2


class Result(NamedTuple):
    """What became of a sheet."""

    path: Path
    windows: list  #: of `Window`
    seconds: float


def run(source, output, settings):
    """Make a sheet of details from file to file.

    Parameters
    ----------
    source : str
        A picture file of any size, or ``noise:WIDTHxHEIGHT``.
    output : str or None
        By default ``STEM_details.png`` in the current folder.
    settings : Settings

    Returns
    -------
    Result

    Raises
    ------
    DreamError
        The picture cannot be read, or is too small for six windows.
    """
    begin = time.monotonic()
    output = str(output or default_output(source, "details.png"))
    refuse_unused(settings, "details", output)
    check_output(output, source)
    check_free(output, settings.overwrite)
    phase("reading")
    refuse_unreadable(settings, source, output)
    picture = open_picture(source, settings.seed, output, settings.tiff)
    height, width = picture.height, picture.width
    if height < PARTS[0] * SIZE[0] or width < PARTS[1] * SIZE[1]:
        raise DreamError(
            f"{source} has {width} x {height} pixels; six windows of {SIZE[1]} x {SIZE[0]} at true "
            f"scale take {PARTS[1] * SIZE[1]} x {PARTS[0] * SIZE[0]} or more: look at it as it is"
        )
    copy = shrunken(picture, COPY)
    windows = detailed_windows(copy, (height, width))
    cells = [Cell("all of it", f"{width} x {height} pixels", overview(copy, windows, height))]
    for window, pixels in zip(windows, cut_windows(picture, windows)):
        place = f"{window.left},{window.top},{window.width},{window.height}"
        cells.append(Cell(place, "true scale", pixels))
    sheet = draw_grid(cells, SIZE, Path(source).name, width=4 * (SIZE[1] + 12) + 30)
    phase("writing")
    around = Picture(None, metadata=Metadata(picture.metadata.icc_profile))
    text = "# details\n" + (recorded_text(source) or "")
    save_picture(output, sheet, text, around, settings.quality, settings.tiff)
    return Result(Path(output), windows, time.monotonic() - begin)


def detailed_windows(copy, size):
    """Choose a window in each of six parts of a picture: where there is most to see.

    Parameters
    ----------
    copy : (h, w, 3) ndarray of uint8
        The picture, reduced.
    size : (height, width)
        Of the picture itself, in pixels.

    Returns
    -------
    list of Window
        In the picture's pixels, row by row.
    """
    grey = copy.astype(np.float32).mean(axis=2)
    detail = np.zeros_like(grey)
    detail[:, 1:] += np.abs(np.diff(grey, axis=1))
    detail[1:] += np.abs(np.diff(grey, axis=0))
    # The sum over any rectangle is four of these away.
    sums = np.pad(detail.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    scale = [side / of for side, of in zip(grey.shape, size)]
    high, wide = (max(1, round(side * by)) for side, by in zip(SIZE, scale))
    windows = []
    for row in range(PARTS[0]):
        for column in range(PARTS[1]):
            top, bottom = (grey.shape[0] * part // PARTS[0] for part in (row, row + 1))
            left, right = (grey.shape[1] * part // PARTS[1] for part in (column, column + 1))
            tops = np.arange(top, max(top, bottom - high) + 1)[:, None]
            lefts = np.arange(left, max(left, right - wide) + 1)
            downs, rights = np.minimum(tops + high, bottom), np.minimum(lefts + wide, right)
            inside = sums[downs, rights] - sums[tops, rights] - sums[downs, lefts]
            best = np.unravel_index((inside + sums[tops, lefts]).argmax(), inside.shape)
            place = tops[best[0], 0] / scale[0], lefts[best[1]] / scale[1]
            top, left = (
                min(round(float(at)), side - part) for at, side, part in zip(place, size, SIZE)
            )
            windows.append(Window(top, left, *SIZE))
    return windows


def cut_windows(picture, windows):
    """Read windows of a picture, by strips.

    Parameters
    ----------
    picture : picture
        See `dreamlib.imaging.picture`.
    windows : list of Window

    Returns
    -------
    list of (h, w, 3) ndarray of uint8
    """
    cut = [np.empty((window.height, window.width, 3), np.uint8) for window in windows]
    for top, rows in picture.strips(max(1, STRIP // picture.width)):
        for window, pixels in zip(windows, cut):
            first, last = max(top, window.top), min(top + len(rows), window.top + window.height)
            if first < last:
                part = rows[first - top : last - top, window.left : window.left + window.width]
                pixels[first - window.top : last - window.top] = to_levels(
                    part, scale=255 / white_of(part.dtype)
                )
    return cut


def overview(copy, windows, height):
    """Draw all of a picture into a cell, and frames where the windows are.

    Parameters
    ----------
    copy : (h, w, 3) ndarray of uint8
        The picture, reduced.
    windows : list of Window
        In the picture's own pixels.
    height : int
        Of the picture, in these.

    Returns
    -------
    (h, w, 3) ndarray of uint8
        `SIZE`, black where the picture has another shape.
    """
    from PIL import Image

    fit = min(side / of for side, of in zip(SIZE, copy.shape))
    small = Image.fromarray(copy).resize(
        (max(1, int(copy.shape[1] * fit)), max(1, int(copy.shape[0] * fit))), Image.BOX
    )
    small = np.array(small)
    scale = small.shape[0] / height
    for window in windows:
        top, left = int(window.top * scale), int(window.left * scale)
        bottom = min(int((window.top + window.height) * scale), small.shape[0] - 1)
        right = min(int((window.left + window.width) * scale), small.shape[1] - 1)
        small[top : bottom + 1, left : left + FRAME] = BRIGHT
        small[top : bottom + 1, max(left, right + 1 - FRAME) : right + 1] = BRIGHT
        small[top : top + FRAME, left : right + 1] = BRIGHT
        small[max(top, bottom + 1 - FRAME) : bottom + 1, left : right + 1] = BRIGHT
    whole = np.zeros((*SIZE, 3), np.uint8)
    top, left = ((side - of) // 2 for side, of in zip(SIZE, small.shape))
    whole[top : top + small.shape[0], left : left + small.shape[1]] = small
    return whole
