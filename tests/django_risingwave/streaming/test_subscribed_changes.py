"""On RisingWave a listener polls a subscription of each view. The server is a double of RisingWave."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from django.db import Error, connections
from django.db.backends.postgresql.psycopg_any import is_psycopg3

from django_risingwave.streaming import changes
from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.polling import FETCH_ROWS, PolledSubscriptions
from tests.django_risingwave.streaming.double_events import insert, notify, sessions_with_cursors
from tests.django_risingwave.streaming.migrating import VIEWS
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.streaming.selectable_event import SelectableEvent
    from django_risingwave.testing.double import Double


@pytest.fixture
def listener(double: Double) -> Iterator[ChangeListener]:
    """A listener that has started, and that polls whenever wait() is called."""
    with closing(ChangeListener("risingwave", VIEWS, interval=0)) as listener:
        assert listener.start() is True
        yield listener


def next_changes(listener: ChangeListener, wake: SelectableEvent) -> set[str]:
    """Wait for changes, and return the names of the views that have changed."""
    until = time.monotonic() + DEADLINE_SECONDS
    while not (names := listener.wait(until - time.monotonic(), wake)):
        assert time.monotonic() < until
    return names


def changes_of_all(listener: ChangeListener, wake: SelectableEvent) -> None:
    """Wait until each of the listener's views has changed. Some may be told a round later."""
    names: set[str] = set()
    while names != listener.relations:
        names |= next_changes(listener, wake)


def one_round(listener: ChangeListener, double: Double, wake: SelectableEvent) -> list[str]:
    """Poll all subscriptions once, and return the statements that this takes."""
    before = len(double.statements)
    # An event that is set ends the wait after the round that is due.
    wake.set()
    while len(double.statements) == before:
        assert listener.wait(DEADLINE_SECONDS, wake) == set()
    wake.clear()
    return double.statements[before:]


def test_wait_returns_the_views_that_changed(listener: ChangeListener, wake: SelectableEvent) -> None:
    notify("kind_total")
    assert next_changes(listener, wake) == {"kind_total"}
    insert()
    changes_of_all(listener, wake)
    assert listener.wait(0, wake) == set()


def test_only_the_views_asked_for_are_polled(double: Double, wake: SelectableEvent) -> None:
    with closing(ChangeListener("risingwave", ["kind_rows"])) as listener:
        assert listener.start()
        (session,) = sessions_with_cursors(double)
        assert [cursor.view for cursor in session.cursors.values()] == ["kind_rows"]


def test_a_view_is_added_while_the_cursor_of_another_goes_on(double: Double, wake: SelectableEvent) -> None:
    with closing(ChangeListener("risingwave", ["kind_rows"], interval=0)) as listener:
        assert listener.start()
        (session,) = sessions_with_cursors(double)
        notify("kind_rows")
        before = len(double.statements)
        assert listener.listen_to(VIEWS)
        sent = [sql for sql in double.statements[before:] if not sql.startswith("SELECT")]
        assert sent == [
            'DECLARE "changes_2" SUBSCRIPTION CURSOR FOR "kind_total_changes" SINCE now()',
            "FLUSH",
        ]
        assert sessions_with_cursors(double) == [session]
        notify("kind_total")
        changes_of_all(listener, wake)


