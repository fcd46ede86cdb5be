"""What a dream would be: a part of it dreamt at once, and its plan."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dreamlib.imaging.window import Window
from dreamlib.jobs.keyframes import parse_variations, settings_at
from dreamlib.jobs.plan import plan
from dreamlib.jobs.prepare import prepare
from dreamlib.jobs.run import run
from dreamlib.settings import BY_NAME, Settings
from dreamlib.tiling.octave_loop import CONTEXT
from studio.dreams.knobs import check_texts

#: Pixels from which on a trial sees only the region's surroundings, not to read all of the picture.
CUT_FROM = 4_000_000

#: Bytes a pixel of a frame, as PNG, and of the one that a film is gone on from.
FRAME_BYTES, LAST_BYTES = 3, 12


def try_region(order, say, leave):
    """Dream a part of a picture at the scale of the whole.

    Parameters
    ----------
    order : dict
        source, values (settings), region (four ints: left, top, width, height), size (two ints:
        width and height of the picture), output.

    Returns
    -------
    dict
        ``seconds``.
    """
    values = {**order["values"], "region": ",".join(map(str, order["region"]))}
    with tempfile.TemporaryDirectory() as folder:
        source = order["source"]
        if order["size"][0] * order["size"][1] > CUT_FROM:
            source, values["region"] = _surroundings(order, Path(folder) / "part.tif")
        settings = _picture_of(Settings(**values, quiet=True, gpu=order["gpu"]))
        result = run(prepare(source, order["output"], settings))
    return {"seconds": result.seconds}


def _picture_of(settings):
    """Return the settings of a film's first frame; those of a picture as they are."""
    if not settings.frames:
        return settings
    check_texts({"vary": settings.vary})
    return settings_at(settings, parse_variations(settings.vary), 0, settings.frames)


def _surroundings(order, output):
    """Cut the region out with all that its dream looks at.

    Returns the file, and where in it the region is.
    """
    from dreamlib.imaging.vips.library import libvips, to_depth
    from dreamlib.imaging.vips.reading import open_picture, split

    vips = libvips()
    scale, octaves = (
        order["values"].get(name, BY_NAME[name].default) for name in ("octave_scale", "octaves")
    )
    margin = int(2 * CONTEXT * scale ** (octaves - 1))
    left, top, width, height = order["region"]
    part = Window(max(0, top - margin), max(0, left - margin), 0, 0)
    right = min(order["size"][0], left + width + margin)
    bottom = min(order["size"][1], top + height + margin)
    image = split(open_picture(order["source"]))[0]
    image = image.crop(part.left, part.top, right - part.left, bottom - part.top)
    try:
        to_depth(image, image.format).tiffsave(str(output))
    except vips.Error as error:
        from dreamlib.errors import DreamError

        raise DreamError(f"the picture cannot be read: {error}") from error
    return str(output), f"{left - part.left},{top - part.top},{width},{height}"


def tell_plan(order, say, leave):
    """Say what a dream would take.

    Parameters
    ----------
    order : dict
        source, suffix, values (settings), gpu.

    Returns
    -------
    dict
        ``plan``, a table to be shown as it is.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / f"dream{order['suffix']}"
        frames = order["values"].get("frames")
        own = {} if frames else {"work_dir": f"{folder}/work"}  # as the dream will be
        settings = _picture_of(Settings(**order["values"], **own, quiet=True, gpu=order["gpu"]))
        if frames:
            output = output.with_suffix(".png")
        job = prepare(order["source"], output, settings, planning=True)
        told = plan(job)
        if frames:
            told = f"each frame:\n{told}\n\n{_film(job, frames)}"
        return {"plan": told}


def _film(job, frames):
    """Say how many times a frame a film is, and what it takes on the disk until it is done."""
    pixels = job.picture.height * job.picture.width
    held = pixels * (frames * FRAME_BYTES + LAST_BYTES)
    lines = f"{frames} frames: {frames} times that", f"{held / 1e6:.0f} MB at most, for the frames"
    return f"film         {lines[0]}\ndisk         {lines[1]}"
