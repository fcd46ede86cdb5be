"""An uploaded picture: its format and size, its small copies."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np

from dreamlib import DreamError, open_header, open_picture, shrink

#: Formats that are taken -> suffix of their files. The name of an upload means nothing.
FORMATS = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp", "BMP": ".bmp",
    "GIF": ".gif",
}  # fmt: skip

#: Longest sides of the copies for the library and for the region box.
THUMBNAIL, VIEW = 320, 1600

#: Seconds of CPU and bytes of memory that an uploaded file may take.
CPU_SECONDS, MEMORY = 1800, 16 << 30


def inspect(order, say, leave):
    """Tell format and size of an uploaded file, by its header first, and make its small copies.

    Parameters
    ----------
    order : dict
        path, folder (for the copies), max_pixels, min_side.
    say, leave
        Unused; see `studio.child.dreams.dream`.

    Returns
    -------
    dict
        width, height, bits, suffix.

    Raises
    ------
    DreamError
        It is no picture, of a format that is not taken, too large, too small, or broken.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    path = order["path"]
    try:
        with open_header(path) as header:
            kind, (width, height) = header.format, header.size
    except (OSError, SyntaxError, ValueError, TypeError, EOFError) as error:
        raise DreamError(f"this file is no picture; expected {_expected()}") from error
    if kind not in FORMATS:
        raise DreamError(f"this is a {kind} file; expected {_expected()}")
    if width * height > order["max_pixels"]:
        raise DreamError(
            f"this picture has {width} x {height} pixels, {width * height / 1e6:.0f} million; at "
            f"most {order['max_pixels'] / 1e6:.0f} million are taken"
        )
    if min(width, height) < order["min_side"]:
        raise DreamError(
            f"this picture has {width} x {height} pixels; a side of {order['min_side']} is the "
            "least that can be dreamt"
        )
    try:
        picture = open_picture(path, 0, "copy.png")
        Path(order["folder"]).mkdir(parents=True, exist_ok=True)
        small_copies(path, order["folder"])
    except DreamError as error:
        raise DreamError(str(error).replace(path, "this file")) from error
    return {
        "width": picture.width, "height": picture.height, "suffix": FORMATS[kind],
        "bits": 8 if picture.dtype == np.uint8 else 16,
    }  # fmt: skip


def _expected():
    return "a JPEG, PNG, TIFF, WebP, BMP or GIF"


def save_small(pixels, path, side):
    """Save a small copy as a JPEG.

    Parameters
    ----------
    pixels : (H, W, 3) ndarray of uint8
    path : str or Path
    side : int
        The longer side has no more pixels.
    """
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.LANCZOS)
    image.save(path, "JPEG", quality=85)


def small_copies(path, folder):
    """Save the small copies of a picture: for lists (thumbnail.jpg) and for pages (view.jpg).

    Parameters
    ----------
    path : str or Path
    folder : str or Path
        Where they go.
    """
    view = shrink(open_picture(str(path), 0, "copy.png"), VIEW)
    save_small(view, Path(folder) / "view.jpg", VIEW)
    save_small(view, Path(folder) / "thumbnail.jpg", THUMBNAIL)
