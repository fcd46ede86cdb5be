"""Django's name for this part."""

from django.apps import AppConfig


class PicturesConfig(AppConfig):
    """The app."""

    name = "studio.pictures"
