"""What a job writes over: files that dreams have made, and no others unless it is told to."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.imaging.formats import DEEP_ZOOM, TIFF, format_of
from dreamlib.settings import SETTINGS, changed, refuse, refuse_contradictions, refuse_inapplicable
from dreamlib.util.input_file import read_text

#: Formats of pictures that the setting `quality` says something about.
LOSSY = ("JPEG", "WebP", DEEP_ZOOM.name)

#: To which a number of loops means nothing.
VIDEO_LOOPS = "an MP4 or WebM: players repeat it, or do not"

#: What the record of a picture begins with that Ctrl-C has ended early.
EARLY = "# ended early"

#: What stands at the beginning of a configuration that was saved as TOML: see `to_toml`.
SAVED = "# settings of a dream;"


def check_free(path, overwrite):
    """Refuse an output that would take the place of a file which no dream has written.

    Parameters
    ----------
    path : str or Path
    overwrite : bool
        Whether the user has allowed it.

    Raises
    ------
    DreamError
    """
    there = Path(path).exists() and not Path(path).is_dir()  # which nothing takes the place of
    if overwrite or not there or is_dreams_own(path):
        return
    raise DreamError(
        f"{path} is there already, and nothing in it says that a dream wrote it: it would be lost. "
        "Name another output, or add --overwrite"
    )


def check_apart(path, other, what):
    """Refuse an output in the place of a file that belongs to the same job.

    Parameters
    ----------
    path : str or Path
        Of the output.
    other : str, Path or anything else
        Of the file, which need not be there. What is no path, such as a picture, is no matter.
    what : str
        The file is.

    Raises
    ------
    DreamError
    """
    if isinstance(other, (str, Path)) and os.path.realpath(path) == os.path.realpath(other):
        raise DreamError(f"{path} is {what}; name another file")


def check_still(path):
    """Refuse the name of a film, or of a folder, as the output of a dream that is one picture.

    Parameters
    ----------
    path : str

    Raises
    ------
    DreamError
        Says which flags make films.
    """
    from dreamlib.video.encode import FORMATS as FILMS

    if format_of(path):
        return
    suffix = Path(path).suffix.lower()
    if suffix in FILMS:
        flag = "gif" if suffix == ".gif" else "mp4"
        raise DreamError(
            f"{path} is a film's name, and this dream is one picture. To dream and zoom again and "
            f"again write INPUT FOLDER --frames N --{flag} {path}; to see the picture grow, "
            f"INPUT OUTPUT.png --growth {path}"
        )
    if not suffix:
        raise DreamError(
            f"{path} has no suffix that chooses a format, as {path}.png; a folder of frames takes "
            "--frames N, one of several pictures --output-dir"
        )


def is_dreams_own(path):
    """Tell whether a file was written by a dream, by what it carries.

    Parameters
    ----------
    path : str or Path
        Of a picture, a film or a configuration.

    Returns
    -------
    bool
        False of what cannot carry a mark: a BMP, a Deep Zoom.
    """
    from dreamlib.video.encode import FORMATS as FILMS
    from dreamlib.video.mark import is_marked

    path = Path(path)
    if not path.is_file():
        return False
    suffix = path.suffix.lower()
    if suffix in (".toml", ".json"):
        return _is_saved(path, suffix)
    if suffix in FILMS and is_marked(path):
        return True
    return recorded_text(path) is not None


def recorded_text(path):
    """Return the settings that a picture carries as a text; None where there are none.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str or None
    """
    from dreamlib.imaging.pillow_io import read_settings_text

    try:
        return read_settings_text(str(path))
    except DreamError:  # no picture, or one that no dream has made
        return None


def _is_saved(path, suffix):
    """Tell whether a configuration is one that `save_config` wrote."""
    try:
        text = read_text(path, suffix[1:].upper())
        values = json.loads(text) if suffix == ".json" else None
    except (DreamError, ValueError):
        return False
    if suffix == ".toml":
        return text.startswith(SAVED)
    always = {one.name for one in SETTINGS if one.recorded and one.default is not None}
    return isinstance(values, dict) and always <= set(values)


def refuse_unused(settings, kind, output):
    """Refuse settings that mean nothing to a job, or to the format of its output.

    Parameters
    ----------
    settings : Settings
    kind : str
        Of job: see `dreamlib.settings.JOBS`.
    output : str or None
        None is the default, a PNG.

    Raises
    ------
    DreamError
    """
    refuse_inapplicable(settings, kind)
    from dreamlib.video.encode import FORMATS as FILMS

    refuse_contradictions(settings)
    still = format_of(output or "dream.png") if kind in ("picture", "sheet", "details") else None
    frames = kind == "frames" and settings.frame_format != "png"
    clip = Path(output or "dream.mp4").suffix.lower() if kind == "clip" else None
    films = [name for name in ("gif", "webp", "mp4") if getattr(settings, name)]
    growth = Path(settings.growth).suffix.lower() if settings.growth else None
    lossy = (still and still.name in LOSSY) or frames or {clip, growth} - {None, ".gif"}
    if not lossy and not {"webp", "mp4"} & set(films):
        what = "an output without loss; it is of JPEG, WebP, Deep Zoom and films but GIFs"
        refuse(changed(settings, ["quality"]), what)
    if still is not TIFF:
        refuse(changed(settings, ["tiff"]), "an output that is no TIFF")
    if clip and FILMS.get(clip) and FILMS[clip].video:
        refuse(changed(settings, ["loop"]), VIDEO_LOOPS)
    if kind not in ("frames", "assembly"):
        return
    if not films:
        what = "frames of which no film is made (by --gif, --webp or --mp4 FILE)"
        refuse(changed(settings, ["fps", "loop", "reverse", "boomerang"]), what)
    if films == ["mp4"]:
        refuse(changed(settings, ["loop"]), VIDEO_LOOPS)
