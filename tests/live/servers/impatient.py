"""The application, dropping readers that stall for half a second."""

from live.asgi import application

# isort: split
from django.conf import settings

__all__ = ["application"]

settings.LIVE_STALLED_SECONDS = 0.5
