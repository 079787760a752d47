"""The ASGI application: that of `live`, with the settings of this project."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from live.asgi import application  # noqa: F401
