"""From file to file: which kind of job is asked for, and what does it."""

from __future__ import annotations

import os
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.settings import SETTINGS

#: Names of clips end so.
CLIPS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv")

#: Settings that say what to dream.
WHAT = {"end", "layers", "target", "guide"}

#: Settings that classes have their own of, octaves and a filter: a preset's would not suit them.
NOT_OF_CLASSES = {setting.name for setting in SETTINGS if setting.script_has_own} | {"laplacian"}


#: What a setting that is given rules out of a file, or of a preset: what would take its place, or
#: mean nothing beside it.
OVERRULED = {
    "end": {"layers", "target", "class_strength", "judges"},
    "layers": {"end"},
    "target": {"end"},
    "guide_layer": {"end"},
    "script": {*(one.name for one in SETTINGS if one.script_has_own), "schedule", "tile_size",
               "overlap"},
    "schedule": {"tile_size", "overlap"},
    "region": {"wrap"},
    "devices": {"gpu"},
}  # fmt: skip

#: Names of films that an animation is dreamt into; into others its first frame is.
FILMS = (".gif", ".webp", ".mp4", ".webm")


def is_clip(source, output=None):
    """Tell whether a source is a clip, not a picture.

    Parameters
    ----------
    source : str
        By its name a clip; or a folder, or an animated GIF, WebP or PNG.
    output : str, optional
        What will be written; a picture is one of an animation's first frame.

    Returns
    -------
    bool
    """
    if Path(source).suffix.lower() in CLIPS or os.path.isdir(source):
        return True
    if not os.path.isfile(source) or (output and Path(output).suffix.lower() not in FILMS):
        return False
    from dreamlib.imaging.animated import frames_of

    return frames_of(source) > 1


def kind_of(source, frames, output=None):
    """Return the kind of a dream: see `dreamlib.settings.JOBS`.

    Parameters
    ----------
    source : str
    frames : int or None
        The setting.
    output : str, optional

    Returns
    -------
    {'picture', 'frames', 'clip'}

    Raises
    ------
    DreamError
        Frames are asked for of a clip.
    """
    if is_clip(source, output):
        if frames is not None:
            raise DreamError(
                f"{source} is a clip, which has its own frames; leave --frames out, or name a "
                "picture"
            )
        return "clip"
    return "picture" if frames is None else "frames"


def overruled(read, given):
    """Leave out of a file's settings what those that are given rule out.

    Parameters
    ----------
    read, given : dict
        Settings by name.

    Returns
    -------
    dict
    """
    gone = {name for one in given for name in OVERRULED.get(one, ())}
    if given.get("script") and read.get("judges"):
        from dreamlib.ascent.octave_script import load_script

        if not any(octave.views for octave in load_script(given["script"])):
            gone.add("judges")  # they look on in direct ascent alone
    return {name: value for name, value in read.items() if name not in gone}


def with_preset(name, values):
    """Complete settings by those of a preset.

    Parameters
    ----------
    name : str
    values : dict
        Settings by name, which have the last word: the layer of a preset goes where they say what
        to dream.

    Returns
    -------
    dict
    """
    from dreamlib.config import load_preset
    from dreamlib.models.zoo import find_model

    preset = load_preset(name, find_model(values.get("model")).name)
    if WHAT & set(values):
        preset = {key: value for key, value in preset.items() if key not in WHAT}
    if {"target", "script"} & set(values):
        preset = {key: value for key, value in preset.items() if key not in NOT_OF_CLASSES}
    return {**overruled(preset, values), **values}


def run_source(source, output, settings):
    """Dream a picture, the frames of a film or a clip, from file to file: see `dreamlib.run`.

    Returns
    -------
    dreamlib.jobs.run.Result or dreamlib.jobs.film.Result
    """
    from dreamlib.jobs.outputs import refuse_unused

    kind = kind_of(source, settings.frames, output)
    refuse_unused(settings, kind, output)
    if kind == "frames":
        from dreamlib.jobs.frames import run_frames

        return run_frames(source, output, settings)
    if kind == "clip":
        from dreamlib.jobs.clip import run_clip

        return run_clip(source, output, settings)
    from dreamlib.jobs.prepare import prepare
    from dreamlib.jobs.run import run

    return run(prepare(source, output, settings))
