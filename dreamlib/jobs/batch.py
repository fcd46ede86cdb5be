"""Many inputs, one after the other, into one folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from dreamlib.errors import DreamError, reading
from dreamlib.imaging.formats import check_source, format_of
from dreamlib.jobs import CLIPS, is_clip
from dreamlib.jobs.outputs import EARLY, check_free, recorded_text
from dreamlib.jobs.prepare import default_output
from dreamlib.jobs.resume import unfinished
from dreamlib.settings import changed, refuse

#: How the names of outputs end, by kind of job.
ENDINGS = {"picture": "dream.png", "frames": "frames", "sheet": "sheet.png",
           "details": "details.png"}  # fmt: skip

#: Of one output, which several inputs cannot share.
OF_ONE = ("work_dir", "growth", "gif", "webp", "mp4")

#: Names of pictures in a folder end so.
PICTURES = tuple(f".{one}" for one in "png jpg jpeg webp tif tiff bmp gif ppm pgm pnm jp2 avif tga "
                 "hdr".split())  # fmt: skip


class Task(NamedTuple):
    """One input, and what is made of it."""

    source: str
    output: str


def tasks_of(sources, folder, kind, settings):
    """List what is to be dreamt into a folder; refuse what could not be, before any of it is.

    Parameters
    ----------
    sources : list of str
        Pictures, ``noise:WIDTHxHEIGHT``, clips; and folders, of which all pictures and clips are
        taken but those that are outputs here.
    folder : str
        Made if it is not there.
    kind : {'picture', 'frames', 'sheet'}
        Of job; clips are clips where pictures are.
    settings : Settings

    Returns
    -------
    list of Task

    Raises
    ------
    DreamError
        An input is not there, two would have one output, or an output is a file of the user's.
    """
    if Path(folder).exists() and not Path(folder).is_dir():
        raise DreamError(f"--output-dir {folder} is a file; name a folder")
    if format_of(folder) and not Path(folder).exists():
        raise DreamError(
            f"--output-dir {folder} would be a folder with a picture's name; one picture's output "
            f"stands after its input: dream.py {sources[0]} {folder}"
        )
    for source in sources[1:]:
        if not source.startswith("noise:") and not os.path.lexists(source):
            raise DreamError(
                f"{source}: there is no such file; with --output-dir all names are inputs, and the "
                "outputs are named after them"
            )
    tasks, inputs = {}, {source: _contents(source) for source in sources}
    every = [one for listed in inputs.values() for one in listed]
    if len(every) > 1:
        refuse(changed(settings, OF_ONE), "several inputs, each of which has its own")
    made = {os.path.realpath(output_of(one, folder, kind)) for one in every}
    for source, listed in inputs.items():
        if Path(source).is_dir():
            listed = [one for one in listed if os.path.realpath(one) not in made]
        if not listed:
            raise DreamError(f"{source} has no pictures or clips to dream; name another folder")
        for one in listed:
            output = output_of(one, folder, kind)
            other = tasks.setdefault(output, one)
            if other != one:
                raise DreamError(
                    f"{other} and {one} would both become {output}; rename one of them, or dream "
                    "them into two folders"
                )
            if not one.startswith("noise:"):
                check_source(one)
            if not Path(output).is_dir():
                check_free(output, settings.overwrite)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DreamError(f"--output-dir {folder} cannot be made: {error.strerror}") from error
    return [Task(source, output) for output, source in tasks.items()]


def settings_of(task, settings):
    """Return the settings of one of the inputs, where those of all ask for what is unfinished.

    Parameters
    ----------
    task : Task
    settings : Settings
        Where they resume, what is finished stays, what was begun is resumed, the rest is begun.

    Returns
    -------
    Settings or None
        None where there is nothing left to do.
    """
    if not settings.resume:
        return settings
    output = Path(task.output)
    if unfinished(output) or unfinished(Path(f"{output}.work")):
        return settings
    text = recorded_text(output) if output.is_file() and not is_clip(task.source) else ""
    if output.is_file() and text is not None and not text.startswith(EARLY):
        return None
    return settings.replace(resume=False)


def output_of(source, folder, kind):
    """Name the output of an input.

    Parameters
    ----------
    source, folder, kind : str
        As for `tasks_of`.

    Returns
    -------
    str
    """
    if kind != "picture" or not is_clip(source):
        return str(Path(folder, default_output(source, ENDINGS[kind])))
    from dreamlib.jobs.clip import film_suffix

    return str(Path(folder, f"{Path(source).stem}_dream{film_suffix(source)}"))


@reading()
def _contents(source):
    """List a source's own inputs: itself, or the files of a folder, in natural order."""
    if not Path(source).is_dir():
        return [source]
    known = (*PICTURES, *CLIPS)
    files = [path for path in Path(source).iterdir() if path.suffix.lower() in known]
    return sorted((str(path) for path in files if path.is_file()), key=_natural)


def _natural(text):
    """Return what sorts names by the numbers in them."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", text)]
