"""The application where there is no room for a subscriber."""

from live.asgi import application

# isort: split
from live import hub

__all__ = ["application"]

hub.MAX_SUBSCRIBERS = 0
