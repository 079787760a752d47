"""Subscriptions on a double of RisingWave: its cursor, and the listener that follows one of each view."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.db import DatabaseError, Error, NotSupportedError, OperationalError, connections

from django_risingwave.standin.summaries import CHANNEL
from django_risingwave.streaming import changes
from django_risingwave.streaming.aggregates import Count
from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.migration_operations import (
    CreateMaterializedView,
    CreateSubscription,
    CreateTable,
)
from django_risingwave.streaming.subscriptions import Change, SubscriptionCursor
from tests.django_risingwave.conftest import doubled
from tests.django_risingwave.models import Event
from tests.django_risingwave.test_migration_operations import kind_total, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.double import Double

#: Seconds after which a test gives up.
PATIENCE = 30
VIEWS = ["kind_rows", "kind_total"]


@pytest.fixture
def double(standin: DatabaseWrapper) -> Iterator[Double]:
    """The double, with two views and a subscription of each."""
    rows = CreateMaterializedView(
        "kind_rows", source="events", group_by=["kind"], measures={"rows": Count("amount")}
    )
    migrate(standin, CreateTable("Event"), kind_total(), rows)
    with doubled(standin) as double:
        migrate(standin, *(CreateSubscription(f"{view}_changes", source=view) for view in VIEWS))
        assert double.subscriptions == {f"{view}_changes": view for view in VIEWS}
        yield double


@pytest.fixture
def cursor(double: Double) -> Iterator[SubscriptionCursor]:
    with SubscriptionCursor("kind_total_changes", using="risingwave") as cursor:
        cursor.flush()
        yield cursor


@pytest.fixture
def wake() -> Iterator[tuple[socket.socket, socket.socket]]:
    sender, receiver = socket.socketpair()
    with sender, receiver:
        yield sender, receiver


@pytest.fixture
def listener(double: Double, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChangeListener]:
    """One that has started, and whose threads don't wait for long."""
    monkeypatch.setattr(changes, "FETCH_TIMEOUT", 1)
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start() is True
        yield listener
    wait_until(lambda: not followers())


def insert(amount: int = 1) -> None:
    """Change both views."""
    Event.objects.create(kind="a", amount=amount)


def change(view: str) -> None:
    """Tell the double that this view alone has changed."""
    with connections["risingwave"].cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, view])


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("changes-of-")]


def following(double: Double) -> list[Any]:
    return [session for session in double.sessions if session.is_open and session.cursors]


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def next_of(listener: ChangeListener, wake: tuple[socket.socket, socket.socket]) -> set[str]:
    until = time.monotonic() + PATIENCE
    while not (names := listener.wait(until - time.monotonic(), wake[1])):
        assert time.monotonic() < until
    return names


# The cursor -----------------------------------------------------------------------------------------------


def test_changes_come_with_their_row(cursor: SubscriptionCursor) -> None:
    insert(2)
    (change,) = cursor.fetch(timeout=PATIENCE)
    assert change == Change(
        op="Insert", rw_timestamp=change.rw_timestamp, row={"kind": "a", "total": 2, "rows": 1}
    )
    assert isinstance(change.rw_timestamp, int)
    assert cursor.fetch() == []
    assert cursor.fetch(timeout=1) == []


def test_no_more_than_asked_for(cursor: SubscriptionCursor) -> None:
    for _ in range(3):
        insert()
    assert len(cursor.fetch(1, timeout=PATIENCE)) == 1
    assert len(cursor.fetch(1, timeout=PATIENCE)) == 1
    assert len(cursor.fetch(9, timeout=PATIENCE)) == 1


def test_a_moment_is_told_again(cursor: SubscriptionCursor) -> None:
    insert()
    (change,) = cursor.fetch(timeout=PATIENCE)
    assert change.rw_timestamp
    cursor.declare(since=change.rw_timestamp)
    assert cursor.fetch() == [change]
    cursor.declare(since=change.rw_timestamp + 1)
    assert cursor.fetch() == []


def test_a_full_cursor_begins_with_the_rows_there_are(double: Double) -> None:
    insert()
    with SubscriptionCursor("kind_total_changes", using="risingwave", since="full") as cursor:
        (row,) = cursor.fetch()
        assert row == Change(op="Insert", rw_timestamp=None, row={"kind": "a", "total": 1, "rows": 1})


def test_a_cursor_can_begin_with_what_is_kept(double: Double) -> None:
    insert()
    with SubscriptionCursor("kind_total_changes", using="risingwave", since="begin") as cursor:
        assert len(cursor.fetch(timeout=PATIENCE)) == 1


