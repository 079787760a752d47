"""Writes to a WebSocket without waiting, and tells when it takes nothing: what ASGI can't say.

ASGI's `send` either blocks while the other side doesn't read (uvicorn), or never does and buffers without
limit (Daphne). `of(send)` gives a transport that does neither. Only this module knows Daphne and Twisted; on
any other server it makes do with ASGI.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    Send = Callable[[Any], Awaitable[None]]
    App = Callable[[Any, Any, Any], Awaitable[None]]

logger = logging.getLogger(__name__)

#: Bytes that the kernel takes beyond what is on its way to the reader. Without it Linux takes up to 4 MB, all
#: of it older than what a slow reader should see next. https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html
UNSENT = 16_384
#: Linux has it; Python tells it since 3.12.
TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
#: Bytes in Twisted's buffer from which a reader is dropped: these are answers to pings, and it reads none.
BACKLOG = 1_048_576
#: Connections in the kernel's queue at most: the `backlog` that docs/settings.md gives Daphne.
QUEUE = 2048
#: Bytes that Twisted reads at once: a flood must not fill the application's queue before it is noticed.
READ_SIZE = 4096
#: Seconds in which Daphne ends, whatever hangs: less than supervisors have patience.
END = 4.8


class Transport(Protocol):
    """The way out to one WebSocket, from its event loop. None of it waits, none of it raises."""

    #: The code to close with when the server ends: 1012 where it can be sent.
    RESTART: int

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
    if (protocol := daphne_protocol(send)) is not None:
        end_in_time()
        return DaphneTransport(protocol)
    return ASGITransport(send)


class ASGITransport:
    """Any server's. A `send` that is done without waiting, as uvicorn's mostly is, costs no task.

    Such a `send` is run outside of a task until it first waits; what is left of it then becomes one.
    """

    #: Servers differ in what they send of RFC 6455's codes, and all send one's own.
    RESTART = 4512

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


def daphne_protocol(send: Send) -> Any:
    """Daphne's own protocol object, if this is its `send` and the transport a plain socket; else None.

    Daphne gives its applications `partial(server.handle_reply, protocol)`. Where Daphne itself ends TLS,
    which is better done by a proxy, this is None too.
    """
    daphne = sys.modules.get("daphne.ws_protocol")  # Not imported: that would install Twisted's reactor.
    if daphne is None or not isinstance(send, partial) or not send.args:
        return None
    protocol = send.args[0]
    if not isinstance(protocol, daphne.WebSocketProtocol):
        return None
    from twisted.internet.tcp import Connection  # noqa: PLC0415

    return protocol if isinstance(protocol.transport, Connection) else None


def before_end(callback: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Call it when Daphne is asked to end, and let Daphne wait until it is done. Other servers do without.

    Daphne speaks no lifespan protocol.
    """
    if (reactor := _running_reactor()) is not None:
        _end_of(reactor).callbacks.append(callback)


def end_in_time() -> None:
    """Let Daphne end within END when it is asked to, whatever its threads wait for."""
    if (reactor := _running_reactor()) is not None:
        _end_of(reactor)


@lru_cache
def _end_of(reactor: Any) -> _End:
    end = _End(reactor.stop)
    reactor.stop = end.begin
    return end


class _End:
    """In front of the reactor's stop(), which Twisted's signal handlers and Daphne call.

    A trigger of the reactor's shutdown comes too late: in one of its own Daphne cancels all requests.
    https://docs.twisted.org/en/stable/core/howto/basics.html
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._task: asyncio.Task[None] | None = None
        self.callbacks: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def begin(self) -> None:
        if self._task is None:
            threading.Thread(target=_end_anyway, name="end", daemon=True).start()
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        if self.callbacks:
            await asyncio.wait([asyncio.ensure_future(callback()) for callback in self.callbacks])
        self._stop()


def _end_anyway() -> None:
    """End the process, where that waits for a thread and the thread for a database."""
    time.sleep(END)
    logger.error("The process did not end in %s s, since something hangs in it, and is ended", END)
    os._exit(1)


def stop_listening() -> None:
    """Let Daphne take those who have connected, and no more: who comes goes to another process at once."""
    if (reactor := _running_reactor()) is None:
        return
    from twisted.internet.tcp import Port  # noqa: PLC0415

    for reader in reactor.getReaders():
        if isinstance(reader, Port):
            # All at once. The kernel resets those that are still in its queue.
            reader.numberAccepts = QUEUE
            reader.doRead()  # type: ignore[no-untyped-call]
            reader.stopListening()  # type: ignore[no-untyped-call]


def _running_reactor() -> Any:
    """Daphne's, or None where another server runs."""
    if "daphne.server" not in sys.modules:
        return None
    from twisted.internet import reactor  # noqa: PLC0415

    running: bool = reactor.running
    return reactor if running else None  # Imported, but not what serves.


