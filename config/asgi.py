"""The ASGI application of the site."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from live.asgi import application  # noqa: F401
