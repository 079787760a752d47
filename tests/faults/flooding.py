"""Floods: connections and requests that cost the sender little, until the block ends."""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.faults.crowd import own_address
from tests.faults.logging_in import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.faults.site import Served
    from tests.processes import Server

#: Seconds that an attacker waits for an answer.
ANSWER_SECONDS = 5
#: The address of an attacker who has only one.
ATTACKER = "127.2.0.1"


def connect(server: Server, source: str) -> socket.socket:
    """Connect from an address of this machine. Raises OSError."""
    name, _, port = server.host.partition(":")
    connected = socket.socket()
    connected.settimeout(ANSWER_SECONDS)
    try:
        connected.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
        connected.bind((source, 0))
        connected.connect((name, int(port)))
    except OSError:
        connected.close()
        raise
    return connected


def upgraded(server: Server, source: str, origin: str | None = None) -> socket.socket:
    """Open a WebSocket for programs. Raises OSError."""
    connected = connect(server, source)
    lines = [
        *("GET /ws/rankings/?format=json HTTP/1.1", f"Host: {server.host}", "Upgrade: websocket"),
        *("Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        *([f"Origin: {origin}"] if origin else []),
    ]
    try:
        connected.sendall("\r\n".join([*lines, "", ""]).encode())
        connected.recv(65_536)
    except OSError:
        connected.close()
        raise
    return connected


class HalfOpen(threading.Thread):
    """Keeps a number of connections open that have begun a request and don't end it.

    Lost ones are opened again once a second.
    """

    def __init__(self, server: Server, count: int, source: Callable[[int], str]) -> None:
        super().__init__(daemon=True)
        self.server, self.count, self.source = server, count, source
        self.ended = threading.Event()
        self.connections: list[socket.socket] = []
        self.opened = self.refused = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        while True:
            self.connections = [each for each in self.connections if not self._is_closed(each)]
            for number in range(self.count - len(self.connections)):
                try:
                    connected = connect(self.server, self.source(number))
                    connected.sendall(b"GET / HTTP/1.1\r\nHost: ")
                except OSError:
                    self.refused += 1
                    break
                self.opened += 1
                self.connections.append(connected)
            if self.ended.wait(1):
                break
        for connected in self.connections:
            connected.close()

    def _is_closed(self, connected: socket.socket) -> bool:
        """Whether the server has closed the connection, or refused it with an answer."""
        connected.setblocking(False)
        try:
            connected.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            pass
        connected.close()
        return True


class Flood:
    """Threads that repeat an attack as fast as the server answers; `times` counts how often."""

    def __init__(self, attack: Callable[[], object], threads: int = 4) -> None:
        self.attack, self.times = attack, 0
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _run(self) -> None:
        while not self.ended.is_set():
            with suppress(OSError, AssertionError):
                self.attack()
            self.times += 1


def frames(server: Server, frame: bytes) -> None:
    """Open a WebSocket and send a frame until the server closes it, or for a second. Raises OSError."""
    with upgraded(server, ATTACKER) as connected:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            connected.sendall(frame * 100)


def refused_origin(server: Server) -> None:
    """Open a WebSocket from a page of another site, and go once it is answered. Raises OSError."""
    upgraded(server, ATTACKER, "https://other.example").close()


def bad_request(server: Server, paths: Sequence[str]) -> None:
    """Request a page that doesn't exist or that the site refuses. Raises OSError."""
    with connect(server, ATTACKER) as connected:
        head = f"GET {random.choice(paths)} HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\n\r\n"
        connected.sendall(head.encode())
        while connected.recv(65_536):
            pass


def failed_login(served: Served, number: Callable[[], int]) -> None:
    """Try a wrong password of a user who doesn't exist. Raises OSError."""
    visitor = Visitor(served)
    visitor.request("/login/")
    visitor.request("/login/", username=f"user{number()}", password="wrong")


def any_address(number: int) -> str:
    """Return an address as if each connection came from another machine."""
    return own_address(number)


def one_address(_number: int) -> str:
    """Return the address of an attacker who has only one."""
    return ATTACKER


def passes_by(server: Server, number: int) -> bool:
    """Connect, send nothing, or request a page, or open a WebSocket, and go; return whether it worked."""
    source = own_address(number)
    try:
        if number % 3 == 0:
            connect(server, source).close()
        elif number % 3 == 1:
            with connect(server, source) as connected:
                connected.sendall(f"GET /api/rankings/ HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
                return connected.recv(65_536).startswith(b"HTTP/1.1 200 ")
        else:
            upgraded(server, source).close()
    except OSError:
        return False
    return True
