"""The application that drops who reads nothing for half a second."""

from live.asgi import application

# isort: split
from live import consumers

__all__ = ["application"]

consumers.STALLED = 0.5
