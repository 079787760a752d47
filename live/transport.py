"""Writes to a WebSocket without waiting, and tells when it takes nothing: what ASGI can't say.

ASGI's `send` either blocks while the other side doesn't read (uvicorn), or never does and buffers without
limit (Daphne). `of(send)` gives a transport that does neither: Daphne's own, and what can be had of ASGI on
any other server.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

from live import daphne
from live.protocol import CloseCode
from live.sockets import keep_little_unsent, shortened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    Send = Callable[[Any], Awaitable[None]]
    App = Callable[[Any, Any, Any], Awaitable[None]]


class Transport(Protocol):
    """The way out to one WebSocket, from its event loop. None of it waits, none of it raises."""

    #: The code to close with when the server ends: 1012 where it can be sent.
    RESTART: CloseCode

    def start(self, on_resume: Callable[[], None]) -> None:
        """The socket has been accepted; call `on_resume` whenever a write may be taken again."""

    def write(self, text: str) -> bool:
        """Send a text message, or tell that it isn't taken now."""

    def close(self, last: str, code: int, reason: str) -> None:
        """Send a last message, taken or not, and close. The reason may be cut: it has 123 bytes of room."""

    def abort(self) -> None:
        """Drop the connection and what is on its way."""


class TransportMiddleware:
    """Puts the transport into the scope, as `transport`. Outside of all that wraps `send`."""

    def __init__(self, inner: App) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        await self.inner(scope | {"transport": of(send)}, receive, send)


def in_scope(scope: Any) -> Transport | None:
    """What TransportMiddleware has put there; None without it."""
    transport: Transport | None = scope.get("transport")
    return transport


def of(send: Send) -> Transport:
    """The transport behind the `send` of an ASGI server."""
    if (protocol := daphne.protocol_of(send)) is not None:
        daphne.end_in_time()
        return daphne.DaphneTransport(protocol)
    return ASGITransport(send)


class ASGITransport:
    """Any server's. A `send` that is done without waiting, as uvicorn's mostly is, costs no task.

    Such a `send` is run outside of a task until it first waits; what is left of it then becomes one.
    """

    #: Servers differ in what they send of RFC 6455's codes, and all send one's own.
    RESTART = CloseCode.ASGI_RESTART

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sending: asyncio.Task[None] | None = None
        #: What is to be sent yet before it is over.
        self._closing: list[dict[str, Any]] | None = None

    def start(self, on_resume: Callable[[], None]) -> None:
        self._on_resume = on_resume
        if (tcp := self._tcp) is not None and (sock := tcp.get_extra_info("socket")) is not None:
            keep_little_unsent(sock)

    def write(self, text: str) -> bool:
        if self._closing is not None:
            return True
        if self._sending is not None:
            return False
        self._begin({"type": "websocket.send", "text": text})
        return True

    def close(self, last: str, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = [
                {"type": "websocket.send", "text": last},
                {"type": "websocket.close", "code": code, "reason": shortened(reason).decode()},
            ]
            self._go_on()

    def abort(self) -> None:
        self._closing = []
        if self._sending is not None:
            self._sending.cancel()
        if (tcp := self._tcp) is not None:
            tcp.abort()

    @property
    def _tcp(self) -> Any:
        """The connection as asyncio or uvloop have it, if this is uvicorn's `send`, its protocol's method."""
        tcp = getattr(getattr(self._send, "__self__", None), "transport", None)
        return tcp if hasattr(tcp, "abort") and hasattr(tcp, "get_extra_info") else None

    def _go_on(self) -> None:
        while self._closing and self._sending is None:
            self._begin(self._closing.pop(0))

    def _begin(self, event: dict[str, Any]) -> None:
        sending = cast("Coroutine[Any, Any, None]", self._send(event))
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 - servers differ in what they raise for a connection that is lost
            self._closing = []
            return
        self._sending = asyncio.get_running_loop().create_task(_rest(sending, waits_for))
        self._sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Task[None]) -> None:
        self._sending = None
        if sending.cancelled() or sending.exception() is not None:
            self._closing = []
        elif self._closing is not None:
            self._go_on()
        else:
            self._on_resume()


async def _rest(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
    """The coroutine from its first wait on."""
    await _Resumed(coroutine, waits_for)


class _Resumed:
    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine, self._waits_for = coroutine, waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        with suppress(StopIteration):
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:  # noqa: BLE001 - it is the coroutine's to handle
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(value)
