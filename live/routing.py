"""The WebSocket's address, and the ASGI applications that a project routes to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from channels.routing import URLRouter
from channels.sessions import CookieMiddleware
from django.urls import path, re_path

from live import metrics, servers
from live.capacity import raise_open_files_limit
from live.consumers import RankingsConsumer
from live.history import clock as history_clock
from live.hub import get_hub
from live.logs.repeated_lines import RepeatedLines
from live.logs.request_context import begin_socket
from live.loops import PerLoop
from live.operators import pages as operator_pages
from live.servers.base import TRANSPORT_KEY

if TYPE_CHECKING:
    from channels.routing import _ExtendedURLPattern

    from live.servers.base import App, Receive, Scope, Send, Server

logger = logging.getLogger(__name__)
refused_lines = RepeatedLines(logger, logging.WARNING)
servers.limit_connections()


def _prepare_server() -> Server:
    """Detect the server that runs this event loop, and prepare the process for subscribers."""
    server = servers.detect()
    raise_open_files_limit()
    # A project whose asgi.py doesn't import live.asgi has not started it.
    history_clock.start()
    server.on_shutdown(get_hub().shut_down)
    return server


_get_server = PerLoop(_prepare_server)


class ServerMiddleware:
    """Puts a WebSocket's transport into its scope, and lets the server drain HTTP requests.

    Put it around the application of each protocol, outside of middleware that wraps `send`. The first
    connection on an event loop detects the server and installs its hooks.
    """

    def __init__(self, inner: App) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        server = _get_server()
        if scope["type"] == "http":
            if not await operator_pages.answer_asgi(scope, send):
                await server.handle_request(self.inner, scope, receive, send)
            return
        if scope["type"] == "websocket":
            begin_socket(scope)
            if TRANSPORT_KEY not in scope:
                scope = {**scope, TRANSPORT_KEY: server.transport(send)}
        await self.inner(scope, receive, send)


websocket_urlpatterns: list[_ExtendedURLPattern | URLRouter] = [
    # Channels routes to ASGI applications, which Django's stubs don't allow in a path.
    path("ws/rankings/", ServerMiddleware(RankingsConsumer.as_asgi())),  # type: ignore[arg-type, list-item]
]


async def refuse_unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse the handshake of a WebSocket whose path nobody serves. Channels would raise ValueError."""
    metrics.REFUSED.labels("unknown_path").inc()
    refused_lines.log(
        "unknown_path", f"websocket {scope['path'][:100]!r}: refused, because no route has this path"
    )
    await send({"type": "websocket.close"})


# No middleware checks origin or login here, because a browser can't tell a refused handshake from a network
# fault and retries for ever. The consumer accepts, says what is wrong, and closes. See docs/protocol.md.
websocket_application = CookieMiddleware(
    URLRouter([*websocket_urlpatterns, re_path("", refuse_unknown_path)])  # type: ignore[arg-type, list-item]
)
