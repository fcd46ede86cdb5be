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
    check_file(path)
    return open_binary(path)


def open_binary(source):
    """Open a picture with Pillow, from a file that was checked or one that is none.

    Parameters
    ----------
    source : str, Path or binary file

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    OSError
        As `open_image`.
    """
    from PIL import Image

    Image.init()
    return Image.open(source, formats=[name for name in READ if name in Image.OPEN])


#: What the formats' files begin with.
FIRST_BYTES = {
    b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"II+\0": "a TIFF", b"MM\0+": "a TIFF",
    b"\x89PNG\r\n": "a PNG", b"\xff\xd8\xff": "a JPEG", b"GIF8": "a GIF", b"RIFF": "a WebP",
}  # fmt: skip


def unread(path, reader):
    """Say of a file that a library does not know whether it is a picture at all.

    Parameters
    ----------
    path : str or Path
    reader : str
        The library.

    Returns
    -------
    str
        To follow the file's name.
    """
    with open(path, "rb") as file:
        first = file.read(8)
    for begin, kind in FIRST_BYTES.items():
        if first.startswith(begin):
            return (
                f"is {kind} that {reader} cannot read: it is truncated or damaged, or of a kind "
                "that is not known"
            )
    return f"is no picture, or truncated, or of a format that {reader} cannot read"
