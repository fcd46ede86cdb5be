"""Before a dream: a part of it, dreamt at once, and its plan."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dreamlib import (
    BY_NAME,
    REGION_CONTEXT,
    Settings,
    Window,
    cut_out,
    parse_variations,
    plan_job,
    prepare,
    run_job,
    settings_at,
)
from studio.texts import check_texts

#: Pixels from which on a trial sees only the region's surroundings, not to read all of the picture.
CUT_FROM = 4_000_000

#: Bytes a pixel of a frame, as PNG, and of the last one, unrounded, from which a film is resumed.
FRAME_BYTES, LAST_BYTES = 3, 12


def try_region(order, say, leave):
    """Dream a part of a picture at the scale of the whole.

    Parameters
    ----------
    order : dict
        source, values (settings), region (four ints: left, top, width, height), size (two ints:
        width and height of the picture), output.
    say, leave
        Unused; see `studio.child.dreams.dream`.

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
        result = run_job(prepare(source, order["output"], settings))
    return {"seconds": result.seconds}


def _picture_of(settings):
    """Return the settings of a film's first frame; those of a picture as they are."""
    if not settings.frames:
        return settings
    check_texts({"vary": settings.vary})
    first = settings_at(settings, parse_variations(settings.vary), 0, settings.frames)
    return first.applicable("picture")


def _surroundings(order, output):
    """Cut the region out with all that its dream looks at: the file, and the region in it."""
    scale, octaves = (
        order["values"].get(name, BY_NAME[name].default) for name in ("octave_scale", "octaves")
    )
    margin = int(2 * REGION_CONTEXT * scale ** (octaves - 1))
    left, top, width, height = order["region"]
    first, above = max(0, left - margin), max(0, top - margin)
    right = min(order["size"][0], left + width + margin)
    bottom = min(order["size"][1], top + height + margin)
    cut_out(order["source"], Window(above, first, bottom - above, right - first), output)
    return str(output), f"{left - first},{top - above},{width},{height}"


def tell_plan(order, say, leave):
    """Tell time, memory and disk of a dream.

    Parameters
    ----------
    order : dict
        source, suffix, values (settings), gpu.
    say, leave
        Unused; see `studio.child.dreams.dream`.

    Returns
    -------
    dict
        ``plan``: a table as text.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / f"dream{order['suffix']}"
        frames = order["values"].get("frames")
        own = {} if frames else {"work_dir": f"{folder}/work"}  # as the dream will be
        settings = _picture_of(Settings(**order["values"], **own, quiet=True, gpu=order["gpu"]))
        if frames:
            output = output.with_suffix(".png")
        job = prepare(order["source"], output, settings, planning=True)
        table = plan_job(job)
        if frames:
            table = f"each frame:\n{table}\n\n{_film(job, frames)}"
        return {"plan": table}


def _film(job, frames):
    """Tell a film's work as a multiple of a frame's, and its disk until it is done."""
    pixels = job.picture.height * job.picture.width
    held = pixels * (frames * FRAME_BYTES + LAST_BYTES)
    lines = f"{frames} frames: {frames} times that", f"{held / 1e6:.0f} MB at most, for the frames"
    return f"film         {lines[0]}\ndisk         {lines[1]}"
