"""What Daphne can do and ASGI can't say. Only this module knows Daphne and Twisted.

Its transport writes to a WebSocket without waiting, and tells when that takes nothing; its end waits for what
is in progress, and for nothing that hangs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from live.conf import live_settings
from live.protocol import CloseCode
from live.sockets import keep_little_unsent, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

logger = logging.getLogger(__name__)

#: Bytes in Twisted's buffer from which a reader is dropped: these are answers to pings, and it reads none.
BACKLOG = 1_048_576
#: Connections in the kernel's queue at most: the `backlog` that docs/settings.md gives Daphne.
QUEUE = 2048
#: Bytes that Twisted reads at once: a flood must not fill the application's queue before it is noticed.
READ_SIZE = 4096


# ---- its WebSockets


def protocol_of(send: Any) -> Any:
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

    RESTART = CloseCode.RESTART

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


# ---- its end


def before_end(callback: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Call it when Daphne is asked to end, and let Daphne wait until it is done. Other servers do without.

    Daphne speaks no lifespan protocol.
    """
    if (reactor := _running_reactor()) is not None:
        _end_of(reactor).callbacks.append(callback)


def end_in_time() -> None:
    """Let Daphne end within SHUTDOWN_SECONDS when it is asked to, whatever its threads wait for."""
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
    seconds = live_settings.SHUTDOWN_SECONDS
    time.sleep(seconds)
    logger.error("The process did not end in %s s, since something hangs in it, and is ended", seconds)
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
