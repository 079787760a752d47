"""Writes to one of Daphne's WebSockets. Imported only where Daphne runs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from autobahn.websocket.protocol import PreparedMessage

from live.protocol import CloseCode
from live.servers.base import Transport, limit_unsent_bytes, truncated
from live.servers.daphne_compression import accept, deflated
from live.servers.frame_rate import FrameRate

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes in Twisted's buffer at which a client is dropped: it sends pings and doesn't read the pongs.
MAX_BUFFERED_BYTES = 1_048_576
#: For how long a client may take to answer a close. After Autobahn's 1 s, a busy client's answer met a reset
#: connection, and the client lost the message and the code that it hadn't read yet.
CLOSE_SECONDS = 10.0
#: Bytes that Twisted reads at once: a flood must not fill the application's queue before it is noticed.
READ_BYTES = 4096
#: The bit of a frame's first byte that says that the message is compressed: RSV1. RFC 7692, 6.
COMPRESSED_BIT = 0x40


@lru_cache(maxsize=16)
def frame(text: str, is_compressed: bool) -> bytes:  # noqa: FBT001 - a cache prefers positions
    """Return the WebSocket frame of a text message: all readers of either kind get the same bytes.

    A message that would be no smaller isn't compressed. The cache can be small: all readers get a message,
    in each size, language and format, before the next one.
    """
    data = text.encode()
    if not is_compressed or (compressed := deflated(data)) is None:
        return _frame(data)
    first, rest = (framed := _frame(compressed))[0], framed[1:]
    return bytes([first | COMPRESSED_BIT]) + rest


def _frame(data: bytes) -> bytes:
    return bytes(PreparedMessage(data, False, False, True).payloadHybi)


def ignore(*_: object) -> None:
    """Ignore what a client sends."""


class DaphneTransport(Transport):
    """Writes frames straight to the socket while Twisted has nothing to write there itself.

    Daphne buffers without limit for a client that doesn't read, and Twisted's buffer would copy the frame for
    each reader. Here the rest of a frame that the socket doesn't take stays a view of the bytes that all
    readers share. As a pull producer, this is called when the socket takes data again.
    https://docs.twisted.org/en/stable/core/howto/producers.html
    Delete this when Daphne limits what it buffers: https://github.com/django/daphne/issues/170

    Of Twisted's connection it uses what isn't public: `dataBuffer` and `_tempDataLen` (its two write buffers)
    and `doWrite`. Of Autobahn's protocol it replaces `sendData`, through which Autobahn sends all frames, and
    `onFrameBegin`, which Autobahn calls for each frame of the client, control frames too. It empties `data`,
    which are the frames that Autobahn has received and not handled yet, and cancels
    `closeHandshakeTimeoutCall`, which ends the wait for the client's close. `_perMessageCompress` is the
    extension that Autobahn has negotiated, or None.
    """

    restart_code = CloseCode.RESTART

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        # Autobahn asks it when the handshake is accepted. Other WebSockets of the project stay as they are.
        protocol.perMessageCompressionAccept = accept
        self._tcp = protocol.transport
        self._is_compressed = False
        #: The unsent rest of a frame.
        self._rest: memoryview | None = None
        #: What Autobahn sends of its own accord, such as pongs, to be sent after that frame.
        self._after = bytearray()
        self._frame_rate = FrameRate()
        self._is_flooded = False

    def start(self, on_resume: Callable[[], None], on_flood: Callable[[], None]) -> None:
        self._on_resume, self._on_flood = on_resume, on_flood
        if not self._tcp.connected:
            # The client has gone since the handshake, and Twisted has deleted the socket.
            return
        self._is_compressed = self._protocol._perMessageCompress is not None
        limit_unsent_bytes(self._tcp.socket)
        self._tcp.bufferSize = READ_BYTES
        # Close with a code that says what was wrong, such as 1009 for a message that is too large.
        # https://autobahn.readthedocs.io/en/latest/reference/autobahn.websocket.html
        self._protocol.failByDrop = False
        self._send_data = self._protocol.sendData
        self._protocol.sendData = self._send_after_frame
        self._begin_frame = self._protocol.onFrameBegin
        self._protocol.onFrameBegin = self._count_frame
        # The HTTP channel stays the producer after the upgrade to a WebSocket.
        self._protocol.unregisterProducer()
        self._protocol.registerProducer(self, False)

    def _count_frame(self) -> None:
        """Begin a frame of the client; drop a client that floods, before its frames delay others.

        Consumers see messages only: neither control frames nor the empty parts of a message.
        """
        self._begin_frame()
        if not self._frame_rate.allows_another():
            self._protocol.data = b""
            if not self._is_flooded:
                self._is_flooded = True
                self._on_flood()
            self._tcp.loseConnection()

    def write(self, text: str) -> bool:
        tcp = self._tcp
        if self._protocol.state != self._protocol.STATE_OPEN:
            return True
        if self._rest is not None or tcp.dataBuffer or tcp._tempDataLen:
            if tcp._tempDataLen > MAX_BUFFERED_BYTES:
                self.abort()
            return False
        return self._send(memoryview(frame(text, self._is_compressed)))

    def _send(self, data: memoryview) -> bool:
        """Send what the socket takes and keep the rest; return False if it takes nothing."""
        try:
            sent: int = self._tcp.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            # The connection is lost. Twisted finds out when it reads, and the consumer is disconnected.
            sent = len(data)
        if sent < len(data):
            self._tcp.startWriting()  # Twisted calls resumeProducing when the socket takes data again.
        if sent:
            self._rest = data[sent:] if sent < len(data) else None
        return sent > 0

    def _send_after_frame(self, data: bytes, *args: Any, **options: Any) -> None:
        if self._rest is None:
            self._send_data(data, *args, **options)
        elif len(self._after) > MAX_BUFFERED_BYTES:
            self.abort()
        else:
            self._after += data

    def _leave_rest_to_twisted(self) -> None:
        """Move all unsent data to Twisted's buffer."""
        if unsent := bytes(self._rest or b"") + self._after:
            self._tcp.write(bytes(unsent))
        self._rest = None
        self._after.clear()

    def close(self, last: str, code: CloseCode, reason: str) -> None:
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._leave_rest_to_twisted()
            self._protocol.sendMessage(last.encode())
            self._protocol.closeHandshakeTimeout = CLOSE_SECONDS
            # Not sendClose, which refuses 1012: https://github.com/crossbario/autobahn-python/issues/1642
            self._protocol.sendCloseFrame(code=code, reasonUtf8=truncated(reason))
            self._protocol.onMessage = ignore
            # At once, because the reactor may stop before it writes again.
            self._tcp.doWrite()

    def abort(self) -> None:
        self._rest = None
        self._after.clear()
        self._protocol.dropConnection(abort=True)

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Send more, because the socket takes data again."""
        if self._rest is not None:
            self._send(self._rest)
        if self._rest is not None:
            return
        if self._after:
            self._leave_rest_to_twisted()
        elif self._tcp.disconnecting:
            # Twisted waits for its producer before it closes the connection.
            self._tcp.unregisterProducer()
        else:
            self._on_resume()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Free a connection that is lost, which Autobahn would keep until CLOSE_SECONDS are over."""
        if (timer := self._protocol.closeHandshakeTimeoutCall) is not None:
            timer.cancel()
            self._protocol.closeHandshakeTimeoutCall = None
