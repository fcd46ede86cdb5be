"""A plot of a few lines over time, drawn with Pillow: small enough for the documentation."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

SIZE, MARGIN = (880, 440), (70, 16, 20, 50)  #: left, top, right, bottom
LEGEND = 20  #: height of a line's name, above the plot
SCALE = 2  #: drawn so much larger first
COLOURS = ("#c0392b", "#e39b2d", "#2166ac", "#4d4d4d")
GRID, TEXT = "#dddddd", "#333333"


def draw(series, across, up):
    """Draw lines.

    Parameters
    ----------
    series : dict of str -> list of (float, float)
        What each line is called, and its points, both axes from 0.
    across, up : str
        What the axes show.

    Returns
    -------
    PIL.Image.Image
        With a palette of few colours.
    """
    left, over, right, bottom = (SCALE * side for side in MARGIN)
    top = over + SCALE * LEGEND * len(series)
    width, height = (SCALE * side for side in SIZE)
    image = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(13 * SCALE)
    points = [point for line in series.values() for point in line]
    most = [max(point[axis] for point in points) or 1 for axis in (0, 1)]
    steps = [step_of(value) for value in most]
    most[1] = -(-most[1] // steps[1]) * steps[1]

    def place(point):
        x = left + point[0] / most[0] * (width - left - right)
        return x, height - bottom - point[1] / most[1] * (height - top - bottom)

    for axis in (0, 1):
        value = 0.0
        while value <= most[axis] * 1.0001:
            ends = [(value, 0), (value, most[1])] if axis == 0 else [(0, value), (most[0], value)]
            pen.line([place(end) for end in ends], GRID, SCALE)
            x, y = place(ends[0])
            anchor, shift = ("ma", (0, 6)) if axis == 0 else ("rm", (-8, 0))
            there = x + SCALE * shift[0], y + SCALE * shift[1]
            pen.text(there, f"{value:g}", TEXT, font, anchor)
            value += steps[axis]
    pen.text((width - right, height - 6 * SCALE), across, TEXT, font, "rd")
    pen.text((left + 8 * SCALE, top), up, TEXT, font, "la")
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        pen.line([place(point) for point in line], colour, 2 * SCALE, joint="curve")
        x, y = width - right, over + LEGEND * number * SCALE
        pen.line([(x - 20 * SCALE, y), (x, y)], colour, 3 * SCALE)
        pen.text((x - 28 * SCALE, y), name, TEXT, font, "rm")
    return image.resize(SIZE, Image.LANCZOS).quantize(64, Image.Quantize.FASTOCTREE)


def step_of(most):
    """Return a round distance of grid lines for an axis up to `most`: 1, 2 or 5 times a power."""
    step = 10.0**-6
    while True:
        for factor in (1, 2, 5):
            if most / (factor * step) <= 8:
                return factor * step
        step *= 10
