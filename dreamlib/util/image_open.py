"""Pillow's door: the formats that are read, and no other of the forty that it knows.

Some of those run a program on what they read, as EPS does with Ghostscript.
"""

from __future__ import annotations

from dreamlib.util.input_file import check_file

#: By Pillow's names; an older Pillow lacks some.
READ = (
    "PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000", "AVIF", "TGA",
    "ICO", "PCX", "SGI",
)  # fmt: skip


def open_image(path):
    """Open a picture file with Pillow; nothing is decoded yet.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    DreamError
        It is no regular file: see `dreamlib.util.input_file.check_file`.
    OSError
        It is no picture of `READ`, and what else Pillow raises.
    """
    from PIL import Image

    check_file(path)
    Image.init()
    return Image.open(path, formats=[name for name in READ if name in Image.OPEN])
