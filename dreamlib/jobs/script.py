"""Dreams by an octave script: when one is chosen, and the octaves that it makes."""

from __future__ import annotations

from dreamlib.imaging.picture import Noise
from dreamlib.jobs.objective import drawn_objective
from dreamlib.settings import BY_NAME, changed
from dreamlib.tiling.memory_plan import LARGEST_WHOLE

#: The presets that a class is drawn by where no script is named: from noise, into a photograph.
FROM_NOISE, INTO_PICTURE = "draw", "photograph"

#: Settings that ask for the notebook's octaves where a class is dreamt and no script is named.
OF_OCTAVES = ("iterations", "octaves", "octave_scale", "step_size", "jitter", "schedule",
              "tile_size", "overlap", "wrap", "tile_steps", "storage", "region", "devices",
              "anchor")  # fmt: skip

#: What a drawing from noise begins with, in grey levels: mean of red, green and blue; deviation.
GREY, DEVIATION = (124, 116, 104), 8

#: A drawing from noise is made at least this many times as large as the network's input, and
#: reduced to the wanted size: else objects cling to the borders, which every window sees.
ROOM = 1.43


def choose_script(settings, picture):
    """Choose the script where a class is dreamt and nothing asks for the notebook's octaves.

    Parameters
    ----------
    settings : Settings
    picture : picture
        See `dreamlib.imaging.picture`.

    Returns
    -------
    Settings
        Its `script` is None for dreams by octaves.
    picture
        Grey noise in the place of noise, where classes are dreamt.
    """
    noise = isinstance(picture, Noise)
    if settings.script is None:
        small = picture.height * picture.width <= LARGEST_WHOLE
        if settings.target and small and not changed(settings, OF_OCTAVES):
            settings = settings.replace(script=FROM_NOISE if noise else INTO_PICTURE)
    if noise and (settings.script or settings.target):
        picture = grey_noise(picture.height, picture.width, settings.seed)
    return settings, picture


def grey_noise(height, width, seed):
    """Make the grey, hardly noisy picture that a drawing begins with: a `Noise`.

    Parameters
    ----------
    height, width : int
    seed : int

    Returns
    -------
    Noise
    """
    return Noise(height, width, seed, GREY, DEVIATION)


def octave_flags(settings):
    """List the flags that were given and by which a class is dreamt by the notebook's octaves.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of str
    """
    return [BY_NAME[name].flag for name in OF_OCTAVES if name in settings.given]


def script_octaves(net, settings, spec, size, noise):
    """Read the script of settings and size its octaves.

    Parameters
    ----------
    net : caffe.Classifier
    settings : Settings
    spec : dreamlib.ascent.objective_builder.ObjectiveSpec
    size : (height, width)
        Of the picture.
    noise : bool
        Whether the picture is noise.

    Returns
    -------
    list of (size, dreamlib.ascent.octave_script.ScriptOctave or None, ObjectiveSpec)
        The last is of the picture's size; without an octave of the script it is only brought to it.

    Raises
    ------
    DreamError
        A script that cannot be read, or a layer that is not there.
    """
    from dreamlib.ascent.octave_script import load_script

    script = load_script(settings.script)
    window = tuple(int(side) for side in net.crop_dims)
    least = [(ROOM if noise else 1) * side for side in window]
    scale = max(1, *(wanted / side for wanted, side in zip(least, size)))
    sizes = [tuple(round(scale * side) for side in size)]
    for octave in script[:0:-1]:
        smaller = (round(side / octave.scale) for side in sizes[-1])
        sizes.append(tuple(max(pair) for pair in zip(smaller, window)))
    octaves = [
        (drawn, octave, drawn_objective(net, spec, octave.layer) if octave.layer else spec)
        for drawn, octave in zip(sizes[::-1], script)
    ]
    if sizes[0] != tuple(size):
        octaves.append((tuple(size), None, spec))
    return octaves
