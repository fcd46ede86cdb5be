"""What a user is told once, not at every run."""

from __future__ import annotations

import os
from pathlib import Path


def first_time(name):
    """Tell whether a user has not been told something yet, and note that it is told now.

    Parameters
    ----------
    name : str
        Of what is told; a file of this name, in the user's folder for such things, notes it.

    Returns
    -------
    bool
        True at every run where nothing can be noted.
    """
    state = os.environ.get("XDG_STATE_HOME") or Path("~", ".local", "state")
    try:
        folder = Path(state).expanduser() / "dreamlib"
        folder.mkdir(parents=True, exist_ok=True)
        os.close(os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        return False
    except (OSError, RuntimeError):  # there is no home, or it takes no files
        return True
    return True
