"""Named settings to begin with: the files of `studio/presets`, in the command's own format."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from dreamlib import load_config

FOLDER = Path(__file__).resolve().parent.parent / "presets"


@lru_cache(maxsize=1)
def presets():
    """Return the settings of each preset: {name: {setting: value}}, in the files' order."""
    return {
        path.stem.split("-", 1)[1].replace("-", " "): load_config(path)
        for path in sorted(FOLDER.glob("*.toml"))
    }