def keep_little_unsent(sock: Any) -> None:
    """Let the kernel take no more than UNSENT bytes beyond what is on its way."""
    if TCP_NOTSENT_LOWAT is not None:
        with suppress(OSError):  # A unix socket has no such option.
            sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT)


def shortened(reason: str) -> bytes:
    """As much of it as a close frame holds.

    https://datatracker.ietf.org/doc/html/rfc6455#section-5.5
    """
    return reason.encode()[:123].decode(errors="ignore").encode()


def ignore(*_: object) -> None:
    """Take no notice of what a client still sends."""


@lru_cache(maxsize=8)
def frame(text: str) -> bytes:
    """The message on the wire: the same bytes for every reader."""
    from autobahn.websocket.protocol import PreparedMessage  # noqa: PLC0415

    return bytes(PreparedMessage(text.encode(), False, False, True).payloadHybi)


class DaphneTransport:
    """Daphne's. Frames go from here into the socket while Twisted has nothing to write there itself.

    What the socket doesn't take of a frame stays here, and not in Twisted's buffer, which would hold a copy
    for each slow reader. As a pull producer this is told when the socket takes data again.
    https://docs.twisted.org/en/stable/core/howto/producers.html
    """

    RESTART = 1012

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._tcp = protocol.transport
        #: What is to be sent yet of the frame that is on its way: a view of the bytes that all readers share.
        self._rest: memoryview | None = None
        #: What Autobahn sends by itself, as pings and pongs, to come after that frame.
        self._after = bytearray()

    def start(self, on_resume: Callable[[], None]) -> None:
        self._on_resume = on_resume
        keep_little_unsent(self._tcp.socket)
        self._tcp.bufferSize = READ_SIZE
        # What breaks the protocol's rules is told so: 1009 for a message that is too large.
        self._protocol.failByDrop = False
        self._send_data = self._protocol.sendData
        self._protocol.sendData = self._send_after_frame
        # In place of the HTTP channel, which was left behind by the upgrade.
        self._protocol.unregisterProducer()
        self._protocol.registerProducer(self, False)

    def write(self, text: str) -> bool:
        tcp = self._tcp
        if self._protocol.state != self._protocol.STATE_OPEN:
            return True
        if self._rest is not None or tcp.dataBuffer or tcp._tempDataLen:
            if tcp._tempDataLen > BACKLOG:
                self.abort()
            return False
        return self._send(memoryview(frame(text)))

    def _send(self, data: memoryview) -> bool:
        """Put as much of it into the socket as it takes, and keep the rest; False if it takes nothing."""
        try:
            sent: int = self._tcp.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(data)  # The connection is lost. Twisted reads that, and the consumer hears of it.
        if sent < len(data):
            self._tcp.startWriting()  # Twisted calls resumeProducing when the socket takes data again.
        if sent:
            self._rest = data[sent:] if sent < len(data) else None
        return sent > 0

    def _send_after_frame(self, data: bytes, *args: Any, **options: Any) -> None:
        if self._rest is None:
            self._send_data(data, *args, **options)
        elif len(self._after) > BACKLOG:
            self.abort()
        else:
            self._after += data

    def _leave_to_twisted(self) -> None:
        """Put all that is to be sent yet into Twisted's buffer."""
        if unsent := bytes(self._rest or b"") + self._after:
            self._tcp.write(bytes(unsent))
        self._rest = None
        self._after.clear()

    def close(self, last: str, code: int, reason: str) -> None:
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._leave_to_twisted()
            self._protocol.sendMessage(last.encode())
            # Not sendClose, which refuses 1012.
            self._protocol.sendCloseFrame(code=code, reasonUtf8=shortened(reason))
            self._protocol.onMessage = ignore
            # Now: when the server ends there is no later.
            self._tcp.doWrite()

    def abort(self) -> None:
        self._rest = None
        self._after.clear()
        self._protocol.dropConnection(abort=True)

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's
        if self._rest is not None:
            self._send(self._rest)
        if self._rest is not None:
            return
        if self._after:
            self._leave_to_twisted()
        elif self._tcp.disconnecting:
            # With a producer, Twisted would wait for it before it closes.
            self._tcp.unregisterProducer()
        else:
            self._on_resume()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's
        """The connection is lost."""
