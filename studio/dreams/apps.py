"""Django's name for this part."""

from django.apps import AppConfig


class DreamsConfig(AppConfig):
    """The app."""

    name = "studio.dreams"
