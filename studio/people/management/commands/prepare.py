"""Prepare the data folder for the web server and the workers, in one process."""

from __future__ import annotations

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """The database, the files that browsers get, the first account."""

    help = "Bring the database up to date, collect static files, make the first account"

    def handle(self, **options):
        """Run the command."""
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        call_command("first_start")
