"""Texts of strangers in settings: those that name no file and run no code are let in.

The form sees to it, and the process that dreams does so again.
"""

from __future__ import annotations

from functools import partial

from dreamlib import (
    BY_NAME,
    DISTORTIONS_WITHOUT_CODE,
    DreamError,
    files_of,
    parse_distortions,
    parse_variations,
)

#: Free texts that name no file, and the list that helps to fill them in.
TEXTS = {
    "end": "layers", "guide_layer": "layers", "layers": "layers", "target": "classes",
    "distort": "distortions", "vary": "variations",
}  # fmt: skip


class Refused(DreamError):
    """A text that is not let in.

    Parameters
    ----------
    message : str
    setting : str
        Its name; an attribute, too.
    """

    def __init__(self, message, setting):
        super().__init__(message)
        self.setting = setting


def check_texts(values):
    """Refuse texts of a film that would run code or name files, and those that cannot be read.

    Parameters
    ----------
    values : dict
        Settings as they are kept, or as a dream has them.

    Raises
    ------
    Refused
    """
    checks = {"distort": _check_distort, "vary": _check_vary}
    checks.update({name: partial(_check_layers, name) for name in ("layers", "guide_layer")})
    for name, check in checks.items():
        try:
            check(values.get(name))
        except DreamError as error:
            raise Refused(str(error).replace("--", ""), name) from error


def _check_distort(text):
    if text:
        parse_distortions(text, kinds=DISTORTIONS_WITHOUT_CODE)


def _check_layers(name, text):
    if text and files_of(name, text):
        raise DreamError(f"{name}: pictures cannot be named here")


def _check_vary(text):
    for one in parse_variations(text):
        setting = BY_NAME[one.name]
        free = setting.kind is str and not setting.form and one.name not in TEXTS
        if free or one.files:
            raise DreamError(f"vary: {one.name!r} may name files, and does not vary here")
