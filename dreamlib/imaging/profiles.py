"""Colour profiles: whether one is any, and other colours turned into sRGB.

Both readers, Pillow's and libvips', follow these rules. Colours with a profile of their own are
converted by LittleCMS, relatively to white and with their black point, as programs for photographs
do; CMYK without one as browsers do, ``(1 - C) (1 - K)``; Lab is that of profiles, by daylight D50.
"""

from __future__ import annotations

from io import BytesIO

#: Bytes of a profile's header; where its colours and its mark stand there, and the mark.
HEADER, COLOURS, MARK_AT, MARK = 128, slice(16, 20), slice(36, 40), b"acsp"

#: Names of colours in profiles -> in words.
RGB, GREY, CMYK, LAB = b"RGB ", b"GRAY", b"CMYK", b"Lab "
WORDS = {RGB: "RGB", GREY: "grey", CMYK: "CMYK", LAB: "Lab"}

#: LittleCMS's numbers.
RELATIVE, BLACK_POINT = 1, 0x2000


def checked_profile(path, profile, colours):
    """Drop a profile that is none, or for other colours than a picture's, and say so.

    Parameters
    ----------
    path : str
        Of the picture.
    profile : bytes or None
    colours : bytes
        `RGB`, `GREY`, `CMYK` or `LAB`.

    Returns
    -------
    profile : bytes or None
    notes : tuple of str
        What there is to say.
    """
    if not profile:
        return None, ()
    if len(profile) < HEADER or profile[MARK_AT] != MARK or not _opens(profile):
        return None, (f"{path}: its colour profile is damaged and is left out",)
    if profile[COLOURS] != colours:
        name = profile[COLOURS].decode("ascii", "replace").strip()
        return None, (
            f"{path}: its colour profile is for {name}, not for {WORDS[colours]}, and is left out",
        )
    return profile, ()


def _opens(profile):
    from PIL import ImageCms

    try:
        ImageCms.ImageCmsProfile(BytesIO(profile))
    except (OSError, ValueError, TypeError):
        return False
    return True


def to_srgb(image, profile):
    """Convert a picture of Pillow's to sRGB.

    Parameters
    ----------
    image : PIL.Image.Image
        Lab, or of 8 bits and any mode.
    profile : bytes or None
        Of its colours.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    from PIL import ImageCms

    if image.mode == "LAB":
        source = ImageCms.createProfile("LAB")
    elif profile:
        source = BytesIO(profile)
    else:
        return image.convert("RGB")
    target = ImageCms.createProfile("sRGB")
    try:
        return ImageCms.profileToProfile(
            image, source, target, RELATIVE, outputMode="RGB", flags=BLACK_POINT
        )
    except ImageCms.PyCMSError:  # it has no table for this way
        return image.convert("RGB")
