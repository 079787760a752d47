"""One thread waits for an event together with sockets; any thread sets it."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from django_risingwave.streaming.selectable_event import SelectableEvent

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def event() -> Iterator[SelectableEvent]:
    with closing(SelectableEvent()) as event:
        yield event


def test_another_thread_ends_the_wait(event: SelectableEvent) -> None:
    setter = threading.Thread(target=event.set)
    setter.start()
    assert event.wait() is True
    setter.join()


def test_an_event_is_set_until_it_is_cleared(event: SelectableEvent) -> None:
    assert event.wait(0) is False
    event.set()
    event.set()
    assert event.wait(0) is True
    assert event.wait(0) is True
    event.clear()
    assert event.wait(0) is False


def test_one_clear_resets_any_number_of_sets(event: SelectableEvent) -> None:
    # More than the buffer of a socket holds.
    for _ in range(100_000):
        event.set()
    event.clear()
    assert event.wait(0) is False


def test_a_readable_socket_ends_the_wait_too(event: SelectableEvent) -> None:
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.send(b"x")
        assert event.wait(None, receiver) is False
        event.set()
        assert event.wait(None, receiver) is True


def test_setting_a_closed_event_does_nothing(event: SelectableEvent) -> None:
    event.close()
    event.set()
