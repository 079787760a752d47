"""On the stand-in a listener is notified of the materialized views that change, with either driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import Error

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.streaming.changes import ChangeListener
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.selectable_event import SelectableEvent


@pytest.fixture
def other(connect: Callable[[], Any]) -> Any:
    other = connect()
    other.autocommit = True
    return other


def notify(other: Any, name: str) -> None:
    other.cursor().execute(f"NOTIFY {CHANNEL}, '{name}'")


def test_wait_returns_the_view_that_changed(
    standin: DatabaseWrapper, other: Any, wake: SelectableEvent
) -> None:
    listener = ChangeListener("risingwave", ["a", "b"])
    assert listener.start() is True
    notify(other, "a")
    assert listener.wait(DEADLINE_SECONDS, wake) == {"a"}
    notify(other, "b")
    assert listener.wait(DEADLINE_SECONDS, wake) == {"b"}
    assert listener.wait(0, wake) == set()


def test_changes_of_other_views_are_left_out(
    standin: DatabaseWrapper, other: Any, wake: SelectableEvent
) -> None:
    listener = ChangeListener("risingwave", ["b"])
    listener.start()
    notify(other, "a")
    notify(other, "b")
    while not (names := listener.wait(DEADLINE_SECONDS, wake)):
        pass
    assert names == {"b"}


def test_a_change_that_arrives_during_a_query_is_not_lost(
    standin: DatabaseWrapper, other: Any, wake: SelectableEvent
) -> None:
    listener = ChangeListener("risingwave", ["a", "b"])
    listener.start()
    notify(other, "a")
    with standin.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert listener.wait(DEADLINE_SECONDS, wake) == {"a"}


def test_an_event_ends_the_wait(standin: DatabaseWrapper, wake: SelectableEvent) -> None:
    listener = ChangeListener("risingwave", ["a", "b"])
    listener.start()
    wake.set()
    assert listener.wait(DEADLINE_SECONDS, wake) == set()


def test_a_lost_connection_raises_an_error(
    standin: DatabaseWrapper, other: Any, wake: SelectableEvent
) -> None:
    listener = ChangeListener("risingwave", ["a", "b"])
    listener.start()
    with standin.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    other.cursor().execute(f"SELECT pg_terminate_backend({pid})")

    def listen() -> None:
        # The server's last message may arrive before the end of the connection.
        while True:
            listener.wait(DEADLINE_SECONDS, wake)

    with pytest.raises(Error):
        listen()
