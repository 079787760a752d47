#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # Its message says what to do; a traceback would hide it.
        sys.exit(f"The settings can't be used: {error}")
    except OperationalError as error:
        if settings.ENVIRONMENT_FILE.exists():
            error.add_note(f"Is the demo running? `make demo` has written {settings.ENVIRONMENT_FILE}.")
        raise
