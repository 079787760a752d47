"""The proxy fails as it is told to."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.unversioned
#: Seconds in which what isn't forwarded would have arrived.
SILENCE_SECONDS = 0.3


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1000):
                    connection.sendall(data)
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo) -> Iterator[Proxy]:
    with Proxy(echo) as proxy:
        yield proxy


@contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=10)) as connection:
        yield connection


def echoes(connection: socket.socket) -> bool:
    """Send a text, and return True once it has come back."""
    connection.sendall(b"hello")
    return connection.recv(1000) == b"hello"


def is_silent(connection: socket.socket) -> bool:
    """Send a text, and return whether nothing comes back for a while."""
    connection.sendall(b"hello")
    return not select.select([connection], [], [], SILENCE_SECONDS)[0]


def test_it_forwards_until_it_is_told_otherwise(proxy):
    with connected(proxy) as connection:
        assert echoes(connection)
        assert proxy.connections() == 1


def test_what_is_sent_while_it_is_frozen_arrives_later(proxy):
    with connected(proxy) as connection:
        proxy.freeze()
        assert is_silent(connection)
        proxy.forward()
        assert connection.recv(1000) == b"hello"


def test_a_swallowed_connection_stays_dead_and_a_new_one_lives(proxy):
    with connected(proxy) as old:
        proxy.swallow()
        assert is_silent(old)
        with connected(proxy) as meanwhile:
            assert is_silent(meanwhile)
            proxy.forward()
            assert is_silent(meanwhile)
        assert is_silent(old)
        with connected(proxy) as new:
            assert echoes(new)


def test_it_refuses_and_resets(proxy):
    with connected(proxy) as connection:
        assert echoes(connection)
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            connection.recv(1000)
    with pytest.raises(ConnectionRefusedError), connected(proxy):
        pass
    proxy.forward()
    with connected(proxy) as connection:
        assert echoes(connection)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1000)


def test_connections_that_nobody_accepts_get_no_answer(proxy):
    with connected(proxy) as old:
        assert echoes(old)
        proxy.stop_accepting()
        with connected(proxy) as new:
            assert is_silent(new)
        assert echoes(old)


def test_it_is_slow(proxy):
    with connected(proxy) as connection:
        proxy.slow(delay=1.0)
        assert is_silent(connection)
        assert connection.recv(1000) == b"hello"
