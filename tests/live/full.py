"""The application where there is no room for a subscriber."""

from live.asgi import application

# isort: split
from django.conf import settings

__all__ = ["application"]

settings.LIVE_MAX_SUBSCRIBERS = 0
