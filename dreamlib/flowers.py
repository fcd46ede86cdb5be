"""A meadow to guide a dream by, made by the project itself: ``python -m dreamlib.flowers``."""

from __future__ import annotations

import numpy as np

from .clouds import command, fractal, mix, smoothstep

#: Colours of petals, outside and towards the middle.
PETALS = (
    ((226, 62, 118), (120, 12, 70)),
    ((250, 196, 44), (226, 104, 12)),
    ((246, 240, 236), (206, 190, 214)),
    ((150, 84, 210), (70, 30, 130)),
    ((236, 84, 40), (140, 16, 16)),
)
HEART_COLOUR, HEART_RIM = (250, 214, 70), (120, 70, 10)


def flowers(width, height, seed=0):
    """Make a meadow seen from above: petalled flowers on leaves, the last ones on top.

    Parameters
    ----------
    width, height : int
        In pixels.
    seed : int

    Returns
    -------
    (height, width, 3) ndarray of uint8
        RGB; the same for the same seed.
    """
    random = np.random.RandomState(seed)
    blades = smoothstep(-1.5, 1.5, fractal(random, height, width, slope=1.1))
    picture = mix([14, 44, 18], [96, 150, 58], blades[..., None])
    down, across = np.mgrid[:height, :width].astype(np.float64)
    for number in range(40):
        radius = (0.1 + 0.07 * random.rand()) * min(height, width) * (1 + number / 40)
        place = random.rand(2) * (height, width)
        _add_flower(picture, down - place[0], across - place[1], radius, random)
    return np.uint8(np.clip(np.rint(picture), 0, 255))


def _add_flower(picture, down, across, radius, random):
    """Paint a flower; `down` and `across` are each pixel's distance from its middle."""
    count, turn = random.randint(6, 14), random.rand() * 2 * np.pi
    outer, inner = PETALS[random.randint(len(PETALS))]
    distance = np.hypot(down, across) / radius
    wave = np.abs(np.cos(count / 2 * (np.arctan2(down, across) + turn)))  # 1 along a petal
    edge = 0.5 + 0.5 * wave**0.6
    soft = 1 / radius  # a pixel
    _lay(picture, [6, 18, 8], 0.6 * smoothstep(0.3, -0.1, distance - edge))  # its shadow
    colour = mix(inner, outer, smoothstep(0.15, 0.9, distance)[..., None])
    colour *= (0.6 + 0.4 * smoothstep(0, 0.7, wave))[..., None]  # dark where petals meet
    _lay(picture, colour, smoothstep(soft, -soft, distance - edge))
    heart = mix(HEART_COLOUR, HEART_RIM, smoothstep(0.1, 0.28, distance)[..., None])
    _lay(picture, heart, smoothstep(soft, -soft, distance - 0.27))


def _lay(picture, colour, cover):
    """Cover a picture with a colour, in place."""
    picture += (np.float64(colour) - picture) * cover[..., None]


def main(argv=None):
    """Write a meadow to a file."""
    command(flowers, "flowers", "640x480", argv)


if __name__ == "__main__":
    main()
