"""A cursor over a subscription returns changes row by row. The server is a double of RisingWave."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.db import DatabaseError, Error, OperationalError, connections

from django_risingwave.streaming.sessions import open_session
from django_risingwave.streaming.subscriptions import Change, SubscriptionCursor
from tests.django_risingwave.streaming.double_events import insert, sessions_with_cursors
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double


@pytest.fixture
def cursor(double: Double) -> Iterator[SubscriptionCursor]:
    with SubscriptionCursor("kind_total_changes", using="risingwave") as cursor:
        cursor.flush()
        yield cursor


def test_a_change_has_its_row(cursor: SubscriptionCursor) -> None:
    insert(2)
    (change,) = cursor.fetch(timeout=DEADLINE_SECONDS)
    assert change == Change(
        op="Insert", rw_timestamp=change.rw_timestamp, row={"kind": "a", "total": 2, "rows": 1}
    )
    assert isinstance(change.rw_timestamp, int)
    assert cursor.fetch() == []
    assert cursor.fetch(timeout=1) == []


def test_fetch_returns_at_most_as_many_changes_as_asked_for(cursor: SubscriptionCursor) -> None:
    for _ in range(3):
        insert()
    assert len(cursor.fetch(1, timeout=DEADLINE_SECONDS)) == 1
    assert len(cursor.fetch(1, timeout=DEADLINE_SECONDS)) == 1
    assert len(cursor.fetch(9, timeout=DEADLINE_SECONDS)) == 1


def test_since_a_timestamp_includes_its_changes(cursor: SubscriptionCursor) -> None:
    insert()
    (change,) = cursor.fetch(timeout=DEADLINE_SECONDS)
    assert change.rw_timestamp
    cursor.declare(since=change.rw_timestamp)
    assert cursor.fetch() == [change]
    cursor.declare(since=change.rw_timestamp + 1)
    assert cursor.fetch() == []


def test_a_full_cursor_begins_with_the_existing_rows(double: Double) -> None:
    insert()
    with SubscriptionCursor("kind_total_changes", using="risingwave", since="full") as cursor:
        (row,) = cursor.fetch()
        assert row == Change(op="Insert", rw_timestamp=None, row={"kind": "a", "total": 1, "rows": 1})


def test_a_cursor_can_begin_with_the_changes_that_are_kept(double: Double) -> None:
    insert()
    with SubscriptionCursor("kind_total_changes", using="risingwave", since="begin") as cursor:
        assert len(cursor.fetch(timeout=DEADLINE_SECONDS)) == 1


def test_each_fetch_has_the_columns_of_its_time(double: Double, cursor: SubscriptionCursor) -> None:
    insert()
    assert cursor.fetch(timeout=DEADLINE_SECONDS)[0].row.keys() == {"kind", "total", "rows"}
    # As after ALTER TABLE.
    (session,) = sessions_with_cursors(double)
    session.cursors["changes"].view = "kind_rows"
    insert()
    assert cursor.fetch(timeout=DEADLINE_SECONDS)[0].row.keys() == {"kind", "rows"}


def fetch_in_thread(cursor: SubscriptionCursor, double: Double) -> tuple[threading.Thread, list[Any]]:
    """Begin a fetch that waits in another thread; return the thread and, later, what fetch() has returned."""
    returned: list[Any] = []
    before = len(double.statements)
    thread = threading.Thread(target=lambda: returned.append(cursor.fetch(timeout=DEADLINE_SECONDS)))
    thread.start()
    wait_until(lambda: len(double.statements) > before + 1)
    return thread, returned


def test_a_fetch_that_waits_asks_again_and_again_and_returns_the_change(
    double: Double, cursor: SubscriptionCursor
) -> None:
    before = len(double.statements)
    thread, returned = fetch_in_thread(cursor, double)
    assert set(double.statements[before:]) == {'FETCH 100 FROM "changes"'}
    insert(2)
    thread.join()
    ((change,),) = returned
    assert change.row["total"] == 2


def test_closing_the_cursor_in_another_thread_ends_a_fetch_that_waits(
    double: Double, cursor: SubscriptionCursor
) -> None:
    thread, returned = fetch_in_thread(cursor, double)
    cursor.close()
    thread.join()
    assert returned == [[]]
    with pytest.raises(ValueError, match="is not open"):
        cursor.fetch()


def test_a_closed_cursor_can_be_opened_again(cursor: SubscriptionCursor) -> None:
    cursor.close()
    cursor.open()
    cursor.flush()
    insert()
    assert len(cursor.fetch(timeout=DEADLINE_SECONDS)) == 1


@pytest.mark.parametrize("timeout", [0.001, 0.25, 1])
def test_a_fetch_returns_nothing_when_nothing_changes_within_the_timeout(
    cursor: SubscriptionCursor, timeout: float
) -> None:
    assert cursor.fetch(timeout=timeout) == []


def test_another_thread_can_use_the_cursor(cursor: SubscriptionCursor) -> None:
    insert()
    found: list[Change] = []
    thread = threading.Thread(target=lambda: found.extend(cursor.fetch(timeout=DEADLINE_SECONDS)))
    thread.start()
    thread.join()
    assert len(found) == 1


def test_the_statements_are_those_that_risingwave_documents(double: Double) -> None:
    before = len(double.statements)
    with SubscriptionCursor("kind_total_changes", using="risingwave") as cursor:
        cursor.fetch()
        cursor.fetch(7, timeout=0.3)
        cursor.declare("full")
    # A fetch that waits asks repeatedly.
    sent = list(dict.fromkeys(sql for sql in double.statements[before:] if not sql.startswith("S")))
    assert sent == [
        'DECLARE "changes" SUBSCRIPTION CURSOR FOR "kind_total_changes" SINCE now()',
        'FETCH 100 FROM "changes"',
        'FETCH 7 FROM "changes"',
        'CLOSE "changes"',
        'DECLARE "changes" SUBSCRIPTION CURSOR FOR "kind_total_changes" FULL',
    ]


def test_closing_the_cursor_closes_its_connection(double: Double) -> None:
    cursor = SubscriptionCursor("kind_total_changes", using="risingwave")
    with cursor:
        assert len(sessions_with_cursors(double)) == 1
    cursor.close()
    wait_until(lambda: not sessions_with_cursors(double))
    with pytest.raises(ValueError, match="subscription 'kind_total_changes' is not open"):
        cursor.fetch()


def test_the_connection_is_not_taken_from_a_pool(double: Double) -> None:
    options = connections["risingwave"].settings_dict["OPTIONS"]
    # psycopg2 has no pools and would refuse the option.
    with (
        mock.patch.dict(options, pool={"max_size": 1}),
        SubscriptionCursor("kind_total_changes", using="risingwave") as cursor,
    ):
        assert cursor.fetch() == []


@pytest.mark.parametrize(("options", "milliseconds"), [({}, 10_000), ({"tcp_user_timeout": 3_000}, 3_000)])
def test_a_session_notices_soon_that_its_server_has_disappeared_unless_the_project_says_otherwise(
    standin: DatabaseWrapper, options: dict[str, Any], milliseconds: int
) -> None:
    with mock.patch.dict(standin.settings_dict["OPTIONS"], options):
        session = open_session("risingwave")
    assert session.get_connection_params()["tcp_user_timeout"] == milliseconds
    # The driver knows the option.
    session.ensure_connection()
    session.close()


def test_opening_a_missing_subscription_fails_and_leaves_no_connection(double: Double) -> None:
    cursor = SubscriptionCursor("nothing", using="risingwave")
    before = sum(session.is_open for session in double.sessions)
    with pytest.raises(Error, match="subscription not found: nothing"):
        cursor.open()
    wait_until(lambda: sum(session.is_open for session in double.sessions) == before)


def test_an_expired_cursor_fails_until_it_is_declared_again(
    double: Double, cursor: SubscriptionCursor
) -> None:
    double.expire_cursors()
    for _ in range(2):
        with pytest.raises(DatabaseError, match="exceeded its maximum lifetime"):
            cursor.fetch(timeout=1)
    cursor.declare("now")
    assert cursor.fetch() == []


def test_a_lost_connection_is_an_operational_error(double: Double, cursor: SubscriptionCursor) -> None:
    double.drop(lambda session: session.cursors)
    with pytest.raises(OperationalError):
        cursor.fetch(timeout=1)


@pytest.mark.parametrize("timeout", [0, -1, True, float("nan"), float("inf"), "5s"])
def test_a_timeout_that_is_no_positive_number_is_refused(timeout: Any) -> None:
    with pytest.raises(ValueError, match=f"timeout must be .*, not {timeout!r}"):
        SubscriptionCursor("s", using="risingwave").fetch(timeout=timeout)


@pytest.mark.parametrize("size", [0, -1, 1.5, None])
def test_a_size_that_is_no_positive_integer_is_refused(size: Any) -> None:
    with pytest.raises(ValueError, match=f"size must be .*, not {size!r}"):
        SubscriptionCursor("s", using="risingwave").fetch(size)


@pytest.mark.parametrize("since", [-1, 1.5, True, None, "yesterday", "now()"])
def test_an_unknown_beginning_is_refused(since: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(f"milliseconds since 1970, not {since!r}.")):
        SubscriptionCursor("s", using="risingwave", since=since)
