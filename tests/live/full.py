"""The application of a process without room for a subscriber."""

from django.conf import settings

from live.asgi import application

__all__ = ["application"]

settings.LIVE_MAX_SUBSCRIBERS = 0
