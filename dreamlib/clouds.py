"""A sky to dream on, made by the project itself: ``python -m dreamlib.clouds out.png``."""

from __future__ import annotations

import argparse

import numpy as np


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
    sky = mix([38, 92, 168], [176, 206, 232], down[..., None] ** 0.8) * np.ones((1, width, 1))

    density = fractal(random, height, width, slope=1.7)
    cover = smoothstep(0.05, 0.9, density + 0.25 - 0.5 * np.abs(down - 0.4))
    # Light from above: bright where the cloud is thinner towards the sun, grey underneath.
    above = np.roll(density, max(1, height // 40), axis=0)  # the noise closes in itself
    light = np.clip(0.72 + 0.5 * (density - above), 0.35, 1)
    cloud = mix([112, 122, 142], [255, 252, 245], light[..., None])
    picture = sky + (cloud - sky) * cover[..., None]

    ridge = fractal(random, 1, width, slope=1.9)[0]
    for depth, (level, shade) in enumerate([(0.86, [92, 118, 140]), (0.93, [48, 66, 62])]):
        line = level + 0.035 * np.roll(ridge, depth * width // 3)
        hill = smoothstep(-0.004, 0.004, down - line)
        texture = 1 + 0.25 * fractal(random, height, width, slope=1.2)
        picture += (np.multiply.outer(texture, shade) - picture) * hill[..., None]
    return np.uint8(np.clip(np.rint(picture), 0, 255))


def mix(one, other, share):
    """Go from one colour (or array) to another by a share of 0 to 1."""
    return np.float64(one) + (np.float64(other) - np.float64(one)) * share


def smoothstep(low, high, values):
    """Go from 0 at `low` to 1 at `high`, which may be the smaller, without a corner at either."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def fractal(random, height, width, slope):
    """Make noise whose amplitude falls with the frequency to the power `slope`; deviation 1.

    Parameters
    ----------
    random : numpy.random.RandomState
    height, width : int
    slope : float

    Returns
    -------
    (height, width) ndarray of float64
    """
    rows = np.fft.fftfreq(height)[:, None] * height / max(height, width)
    columns = np.fft.rfftfreq(width) * width / max(height, width)
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) / frequency**slope
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=(height, width))
    return noise / noise.std()


def command(make, module, size, argv=None):
    """Write a made picture to a file: the command of this module and its like.

    Parameters
    ----------
    make : callable
        Of width, height and seed.
    module : str
        Whose command it is.
    size : str
        The default, WIDTHxHEIGHT.
    argv : list of str, optional
    """
    from .images import check_output, save_picture

    about = make.__doc__.splitlines()[0]
    parser = argparse.ArgumentParser(prog=f"python -m dreamlib.{module}", description=about)
    parser.add_argument("output")
    parser.add_argument("--size", default=size, metavar="WIDTHxHEIGHT")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    width, height = (int(side) for side in arguments.size.split("x"))
    check_output(arguments.output)
    save_picture(arguments.output, make(width, height, arguments.seed), "")


def main(argv=None):
    """Write a sky to a file."""
    command(clouds, "clouds", "1024x576", argv)


if __name__ == "__main__":
    main()
