"""A listener hears from the stand-in which materialized views have changed, with either driver."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from django.db import Error

from django_risingwave.standin.summaries import CHANNEL
from django_risingwave.streaming.changes import ChangeListener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper

SOON = 20.0


@pytest.fixture
def other(connect: Callable[[], Any]) -> Any:
    other = connect()
    other.autocommit = True
    return other


@pytest.fixture
def wake() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends: what is sent into the first wakes a listener at the second."""
    sender, receiver = socket.socketpair()
    with sender, receiver:
        yield sender, receiver


def tell(other: Any, name: str) -> None:
    other.cursor().execute(f"NOTIFY {CHANNEL}, '{name}'")


def test_what_changes_is_told(standin: DatabaseWrapper, other: Any, wake: Any) -> None:
    listener = ChangeListener("risingwave", ["a", "b"])
    assert listener.start() is True
    tell(other, "a")
    assert listener.wait(SOON, wake[1]) == {"a"}
    tell(other, "b")
    assert listener.wait(SOON, wake[1]) == {"b"}
    assert listener.wait(0, wake[1]) == set()


def test_what_is_not_asked_for_is_not_told(standin: DatabaseWrapper, other: Any, wake: Any) -> None:
    listener = ChangeListener("risingwave", ["b"])
    listener.start()
    tell(other, "a")
    tell(other, "b")
    while not (names := listener.wait(SOON, wake[1])):
        pass
    assert names == {"b"}


def test_what_was_told_during_a_query_is_not_lost(standin: DatabaseWrapper, other: Any, wake: Any) -> None:
    listener = ChangeListener("risingwave", ["a", "b"])
    listener.start()
    tell(other, "a")
    with standin.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert listener.wait(SOON, wake[1]) == {"a"}


def test_a_listener_can_be_woken(standin: DatabaseWrapper, wake: Any) -> None:
    sender, receiver = wake
    listener = ChangeListener("risingwave", ["a", "b"])
    listener.start()
    sender.send(b"x")
    assert listener.wait(SOON, receiver) == set()


def test_a_connection_that_is_lost_is_an_error(standin: DatabaseWrapper, other: Any, wake: Any) -> None:
    listener = ChangeListener("risingwave", ["a", "b"])
    listener.start()
    with standin.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    other.cursor().execute(f"SELECT pg_terminate_backend({pid})")

    def listen() -> None:
        # The server's last words may come before the end of the connection.
        while True:
            listener.wait(SOON, wake[1])

    with pytest.raises(Error):
        listen()
