"""From an uploaded file to a picture of the library, and out of it again."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from django.conf import settings

from dreamlib import DreamError
from studio.children import ask
from studio.pictures.models import Picture

#: Seconds that looking at a file may take: a picture of a gigapixel is decoded once.
PATIENCE = 1800


def display_name(name):
    """Return the name of an uploaded file as it is shown.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        Without folders and signs that cannot be printed; at most 120 signs.
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in name if letter.isprintable()).strip()
    return name[:120] or "picture"


def take_in(owner, name, path):
    """Move a file into the library, as a picture; or refuse it.

    Parameters
    ----------
    owner : User
    name : str
    path : Path

    Returns
    -------
    Picture

    Raises
    ------
    DreamError
        It is no picture that can be dreamt; nothing of it is left.
    """
    path, number = Path(path), uuid.uuid4()
    folder = settings.DATA / "pictures" / str(number)
    order = {
        "kind": "inspect", "path": str(path), "folder": str(folder),
        "max_pixels": settings.MAX_PIXELS, "min_side": settings.MIN_SIDE,
    }  # fmt: skip
    try:
        found = ask(order, PATIENCE)
        picture = Picture(
            id=number, owner=owner, name=display_name(name), bytes=path.stat().st_size,
            width=found["width"], height=found["height"], bits=found["bits"],
            suffix=found["suffix"],
        )  # fmt: skip
        path.rename(picture.file)
        picture.save()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        path.unlink(missing_ok=True)
        raise
    return picture


def remove(picture):
    """Take a picture out of the library.

    Parameters
    ----------
    picture : Picture

    Raises
    ------
    DreamError
        A dream is still to be made of it.
    """
    for dream in picture.owner.dreams.active():
        if dream.uses(picture):
            raise DreamError(
                f"{picture.name} is needed for the dream {dream.name}; cancel that first"
            )
    folder = picture.folder  # which it has no more when it has no number
    picture.delete()
    shutil.rmtree(folder, ignore_errors=True)
