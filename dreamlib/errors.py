"""The one error a user is meant to read."""


class DreamError(Exception):
    """What was given, what was expected and what to do, in words for the person at the keyboard.

    ``dream.py`` prints the text and exits with code 2; anything else that escapes is a defect.
    """
