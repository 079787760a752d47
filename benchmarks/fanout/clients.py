"""Thousands of WebSocket clients in one thread.

Raw sockets and epoll cost less than the server does, so that the clients aren't what is measured.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HEADERS = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    "Cookie: {cookie}\r\n\r\n"
)
#: Opcodes of RFC 6455, 5.2.
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
#: Handshakes in progress at the same time.
MAX_HANDSHAKES = 50


class Client:
    """One subscriber. Counts what it receives."""

    __slots__ = ("buffer", "cards", "closed", "frames", "last", "socket", "upgraded")

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.reset()

    def reset(self) -> None:
        self.buffer = b""
        self.upgraded = False
        #: The close code; 1006 if the connection was lost without one, the status of a refused handshake.
        self.closed: int | None = None
        self.frames = 0
        self.cards = 0
        #: The newest card.
        self.last = b""


class Clients:
    """The clients of one server."""

    def __init__(
        self,
        host: str,
        path: str,
        cookies: Callable[[int], str] = lambda _number: "",
        sources: Callable[[int], str] | None = None,
    ) -> None:
        """`cookies` and `sources` return the cookies and the own address of the client of a number."""
        name, _, port = host.partition(":")
        self.address = name, int(port)
        self.host, self.path, self.cookies, self.sources = host, path, cookies, sources
        self.poll = select.epoll()
        self.by_fd: dict[int, Client] = {}
        self.opened = 0
        #: Frames and cards that all clients have received.
        self.frames = self.cards = 0

    def connect(self, client: Client | None = None, receive_buffer: int | None = None) -> Client:
        """Begin a handshake. Raises OSError if nothing listens on the address."""
        client = client or Client()
        if client.socket is not None and client.socket.fileno() in self.by_fd:
            # The server has sent a close frame, and hasn't closed the connection yet.
            self._end(client, 1000)
        client.reset()
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(2)
        if self.sources is not None:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((self.sources(self.opened), 0))
        try:
            sock.connect(self.address)
            headers = HEADERS.format(path=self.path, host=self.host, cookie=self.cookies(self.opened))
            sock.sendall(headers.encode())
        except OSError:
            sock.close()
            raise
        self.opened += 1
        sock.setblocking(False)
        client.socket = sock
        self.by_fd[sock.fileno()] = client
        self.poll.register(sock, select.EPOLLIN)
        return client

    def open(self, number: int, *, ready: Callable[[Client], bool] | None = None) -> list[Client]:
        """Open `number` clients, and wait until each is ready: by default, until it has its first card."""
        ready = ready or (lambda client: client.cards > 0)
        clients: list[Client] = []
        waiting: set[Client] = set()
        while len(clients) < number or waiting:
            while len(clients) < number and len(waiting) < MAX_HANDSHAKES:
                client = self.connect()
                clients.append(client)
                waiting.add(client)
            self.step(1.0)
            waiting = {client for client in waiting if not ready(client)}
            for client in waiting:
                assert client.closed is None, f"the server closed the connection with code {client.closed}"
        return clients

    def step(self, timeout: float) -> None:
        """Read what has arrived. Wait for up to `timeout` seconds if nothing has."""
        for fd, _events in self.poll.poll(timeout):
            client = self.by_fd.get(fd)
            if client is not None:
                self._read(client)

    def run(self, seconds: float) -> None:
        """Read for `seconds`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.step(left)

    def run_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Read until `condition` is true. Return False if it isn't within `seconds`."""
        until = time.monotonic() + seconds
        while not condition():
            left = until - time.monotonic()
            if left <= 0:
                return False
            self.step(min(left, 0.2))
        return True

    def cut(self, client: Client) -> None:
        """Close the client's connection without a close frame."""
        self._end(client, 1006)

    def forget(self, client: Client) -> None:
        """Stop reading from the client. Its socket stays open."""
        assert client.socket is not None
        self.poll.unregister(client.socket)
        del self.by_fd[client.socket.fileno()]

    def close(self) -> None:
        for client in list(self.by_fd.values()):
            self._end(client, 1000)
        self.poll.close()

    def _end(self, client: Client, code: int) -> None:
        if client.closed is None:
            client.closed = code
        assert client.socket is not None
        self.forget(client)
        client.socket.close()

    def _read(self, client: Client) -> None:
        assert client.socket is not None
        try:
            data = client.socket.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(client, 1006)
            return
        if client.buffer:
            data = client.buffer + data
        if not client.upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                client.buffer = head
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self._end(client, int(head.split(b" ", 2)[1]))
                return
            client.upgraded = True
        client.buffer = self._parse(client, data)

    def _parse(self, client: Client, data: bytes) -> bytes:
        """Count the frames in `data`, and return the incomplete rest.

        A server sends its frames unmasked: RFC 6455, 5.1.
        """
        at, size = 0, len(data)
        while size - at >= 2:
            opcode, length, head = data[at] & 15, data[at + 1] & 127, 2
            if length >= 126:
                head = 4 if length == 126 else 10
                if size - at < head:
                    break
                length = int.from_bytes(data[at + 2 : at + head], "big")
            if size - at < head + length:
                break
            begin, at = at + head, at + head + length
            if opcode == TEXT:
                client.frames += 1
                self.frames += 1
                if data[begin] == ord("<"):
                    client.cards += 1
                    self.cards += 1
                    client.last = data[begin:at]
            elif opcode == PING and client.socket is not None:
                # A client must mask its frames; a mask of zeros leaves the payload as it is.
                head_of_pong = bytes([0x80 | PONG, 0x80 | length, 0, 0, 0, 0])
                with suppress(OSError):
                    client.socket.send(head_of_pong + data[begin:at])
            elif opcode == CLOSE and client.closed is None:
                client.closed = int.from_bytes(data[begin : begin + 2], "big")
        return data[at:]
