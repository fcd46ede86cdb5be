"""Which kind of job is asked for, and what does it from file to file."""

from __future__ import annotations


def kind_of(source, frames):
    """Return the kind of a dream: see `dreamlib.settings.JOBS`.

    Parameters
    ----------
    source : str
        The input.
    frames : int or None
        The setting.

    Returns
    -------
    {'picture', 'frames', 'clip'}
    """
    from dreamlib.video.clip import is_clip

    if frames is not None:
        return "frames"
    return "clip" if is_clip(source) else "picture"


def runner_of(kind):
    """Return what does a job: a function of source, output and settings.

    Parameters
    ----------
    kind : {'picture', 'frames', 'clip'}
    """
    if kind == "frames":
        from dreamlib.jobs.frames import run_frames as run
    elif kind == "clip":
        from dreamlib.jobs.clip import run_clip as run
    else:
        from dreamlib.jobs.run import run_dream as run
    return run
