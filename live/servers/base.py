"""What `live` needs of an ASGI server and ASGI doesn't offer."""

from __future__ import annotations

import socket
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from live.protocol import CloseCode

    Scope = Any
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Key of the ASGI scope that holds a WebSocket's Transport.
TRANSPORT_KEY = "live.transport"
#: Bytes that the kernel buffers beyond what is on its way to the reader. Linux's default is up to 4 MB, all
#: of it older than what a slow reader should get next.
#: https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html
MAX_UNSENT_BYTES = 16_384
#: The socket option for it, on Linux. Python 3.11's socket module doesn't name it.
TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
#: Bytes that a close frame has for its reason. https://datatracker.ietf.org/doc/html/rfc6455#section-5.5
MAX_REASON_BYTES = 123


class Transport(ABC):
    """The way out to one WebSocket, for use on its event loop. No method waits or raises.

    ASGI's `send` either waits while the client doesn't read (uvicorn) or buffers without limit (Daphne). A
    transport refuses a message instead, and calls back when it takes messages again.
    """

    #: The close code that announces a restart: 1012 where the server can send it.
    restart_code: CloseCode

    @abstractmethod
    def start(self, on_resume: Callable[[], None], on_flood: Callable[[], None]) -> None:
        """Begin, once the WebSocket is accepted; call `on_resume` when a refused write may succeed.

        Call `on_flood` once if the client sends too many frames, and drop it. A transport that doesn't see
        frames never does.
        """

    @abstractmethod
    def write(self, text: str) -> bool:
        """Send a text message; return False if the transport doesn't take it now."""

    @abstractmethod
    def close(self, last: str, code: CloseCode, reason: str) -> None:
        """Send a last message and close. The reason is cut to MAX_REASON_BYTES."""

    @abstractmethod
    def abort(self) -> None:
        """Drop the connection and all unsent data."""


class Server(ABC):
    """The server that runs an event loop; there is one object per event loop."""

    @abstractmethod
    def transport(self, send: Send) -> Transport:
        """Return the transport of the WebSocket that has this ASGI `send`."""

    async def handle_request(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `app` answer an HTTP request; a server that is shutting down may refuse it."""
        await app(scope, receive, send)

    def on_shutdown(self, callback: Callable[[], Coroutine[Any, Any, None]]) -> None:  # noqa: B027
        """Await `callback()` when the server begins to shut down.

        Does nothing by default: most servers close WebSockets with code 1012 by themselves.
        """


def transport_of(scope: Scope) -> Transport:
    """Return a WebSocket's transport. Raises ImproperlyConfigured if the scope has none."""
    try:
        transport: Transport = scope[TRANSPORT_KEY]
    except KeyError:
        raise ImproperlyConfigured(
            "The WebSocket's scope has no transport. Route it with live.routing.websocket_urlpatterns."
        ) from None
    return transport


def limit_unsent_bytes(sock: Any) -> None:
    """Let the kernel buffer at most MAX_UNSENT_BYTES beyond what is on its way to the reader."""
    if TCP_NOTSENT_LOWAT is not None:
        with suppress(OSError):  # Unix sockets don't have the option.
            sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)


def truncated(reason: str) -> bytes:
    """Return as many whole characters of the reason as a close frame holds, in UTF-8."""
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore").encode()