def test_a_view_that_is_left_out_from_now_on_has_no_cursor(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    assert listener.listen_to(["kind_total"])
    (session,) = sessions_with_cursors(double)
    assert [cursor.view for cursor in session.cursors.values()] == ["kind_total"]
    insert()
    assert next_changes(listener, wake) == {"kind_total"}
    assert listener.listen_to(VIEWS)
    insert()
    changes_of_all(listener, wake)


def test_a_view_is_added_though_the_session_with_the_cursors_was_lost(
    double: Double, wake: SelectableEvent
) -> None:
    with closing(ChangeListener("risingwave", ["kind_rows"], interval=0)) as listener:
        listener.start()
        one_round(listener, double, wake)
        double.drop(lambda session: session.cursors)
        assert listener.listen_to(VIEWS)
        changes_of_all(listener, wake)
        notify("kind_total")
        assert next_changes(listener, wake) == {"kind_total"}


def test_the_first_subscription_may_be_added_later(double: Double, wake: SelectableEvent) -> None:
    with closing(ChangeListener("risingwave", [], interval=0)) as listener:
        listener.start()
        assert not sessions_with_cursors(double)
        assert listener.listen_to(VIEWS)
        insert()
        changes_of_all(listener, wake)


@pytest.mark.parametrize("number", [4, 50])
def test_any_number_of_views_is_heard_in_one_session(
    double: Double, number: int, monkeypatch: pytest.MonkeyPatch, wake: SelectableEvent
) -> None:
    views = {f"view_{i}": f"view_{i}_changes" for i in range(number)}
    monkeypatch.setattr(double, "subscriptions", {views[view]: "kind_total" for view in views})
    monkeypatch.setattr(
        "django_risingwave.introspection.DatabaseIntrospection.get_subscriptions", lambda self, cursor: views
    )
    with closing(ChangeListener("risingwave", views)) as listener:
        assert listener.start()
        notify("kind_total")
        changes_of_all(listener, wake)
        (hearing,) = sessions_with_cursors(double)
        assert len(hearing.cursors) == number
        # The other is the calling thread's, with which it reads.
        assert sum(session.is_open for session in double.sessions) == 2


def test_a_change_right_after_the_start_is_not_missed(double: Double, wake: SelectableEvent) -> None:
    """A cursor begins with the next epoch, so start() must end the current one."""
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start()
        notify("kind_total")
        assert next_changes(listener, wake) == {"kind_total"}


def test_a_round_without_a_change_is_one_fetch_for_each_view_that_does_not_wait(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    for _ in range(3):
        assert one_round(listener, double, wake) == [
            'FETCH 100 FROM "changes_1"',
            'FETCH 100 FROM "changes_2"',
        ]


def test_psycopg_3_sends_a_round_as_one_query(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    """psycopg2 returns only the result of the last statement of a query."""
    queries: list[str] = []

    def record(execute: Any, sql: str, *arguments: Any) -> Any:
        queries.append(sql)
        return execute(sql, *arguments)

    assert isinstance(listener._source, PolledSubscriptions)
    with listener._source._session.execute_wrapper(record):
        statements = one_round(listener, double, wake)
    assert queries == (["; ".join(statements)] if is_psycopg3 else statements)


def test_a_change_is_told_once_and_costs_no_more_statements(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    before = len(double.statements)
    notify("kind_total")
    assert next_changes(listener, wake) == {"kind_total"}
    assert {sql.split()[0] for sql in double.statements[before:] if "pg_notify" not in sql} == {"FETCH"}
    one_round(listener, double, wake)


def change_more_rows_than_a_fetch_returns(double: Double, epoch: int) -> None:
    with double.changed:
        double.changes["kind_total"] += [epoch] * (FETCH_ROWS + 1)


def test_an_epoch_with_more_changes_than_a_fetch_returns_is_skipped(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    one_round(listener, double, wake)
    epoch = double.epoch
    change_more_rows_than_a_fetch_returns(double, epoch)
    double.next_epoch()
    before = len(double.statements)
    assert next_changes(listener, wake) == {"kind_total"}
    assert [sql for sql in double.statements[before:] if not sql.startswith("FETCH ")] == [
        'CLOSE "changes_2"',
        f'DECLARE "changes_2" SUBSCRIPTION CURSOR FOR "kind_total_changes" SINCE {epoch + 1}',
    ]
    one_round(listener, double, wake)
    notify("kind_total")
    assert next_changes(listener, wake) == {"kind_total"}


def test_an_epoch_that_can_not_be_skipped_is_told_all_the_same(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    """A cursor can't begin in the future, where the clock of the node that dates the epochs may be."""
    one_round(listener, double, wake)
    change_more_rows_than_a_fetch_returns(double, double.epoch + 3_600_000)
    assert next_changes(listener, wake) == set(VIEWS)


def test_an_event_ends_the_wait(listener: ChangeListener, wake: SelectableEvent) -> None:
    wake.set()
    assert listener.wait(DEADLINE_SECONDS, wake) == set()


def test_no_round_begins_before_the_interval_is_over(double: Double, wake: SelectableEvent) -> None:
    with closing(ChangeListener("risingwave", VIEWS, interval=3600)) as listener:
        listener.start()
        one_round(listener, double, wake)
        before = len(double.statements)
        for _ in range(10):
            assert listener.wait(0, wake) == set()
        assert double.statements[before:] == []


@pytest.mark.parametrize("view", VIEWS)
def test_when_one_cursor_expires_all_are_declared_again_and_all_views_reported(
    double: Double, listener: ChangeListener, wake: SelectableEvent, view: str
) -> None:
    one_round(listener, double, wake)
    (session,) = sessions_with_cursors(double)
    (cursor,) = [cursor for cursor in session.cursors.values() if cursor.view == view]
    cursor.declared_at = -1.0
    before = len(double.statements)
    assert next_changes(listener, wake) == set(VIEWS)
    reopening = [sql for sql in double.statements[before:] if sql.startswith(("DECLARE", "FLUSH"))]
    assert reopening == [
        'DECLARE "changes_1" SUBSCRIPTION CURSOR FOR "kind_rows_changes" SINCE now()',
        'DECLARE "changes_2" SUBSCRIPTION CURSOR FOR "kind_total_changes" SINCE now()',
        "FLUSH",
    ]
    assert len(sessions_with_cursors(double)) == 1
    notify("kind_total")
    assert next_changes(listener, wake) == {"kind_total"}


def test_a_lost_session_is_opened_again_and_all_views_are_reported(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    one_round(listener, double, wake)
    double.drop(lambda session: session.cursors)
    assert next_changes(listener, wake) == set(VIEWS)
    insert()
    changes_of_all(listener, wake)


def test_wait_raises_the_error_of_a_cursor_that_can_not_be_declared_again(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    one_round(listener, double, wake)
    double.subscriptions.clear()
    double.expire_cursors()
    with pytest.raises(Error, match="subscription not found"):
        next_changes(listener, wake)
    wait_until(lambda: not sessions_with_cursors(double))


def test_wait_raises_the_error_of_a_cursor_that_fails_again_right_after_it_was_declared_again(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    one_round(listener, double, wake)
    double.expired_at = time.monotonic() + 3600
    assert next_changes(listener, wake) == set(VIEWS)
    with pytest.raises(Error, match="exceeded its maximum lifetime"):
        next_changes(listener, wake)


def test_the_listener_needs_no_thread_and_closing_it_ends_its_session(double: Double) -> None:
    before = set(threading.enumerate())
    listener = ChangeListener("risingwave", VIEWS)
    listener.start()
    of_the_double = {thread for session in double.sessions for thread in session.threads}
    assert set(threading.enumerate()) - before <= of_the_double
    listener.close()
    connections["risingwave"].close()
    wait_until(lambda: not any(session.is_open for session in double.sessions))


def test_one_cursor_that_can_not_be_declared_leaves_no_session(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "django_risingwave.introspection.DatabaseIntrospection.get_subscriptions",
        lambda self, cursor: {"kind_rows": "kind_rows_changes", "kind_total": "nothing"},
    )
    with pytest.raises(Error, match="subscription not found: nothing"):
        ChangeListener("risingwave", VIEWS).start()
    wait_until(lambda: not sessions_with_cursors(double))


def test_views_without_a_subscription_are_not_heard_and_the_others_are(
    double: Double, wake: SelectableEvent
) -> None:
    del double.subscriptions["kind_rows_changes"]
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start() is False
        assert listener.heard == {"kind_total"}
        insert()
        assert next_changes(listener, wake) == {"kind_total"}


def test_without_any_subscription_nothing_is_heard(double: Double, wake: SelectableEvent) -> None:
    double.subscriptions.clear()
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start() is False
        assert listener.heard == set()
        insert()
        assert listener.wait(0, wake) == set()
    assert not sessions_with_cursors(double)


def test_a_missing_subscription_is_logged_once(
    double: Double, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_logged_as_missing", set())
    caplog.set_level(logging.INFO, logger=changes.__name__)
    del double.subscriptions["kind_rows_changes"]
    for _ in range(2):
        with closing(ChangeListener("risingwave", VIEWS)) as listener:
            listener.start()
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("kind_rows: no subscription")
    assert 'CreateSubscription("kind_rows_changes", source="kind_rows")' in record.getMessage()