def test_columns_are_those_of_each_fetch(double: Double, cursor: SubscriptionCursor) -> None:
    insert()
    assert cursor.fetch(timeout=PATIENCE)[0].row.keys() == {"kind", "total", "rows"}
    # As if it were altered.
    (session,) = following(double)
    session.cursors["changes"].view = "kind_rows"
    insert()
    assert cursor.fetch(timeout=PATIENCE)[0].row.keys() == {"kind", "rows"}


def test_another_thread_may_use_it(cursor: SubscriptionCursor) -> None:
    insert()
    found: list[Change] = []
    thread = threading.Thread(target=lambda: found.extend(cursor.fetch(timeout=PATIENCE)))
    thread.start()
    thread.join()
    assert len(found) == 1


def test_what_is_sent_is_what_risingwave_is_documented_to_take(double: Double) -> None:
    before = len(double.statements)
    with SubscriptionCursor("kind_total_changes", using="risingwave") as cursor:
        cursor.fetch()
        cursor.fetch(7, timeout=1)
        cursor.declare("full")
    sent = [sql for sql in double.statements[before:] if not sql.startswith(("SET ", "SELECT "))]
    assert sent == [
        'DECLARE "changes" SUBSCRIPTION CURSOR FOR "kind_total_changes" SINCE now()',
        'FETCH 100 FROM "changes"',
        "FETCH 7 FROM \"changes\" WITH (timeout = '1s')",
        'CLOSE "changes"',
        'DECLARE "changes" SUBSCRIPTION CURSOR FOR "kind_total_changes" FULL',
    ]


def test_its_connection_ends_with_it(double: Double) -> None:
    cursor = SubscriptionCursor("kind_total_changes", using="risingwave")
    with cursor:
        assert len(following(double)) == 1
    cursor.close()
    wait_until(lambda: not following(double))
    with pytest.raises(ValueError, match="subscription 'kind_total_changes' is not open"):
        cursor.fetch()


def test_its_connection_is_none_of_a_pool(double: Double) -> None:
    options = connections["risingwave"].settings_dict["OPTIONS"]
    # Which psycopg2 hasn't got, and would refuse.
    with (
        mock.patch.dict(options, pool={"max_size": 1}),
        SubscriptionCursor("kind_total_changes", using="risingwave") as cursor,
    ):
        assert cursor.fetch() == []


def test_a_subscription_that_is_not_there_is_an_error(double: Double) -> None:
    cursor = SubscriptionCursor("nothing", using="risingwave")
    before = sum(session.is_open for session in double.sessions)
    with pytest.raises(Error, match="subscription not found: nothing"):
        cursor.open()
    wait_until(lambda: sum(session.is_open for session in double.sessions) == before)


def test_a_cursor_that_has_expired_is_an_error_until_it_is_declared(
    double: Double, cursor: SubscriptionCursor
) -> None:
    double.expire_cursors()
    for _ in range(2):
        with pytest.raises(DatabaseError, match="exceeded its maximum lifetime"):
            cursor.fetch(timeout=1)
    cursor.declare("now")
    assert cursor.fetch() == []


def test_a_lost_connection_is_operational(double: Double, cursor: SubscriptionCursor) -> None:
    double.drop(lambda session: session.cursors)
    with pytest.raises(OperationalError):
        cursor.fetch(timeout=1)


@pytest.mark.parametrize("timeout", [0, -1, 0.5, 2.5, "5s"])
def test_a_timeout_is_whole_seconds(timeout: Any) -> None:
    with pytest.raises(ValueError, match=f"A timeout in whole seconds is needed, 1 or more.*not {timeout!r}"):
        SubscriptionCursor("s", using="risingwave").fetch(timeout=timeout)


@pytest.mark.parametrize("size", [0, -1, 1.5, None])
def test_a_size_is_a_number_of_changes(size: Any) -> None:
    with pytest.raises(ValueError, match=f"A size of 1 or more changes is needed, not {size}"):
        SubscriptionCursor("s", using="risingwave").fetch(size)


@pytest.mark.parametrize("since", [-1, 1.5, True, None, "yesterday", "now()"])
def test_a_beginning_is_one_that_risingwave_knows(since: Any) -> None:
    with pytest.raises(ValueError, match="A cursor begins at "):
        SubscriptionCursor("s", using="risingwave", since=since)


def test_the_stand_in_has_no_subscriptions(standin: DatabaseWrapper) -> None:
    with (
        pytest.raises(NotSupportedError, match=r"\(stand-in\) has no subscriptions\. ChangeListener"),
        SubscriptionCursor("s", using="risingwave"),
    ):
        pass


# The listener ---------------------------------------------------------------------------------------------


def test_what_changes_is_told(listener: ChangeListener, wake: Any) -> None:
    change("kind_total")
    assert next_of(listener, wake) == {"kind_total"}
    insert()
    told = next_of(listener, wake)
    while told != set(VIEWS):
        told |= next_of(listener, wake)
    assert listener.wait(0, wake[1]) == set()


