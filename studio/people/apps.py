"""Django's name for this part."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """The app."""

    name = "studio.people"
