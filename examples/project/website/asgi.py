import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")

from live.asgi import application  # noqa: F401  # live
