"""Django's name for this part."""

from django.apps import AppConfig


class DreamsConfig(AppConfig):
    """The app."""

    name = "studio.dreams"

    def ready(self):
        """Have Celery know its broker, in whichever process messages are sent from."""
        import studio.celery  # noqa: F401
