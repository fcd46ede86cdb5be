"""Make the first account, where there is none."""

from __future__ import annotations

import os
import secrets

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Print how to log in, once."""

    help = "Make an administrator with a random password, if there is nobody yet"

    def handle(self, **options):
        """Run the command."""
        people = get_user_model().objects
        if people.exists():
            return
        password = os.environ.get("DREAM_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
        people.create_superuser("admin", password=password)
        self.stdout.write(f"studio: log in as admin with the password {password}")
