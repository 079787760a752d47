"""On the stand-in a listener is notified of the materialized views that change, with either driver."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from django.db import Error

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.streaming.changes import MOVING_SECONDS, ChangeListener
from django_risingwave.streaming.views import ViewDefinition
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
    listener.start()
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


def test_no_change_is_lost_while_a_view_is_added(
    standin: DatabaseWrapper, other: Any, wake: SelectableEvent
) -> None:
    listener = ChangeListener("risingwave", ["a"])
    listener.start()
    notify(other, "a")
    listener.listen_to(["a", "b"])
    notify(other, "b")
    names: set[str] = set()
    while names != {"a", "b"}:
        names |= listener.wait(DEADLINE_SECONDS, wake)
    listener.listen_to(["b"])
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


RECENT = ViewDefinition("recent", "SELECT id, at FROM events WHERE at > now() - INTERVAL '2 seconds'")
OLD = ViewDefinition("old", "SELECT id, at FROM events WHERE at < '2000-01-01' OR note = 'now()'")
COUNTED = ViewDefinition(
    "counted", "WITH few AS (SELECT * FROM recent LIMIT 5) SELECT count(*) AS n FROM few"
)


def test_views_with_the_time_and_those_over_them_change_each_second_by_themselves(
    standin: DatabaseWrapper, other: Any, wake: SelectableEvent
) -> None:
    cursor = other.cursor()
    cursor.execute("CREATE TABLE events (id int, at timestamptz, note varchar)")
    with standin.schema_editor() as editor:
        for definition in (RECENT, OLD, COUNTED):
            editor.create_streaming_object(definition)
    listener = ChangeListener("risingwave", ["recent", "old", "counted"])
    begun = time.monotonic()
    assert listener.start() is True
    for number in range(3):
        assert listener.wait(DEADLINE_SECONDS, wake) == {"recent", "counted"}
        assert time.monotonic() >= begun + (number + 1) * MOVING_SECONDS
    cursor.execute("INSERT INTO events VALUES (1, now())")
    names = set[str]()
    while names != {"recent", "old", "counted"}:
        names |= listener.wait(DEADLINE_SECONDS, wake)
    # The row leaves without any write.
    seen: list[int] = []
    while not seen or seen[-1]:
        listener.wait(DEADLINE_SECONDS, wake)
        with standin.cursor() as reader:
            reader.execute("SELECT n FROM counted")
            seen += [n for (n,) in reader.fetchall()]
    assert set(seen[:-1]) <= {1}


@pytest.mark.parametrize(
    ("query", "moves"),
    [
        ("SELECT id FROM events WHERE at > NOW() - INTERVAL '1 day'", True),
        ("SELECT id FROM events WHERE at::date = current_date", True),
        ("SELECT id FROM events WHERE at < clock_timestamp()", True),
        ("SELECT id FROM events WHERE id IN (SELECT id FROM events WHERE at > current_timestamp)", True),
        ("SELECT id FROM events WHERE at > '2000-01-01' AND note = 'It''s now() or never'", False),
        ("SELECT date_trunc('day', at) AS day, count(*) FROM events GROUP BY 1", False),
    ],
)
def test_a_view_changes_by_itself_if_it_has_the_time(
    standin: DatabaseWrapper, other: Any, query: str, moves: bool
) -> None:
    other.cursor().execute("CREATE TABLE events (id int, at timestamptz, note varchar)")
    with standin.schema_editor() as editor:
        editor.create_streaming_object(ViewDefinition("v", query))
    assert standin.standin is not None
    assert standin.standin.get_moving(["v", "events"]) == ({"v"} if moves else set())


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
