"""Draw the pictures of docs/distortions.md, each by the chain in its alternative text.

    python scripts/docs_distortions.py

They show a generated sky after a dream with the embedded model: `make setup` comes first.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import numpy as np

import dreamlib
from dreamlib.imaging.open_save import save_picture
from dreamlib.imaging.pillow_io import load_picture
from dreamlib.imaging.samples import clouds
from dreamlib.video.distort import parse_chain

PAGE = Path(__file__).resolve().parent.parent / "docs" / "distortions.md"
SIZE = 240, 150
QUALITY = 60


def mirror(picture, frame):
    """Show the left half twice."""
    half = picture.shape[1] // 2
    picture[:, -half:] = picture[:, :half][:, ::-1]


def pictures(page):
    """List the pictures that a page shows: (alternative text, path) of each."""
    shown = re.findall(r"!\[(.+?)\]\((pictures/\S+)\)", page.read_text(encoding="utf-8"))
    return [(text, page.parent / path) for text, path in shown]


def dreamt_sky():
    """Return a dreamt sky, (H, W, 3) ndarray of float32."""
    with tempfile.TemporaryDirectory() as folder:
        sky, dream = f"{folder}/sky.png", f"{folder}/dream.png"
        save_picture(sky, clouds(*SIZE, seed=1))
        dreamlib.run(sky, dream, model="efficientnet_lite0", octaves=3, seed=1, quiet=True)
        return load_picture(dream).pixels.astype(np.float32)


def main():
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # `mirror` is found here
    sky = dreamt_sky()
    for text, path in pictures(PAGE):
        picture = sky.copy()
        parse_chain(text, seed=1).apply(picture, 0)
        path.parent.mkdir(exist_ok=True)
        save_picture(path, picture, quality=QUALITY)
        print(f"{path.relative_to(PAGE.parent)}: {path.stat().st_size / 1000:.1f} kB, {text}")


if __name__ == "__main__":
    main()
