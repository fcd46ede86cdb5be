"""The films that settings ask for, made of frames that are there."""

from __future__ import annotations

import contextlib
from pathlib import Path

from dreamlib.dream import Step
from dreamlib.errors import DreamError
from dreamlib.jobs.outputs import check_free, refuse_unused
from dreamlib.settings import BY_NAME
from dreamlib.util.progress import Progress, phase
from dreamlib.video.encode import assemble, check_film
from dreamlib.video.frame_folder import find_frames

#: Frames in a second, where nothing else is said.
FPS = 12.5


def wanted_films(settings):
    """Return the paths of the films that settings ask for; refuse what cannot be written.

    Parameters
    ----------
    settings : Settings

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
        films.append(path)
    return films


def assemble_folder(folder, settings):
    """Make films of the frames in a folder: the command's ``--assemble``.

    Parameters
    ----------
    folder : str
    settings : Settings

    Returns
    -------
    list of str, or None
        As for `make_films`.
    """
    refuse_unused(settings, "assembly", None)
    films = wanted_films(settings)
    if not films:
        raise DreamError(f"--assemble {folder}: name a film: --gif, --webp or --mp4 FILE")
    return make_films(find_frames(folder), films, settings)


def make_films(frames, films, settings):
    """Assemble frames into films, with progress.

    Parameters
    ----------
    frames : list of Path
    films : list of str
    settings : Settings

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
            whole = assemble(
                frames, film, settings.fps or FPS, settings.loop, order, settings.quality, on_frame
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
