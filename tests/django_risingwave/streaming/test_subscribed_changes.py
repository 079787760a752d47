"""On RisingWave a listener follows a subscription of each view. The server is a double of RisingWave."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from django.db import Error, connections

from django_risingwave.streaming import changes
from django_risingwave.streaming.changes import ChangeListener
from tests.django_risingwave.streaming.double_events import insert, notify, sessions_with_cursors
from tests.django_risingwave.streaming.migrating import VIEWS
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.streaming.selectable_event import SelectableEvent
    from tests.django_risingwave.double import Double


@pytest.fixture
def listener(double: Double, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChangeListener]:
    """A listener that has started and whose threads end within a second."""
    monkeypatch.setattr(changes, "FETCH_TIMEOUT_SECONDS", 1)
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start() is True
        yield listener
    wait_until(lambda: not subscription_threads())


def subscription_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("changes-of-")]


def next_changes(listener: ChangeListener, wake: SelectableEvent) -> set[str]:
    """Wait for changes, and return the names of the views that have changed."""
    until = time.monotonic() + DEADLINE_SECONDS
    while not (names := listener.wait(until - time.monotonic(), wake)):
        assert time.monotonic() < until
    return names


def wait_until_each_has_fetched(double: Double) -> None:
    """Wait until each cursor has fetched once without an error: only then does its thread reopen it."""

    def have_fetched() -> bool:
        cursors = [cursor for session in sessions_with_cursors(double) for cursor in session.cursors.values()]
        return len(cursors) == len(VIEWS) and all(cursor.fetches >= 2 for cursor in cursors)

    wait_until(have_fetched)


def test_wait_returns_the_views_that_changed(listener: ChangeListener, wake: SelectableEvent) -> None:
    notify("kind_total")
    assert next_changes(listener, wake) == {"kind_total"}
    insert()
    names = next_changes(listener, wake)
    while names != set(VIEWS):
        names |= next_changes(listener, wake)
    assert listener.wait(0, wake) == set()


def test_only_the_views_asked_for_are_followed(double: Double, wake: SelectableEvent) -> None:
    with closing(ChangeListener("risingwave", ["kind_rows"])) as listener:
        assert listener.start()
        assert len(sessions_with_cursors(double)) == 1


def test_a_change_right_after_the_start_is_not_missed(double: Double, wake: SelectableEvent) -> None:
    """A cursor begins with the next epoch, so start() must end the current one."""
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start()
        notify("kind_total")
        assert next_changes(listener, wake) == {"kind_total"}


def test_one_change_of_each_epoch_is_fetched_and_the_rest_is_skipped(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    notify("kind_total")
    next_changes(listener, wake)
    (epoch,) = double.changes["kind_total"]
    declare = f'DECLARE "changes" SUBSCRIPTION CURSOR FOR "kind_total_changes" SINCE {epoch + 1}'
    wait_until(lambda: declare in double.statements)
    fetches = {sql for sql in double.statements if sql.startswith("FETCH")}
    assert fetches == {"FETCH 1 FROM \"changes\" WITH (timeout = '1s')"}


def test_an_event_ends_the_wait(listener: ChangeListener, wake: SelectableEvent) -> None:
    wake.set()
    assert listener.wait(DEADLINE_SECONDS, wake) == set()


def test_an_expired_cursor_is_reopened_and_its_view_reported(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    wait_until_each_has_fetched(double)
    double.expire_cursors()
    names = next_changes(listener, wake)
    while names != set(VIEWS):
        names |= next_changes(listener, wake)
    notify("kind_total")
    assert next_changes(listener, wake) == {"kind_total"}


def test_a_lost_connection_is_reopened_and_its_view_reported(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    wait_until_each_has_fetched(double)
    lost = next(s for s in sessions_with_cursors(double) if s.cursors["changes"].view == "kind_rows")
    double.drop(lambda session: session is lost)
    assert next_changes(listener, wake) == {"kind_rows"}
    insert()
    names = next_changes(listener, wake)
    while names != set(VIEWS):
        names |= next_changes(listener, wake)


def test_wait_raises_the_error_of_a_cursor_that_can_not_be_reopened(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    wait_until_each_has_fetched(double)
    double.subscriptions.clear()
    double.expire_cursors()
    with pytest.raises(Error, match="subscription not found"):
        next_changes(listener, wake)


def test_wait_raises_the_error_of_a_cursor_that_fails_again_after_reopening(
    double: Double, listener: ChangeListener, wake: SelectableEvent
) -> None:
    wait_until_each_has_fetched(double)
    double.expired_at = time.monotonic() + 3600
    with double.changed:
        double.changed.notify_all()

    def listen() -> None:
        while True:
            next_changes(listener, wake)

    with pytest.raises(Error, match="exceeded its maximum lifetime"):
        listen()


def test_closing_the_listener_ends_its_threads_and_connections(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "FETCH_TIMEOUT_SECONDS", 1)
    listener = ChangeListener("risingwave", VIEWS)
    listener.start()
    assert len(subscription_threads()) == len(sessions_with_cursors(double)) == 2
    listener.close()
    connections["risingwave"].close()
    wait_until(lambda: not subscription_threads())
    wait_until(lambda: not any(session.is_open for session in double.sessions))


def test_one_cursor_that_fails_to_open_leaves_none_open(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "django_risingwave.introspection.DatabaseIntrospection.get_subscriptions",
        lambda self, cursor: {"kind_rows": "kind_rows_changes", "kind_total": "nothing"},
    )
    with pytest.raises(Error, match="subscription not found: nothing"):
        ChangeListener("risingwave", VIEWS).start()
    wait_until(lambda: not sessions_with_cursors(double))
    assert not subscription_threads()


def test_start_returns_false_and_logs_once_which_subscription_is_missing(
    double: Double, wake: SelectableEvent, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_logged_as_missing", set())
    caplog.set_level(logging.INFO, logger=changes.__name__)
    del double.subscriptions["kind_rows_changes"]
    for _ in range(2):
        with closing(ChangeListener("risingwave", VIEWS)) as listener:
            assert listener.start() is False
            insert()
            assert listener.wait(0, wake) == set()
    assert not subscription_threads()
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("kind_rows: no subscription")
    assert 'CreateSubscription("kind_rows_changes", source="kind_rows")' in record.getMessage()
