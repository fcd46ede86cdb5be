"""Films, to the web and to the child: the file that stays, the settings as a file."""

from __future__ import annotations

import tomlkit

from dreamlib import BY_NAME, to_toml

#: The last frame, kept when the others are given up.
LAST_FRAME = "last.png"

#: Settings that make a film of the frames: where they are not its own, `to_toml` leaves them out.
OF_FILMS = ("frames", "fps", "loop", "reverse", "boomerang", "quality")

#: Suffix -> the setting that asks for such a film.
FILES = {".gif": "gif", ".webp": "webp", ".mp4": "mp4", ".webm": "mp4"}


def settings_text(settings, suffix):
    """Write settings as TOML, as --config takes them; of a film with all that makes it one.

    Parameters
    ----------
    settings : Settings
    suffix : str
        Of the output.

    Returns
    -------
    str
    """
    text = to_toml(settings)
    if not settings.frames:
        return text
    values = {name: getattr(settings, name) for name in OF_FILMS}
    values[FILES[suffix]] = f"film{suffix}"
    return text + tomlkit.dumps(
        {name: value for name, value in values.items() if value != BY_NAME[name].default}
    )
