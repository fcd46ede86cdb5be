"""A sky and a meadow to dream on: ``python -m dreamlib.imaging.samples clouds out.png``."""

from __future__ import annotations

import argparse

import numpy as np

from dreamlib.imaging.picture import to_levels

#: Colours of petals, outside and towards the middle.
PETALS = (
    ((226, 62, 118), (120, 12, 70)),
    ((250, 196, 44), (226, 104, 12)),
    ((246, 240, 236), (206, 190, 214)),
    ((150, 84, 210), (70, 30, 130)),
    ((236, 84, 40), (140, 16, 16)),
)
HEART_COLOUR, HEART_RIM = (250, 214, 70), (120, 70, 10)


def clouds(width, height, seed=0):
    """Make a sky: a blue gradient, cumulus clouds lit from above, a line of hills.

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
    down = np.linspace(0, 1, height)[:, None]
    sky = _mix([38, 92, 168], [176, 206, 232], down[..., None] ** 0.8) * np.ones((1, width, 1))

    density = _fractal(random, height, width, slope=1.7)
    cover = smoothstep(0.05, 0.9, density + 0.25 - 0.5 * np.abs(down - 0.4))
    # Light from above: bright where the cloud is thinner towards the sun, grey underneath.
    above = np.roll(density, max(1, height // 40), axis=0)  # the noise closes in itself
    light = np.clip(0.72 + 0.5 * (density - above), 0.35, 1)
    cloud = _mix([112, 122, 142], [255, 252, 245], light[..., None])
    picture = sky + (cloud - sky) * cover[..., None]

    ridge = _fractal(random, 1, width, slope=1.9)[0]
    for depth, (level, shade) in enumerate([(0.86, [92, 118, 140]), (0.93, [48, 66, 62])]):
        line = level + 0.035 * np.roll(ridge, depth * width // 3)
        hill = smoothstep(-0.004, 0.004, down - line)
        texture = 1 + 0.25 * _fractal(random, height, width, slope=1.2)
        picture += (np.multiply.outer(texture, shade) - picture) * hill[..., None]
    return to_levels(picture)


def _mix(one, other, share):
    """Go from one colour (or array) to another by a share of 0 to 1."""
    return np.float64(one) + (np.float64(other) - np.float64(one)) * share


def smoothstep(low, high, values):
    """Rise smoothly, as the shading languages' function of this name.

    Parameters
    ----------
    low, high : float
        Where 0 and 1 are reached; `high` may be the smaller.
    values : ndarray

    Returns
    -------
    ndarray
        From 0 to 1.
    """
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _fractal(random, height, width, slope):
    """Make noise whose amplitude falls with the frequency to the power `slope`; deviation 1."""
    rows = np.fft.fftfreq(height)[:, None] * height / max(height, width)
    columns = np.fft.rfftfreq(width) * width / max(height, width)
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) / frequency**slope
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=(height, width))
    return noise / noise.std()


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
    blades = smoothstep(-1.5, 1.5, _fractal(random, height, width, slope=1.1))
    picture = _mix([14, 44, 18], [96, 150, 58], blades[..., None])
    down, across = np.mgrid[:height, :width].astype(np.float64)
    for number in range(40):
        radius = (0.1 + 0.07 * random.rand()) * min(height, width) * (1 + number / 40)
        place = random.rand(2) * (height, width)
        _add_flower(picture, down - place[0], across - place[1], radius, random)
    return to_levels(picture)


def _add_flower(picture, down, across, radius, random):
    """Paint a flower; `down` and `across` are each pixel's distance from its middle."""
    count, turn = random.randint(6, 14), random.rand() * 2 * np.pi
    outer, inner = PETALS[random.randint(len(PETALS))]
    distance = np.hypot(down, across) / radius
    wave = np.abs(np.cos(count / 2 * (np.arctan2(down, across) + turn)))  # 1 along a petal
    edge = 0.5 + 0.5 * wave**0.6
    soft = 1 / radius  # a pixel
    _lay(picture, [6, 18, 8], 0.6 * smoothstep(0.3, -0.1, distance - edge))  # its shadow
    colour = _mix(inner, outer, smoothstep(0.15, 0.9, distance)[..., None])
    colour *= (0.6 + 0.4 * smoothstep(0, 0.7, wave))[..., None]  # dark where petals meet
    _lay(picture, colour, smoothstep(soft, -soft, distance - edge))
    heart = _mix(HEART_COLOUR, HEART_RIM, smoothstep(0.1, 0.28, distance)[..., None])
    _lay(picture, heart, smoothstep(soft, -soft, distance - 0.27))


def _lay(picture, colour, cover):
    """Cover a picture with a colour, in place."""
    picture += (np.float64(colour) - picture) * cover[..., None]


SAMPLES = {"clouds": clouds, "flowers": flowers}


def main(argv=None):
    """Write a generated picture to a file: ``clouds out.png --size 1024x576 --seed 1``.

    Parameters
    ----------
    argv : list of str, optional
        The command's words.
    """
    from dreamlib.imaging.formats import check_output
    from dreamlib.imaging.open_save import save_picture

    parser = argparse.ArgumentParser(
        prog="python -m dreamlib.imaging.samples", description="Make a picture to dream on."
    )
    parser.add_argument("sample", choices=SAMPLES)
    parser.add_argument("output")
    parser.add_argument("--size", default="1024x576", metavar="WIDTHxHEIGHT")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    width, height = (int(side) for side in arguments.size.split("x"))
    check_output(arguments.output)
    make = SAMPLES[arguments.sample]
    save_picture(arguments.output, make(width, height, arguments.seed))


if __name__ == "__main__":
    main()
