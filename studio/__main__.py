"""Django's management commands: ``python -m studio migrate`` and so on."""

import os
import sys


def main():
    """Run the command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["python -m studio", *sys.argv[1:]])


if __name__ == "__main__":
    main()