def test_only_what_is_asked_for_is_followed(double: Double, wake: Any) -> None:
    with closing(ChangeListener("risingwave", ["kind_rows"])) as listener:
        assert listener.start()
        assert len(following(double)) == 1


def test_a_change_right_after_the_start_is_told(double: Double, wake: Any) -> None:
    """A cursor begins with the next epoch, and so would miss it, were the one in progress not ended."""
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start()
        change("kind_total")
        assert next_of(listener, wake) == {"kind_total"}


def test_one_change_of_an_epoch_is_fetched_and_the_rest_skipped(
    double: Double, listener: ChangeListener, wake: Any
) -> None:
    change("kind_total")
    next_of(listener, wake)
    (epoch,) = double.changes["kind_total"]
    declare = f'DECLARE "changes" SUBSCRIPTION CURSOR FOR "kind_total_changes" SINCE {epoch + 1}'
    wait_until(lambda: declare in double.statements)
    fetches = {sql for sql in double.statements if sql.startswith("FETCH")}
    assert fetches == {"FETCH 1 FROM \"changes\" WITH (timeout = '1s')"}


def test_a_listener_can_be_woken(listener: ChangeListener, wake: Any) -> None:
    wake[0].send(b"x")
    assert listener.wait(PATIENCE, wake[1]) == set()


def test_an_expired_cursor_is_declared_again_and_its_view_read(
    double: Double, listener: ChangeListener, wake: Any
) -> None:
    fetched_each(double)
    double.expire_cursors()
    told = next_of(listener, wake)
    while told != set(VIEWS):
        told |= next_of(listener, wake)
    change("kind_total")
    assert next_of(listener, wake) == {"kind_total"}


def test_a_lost_connection_is_made_again_and_its_view_read(
    double: Double, listener: ChangeListener, wake: Any
) -> None:
    fetched_each(double)
    lost = next(s for s in following(double) if s.cursors["changes"].view == "kind_rows")
    double.drop(lambda session: session is lost)
    assert next_of(listener, wake) == {"kind_rows"}
    insert()
    told = next_of(listener, wake)
    while told != set(VIEWS):
        told |= next_of(listener, wake)


def test_what_can_not_be_opened_again_is_the_listeners_error(
    double: Double, listener: ChangeListener, wake: Any
) -> None:
    fetched_each(double)
    double.subscriptions.clear()
    double.expire_cursors()
    with pytest.raises(Error, match="subscription not found"):
        next_of(listener, wake)


def test_a_cursor_that_never_answers_is_the_listeners_error(
    double: Double, listener: ChangeListener, wake: Any
) -> None:
    fetched_each(double)
    double.expired_at = time.monotonic() + 3600
    with double.news:
        double.news.notify_all()

    def listen() -> None:
        while True:
            next_of(listener, wake)

    with pytest.raises(Error, match="exceeded its maximum lifetime"):
        listen()


def test_threads_and_connections_end_with_it(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "FETCH_TIMEOUT", 1)
    listener = ChangeListener("risingwave", VIEWS)
    listener.start()
    assert len(followers()) == len(following(double)) == 2
    listener.close()
    connections["risingwave"].close()
    wait_until(lambda: not followers())
    wait_until(lambda: not any(session.is_open for session in double.sessions))


def test_one_cursor_that_can_not_be_opened_leaves_none(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "django_risingwave.introspection.DatabaseIntrospection.get_subscriptions",
        lambda self, cursor: {"kind_rows": "kind_rows_changes", "kind_total": "nothing"},
    )
    with pytest.raises(Error, match="subscription not found: nothing"):
        ChangeListener("risingwave", VIEWS).start()
    wait_until(lambda: not following(double))
    assert not followers()


def test_where_a_subscription_is_missing_nothing_is_told(
    double: Double, wake: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_polled", set())
    caplog.set_level(logging.INFO, logger=changes.__name__)
    del double.subscriptions["kind_rows_changes"]
    for _ in range(2):
        with closing(ChangeListener("risingwave", VIEWS)) as listener:
            assert listener.start() is False
            insert()
            assert listener.wait(0, wake[1]) == set()
    assert not followers()
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "of kind_rows." in record.getMessage()
    assert 'CreateSubscription("kind_rows_changes", source="kind_rows")' in record.getMessage()


def fetched_each(double: Double) -> None:
    """Wait until each cursor has answered once, with nothing: then its errors are those of one that works."""
    before = len(double.statements)
    wait_until(lambda: sum(sql.startswith("FETCH") for sql in double.statements[before:]) >= 4)
