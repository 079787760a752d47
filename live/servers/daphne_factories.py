"""Installs the limits of connections and requests in Daphne. Imported only where Daphne is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import daphne.server  # type: ignore[import-untyped]
from daphne.http_protocol import HTTPFactory  # type: ignore[import-untyped]
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol  # type: ignore[import-untyped]

from live.capacity import raise_open_files_limit
from live.servers.daphne_connections import get_connections
from live.servers.daphne_requests import LimitedChannel, LimitedRequest

if TYPE_CHECKING:
    from twisted.python.failure import Failure


class LimitedHTTPFactory(HTTPFactory):  # type: ignore[misc]
    """Makes connections with limits, as many as the process may have.

    Without HTTP/2, to which the limits don't apply. Daphne has it only if it terminates TLS itself, and
    Twisted's extra "http2" is installed.
    """

    protocol = LimitedChannel

    def startFactory(self) -> None:  # noqa: N802 - Twisted's name
        super().startFactory()
        raise_open_files_limit()

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """Return the protocol of a new connection, or None to close it."""
        if not get_connections().make_room(getattr(addr, "host", None)):
            return None
        channel = super().buildProtocol(addr)
        channel.requestFactory = LimitedRequest
        return channel

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802
        return [b"http/1.1"]


class CountedWebSocket(WebSocketProtocol):  # type: ignore[misc]
    """A WebSocket, which counts as a connection until it is closed."""

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        get_connections().remove(self.transport)
        super().connectionLost(reason)


class CountedWebSocketFactory(WebSocketFactory):  # type: ignore[misc]
    """Makes the WebSockets."""

    protocol = CountedWebSocket


def install() -> None:
    """Let the servers that Daphne starts in this process have the limits.

    Daphne has no setting for its factories. `daphne.server.Server.run` takes them from its module.
    """
    daphne.server.HTTPFactory = LimitedHTTPFactory
    daphne.server.WebSocketFactory = CountedWebSocketFactory
