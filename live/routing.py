"""The WebSockets' addresses, and the ASGI application that serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from channels.routing import URLRouter
from channels.sessions import SessionMiddlewareStack
from django.urls import path

from live.consumers import RankingsConsumer
from live.transport import TransportMiddleware

if TYPE_CHECKING:
    from channels.routing import _ExtendedURLPattern

# Channels routes what Django's stubs don't let into a path.
websocket_urlpatterns: list[_ExtendedURLPattern | URLRouter] = [
    path("ws/rankings/", RankingsConsumer.as_asgi()),  # type: ignore[arg-type, list-item]
]
# The consumers decide on origin and login themselves: a refused handshake looks like a network fault to a
# browser, which then retries for ever. See docs/protocol.md.
websocket_application = TransportMiddleware(
    SessionMiddlewareStack(URLRouter(websocket_urlpatterns))  # type: ignore[arg-type]
)
