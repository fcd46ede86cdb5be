"""The films that settings ask for, made of frames that are there."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from dreamlib.dream import Step
from dreamlib.errors import DreamError
from dreamlib.jobs.outputs import check_apart, check_free, refuse_unused
from dreamlib.settings import BY_NAME
from dreamlib.util.progress import Progress, phase
from dreamlib.video.clip import mux
from dreamlib.video.encode import assemble, check_film
from dreamlib.video.part import Part
from dreamlib.video.sources import FPS, FramesClip, open_source


def wanted_films(settings, source):
    """Return the paths of the films that settings ask for; refuse what cannot be written.

    Parameters
    ----------
    settings : Settings
    source : str
        What they are made of.

    Returns
    -------
    list of str
    """
    films = []
    for name, suffixes in (("gif", [".gif"]), ("webp", [".webp"]), ("mp4", [".mp4", ".webm"])):
        path = getattr(settings, name)
        if path is None:
            continue
        if Path(path).suffix.lower() not in suffixes:
            raise DreamError(
                f"{BY_NAME[name].flag} is {path!r}; expected a file that ends in "
                f"{' or '.join(suffixes)}"
            )
        check_film(path, settings.fps or FPS)
        check_free(path, settings.overwrite)
        check_apart(path, source, "what films are to be made of")
        films.append(path)
    return films


def assemble_frames(source, settings):
    """Make films of frames that are there: the command's ``--assemble``.

    Parameters
    ----------
    source : str
        A folder of frames, a film or an animation.
    settings : Settings

    Returns
    -------
    list of str, or None
        As for `make_films`.
    """
    refuse_unused(settings, "assembly", None)
    films = wanted_films(settings, source)
    if not films:
        raise DreamError(f"--assemble {source}: name a film: --gif, --webp or --mp4 FILE")
    clip = open_source(source, settings.fps)
    part = part_of(clip, settings)
    for film in films:
        check_film(film, part.fps, min(part.stays or [1]))
    with tempfile.TemporaryDirectory(prefix="dreamlib-") as folder:
        if isinstance(clip, FramesClip):
            frames = clip.files if part is clip else [clip.files[one] for one in part.numbers]
        else:  # in files, since they may run backwards
            phase("reading")
            frames = [_kept(folder, *one) for one in enumerate(part.frames_from())]
        return make_films(frames, films, settings, part)


def _kept(folder, number, pixels):
    """Write a frame for a while; return its path."""
    from PIL import Image

    path = Path(folder, f"{number:06d}.png")
    try:
        Image.fromarray(pixels).save(path, compress_level=1)
    except OSError as error:
        raise DreamError(
            f"{path} cannot be written: {error.strerror}; free some room, or set TMPDIR to a place "
            "that has some"
        ) from error
    return path


def part_of(clip, settings):
    """Return the part of a clip that ``--from``, ``--to`` and ``--every`` say, or all of it.

    Parameters
    ----------
    clip : see `dreamlib.video.sources.open_source`
    settings : Settings

    Returns
    -------
    clip or dreamlib.video.part.Part
    """
    wanted = settings.from_, settings.to, settings.every
    if wanted == (None, None, None):
        return clip
    return Part(clip, settings.from_ or 0, settings.to, settings.every or 1)


def chosen_loop(settings):
    """Return how often a film is to play; None where nothing is said.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int or None
    """
    return settings.loop if "loop" in settings.given else None


def make_films(frames, films, settings, clip=None):
    """Assemble frames into films, with progress.

    Parameters
    ----------
    frames : list of Path
    films : list of str
    settings : Settings
    clip : clip or dreamlib.video.part.Part, optional
        Whose times and sound they have; by default `FPS` and none.

    Returns
    -------
    list of str, or None
        The films; None where Ctrl-C ended it.
    """
    order = "reverse" if settings.reverse else "boomerang" if settings.boomerang else "forward"
    shown = max(1, 2 * len(frames) - 2) if settings.boomerang else len(frames)
    for film in films:
        phase("film")
        with writing(film, shown, settings.quiet) as on_frame:
            if clip:
                loop = chosen_loop(settings)
                whole = mux(frames, film, clip, settings.quality, on_frame, loop, order)
            else:
                fps = settings.fps or FPS
                whole = assemble(
                    frames, film, fps, settings.loop, order, settings.quality, on_frame
                )
        if not whole:
            return None
    return films


@contextlib.contextmanager
def writing(film, frames, quiet):
    """Show how far a film is that is written within the block.

    Parameters
    ----------
    film : str or Path
    frames : int
        Number of frames that are shown.
    quiet : bool

    Yields
    ------
    callable
        What `dreamlib.video.encode.assemble` calls after each frame.
    """
    parts = (f"{Path(film).name}: frame", frames)
    with Progress([(1, 1)] * frames, 1, quiet, parts=parts) as progress:
        yield lambda number, of: progress(Step(number - 1, 0, "", (1, 1), 1))
