"""On the stand-in, rows leave a view with a temporal filter as time passes, and those who listen are told."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_risingwave.standin import expiring
from django_risingwave.standin.choosing import Chooser
from django_risingwave.standin.summaries import Summary
from django_risingwave.standin.views import PlainView
from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.definitions import (
    LeadingRowsDefinition,
    SubscriptionDefinition,
    TotalsDefinition,
)
from django_risingwave.streaming.expiry import expire
from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.streaming.subscriptions import SubscriptionCursor
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.standin.sales import objects
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

SELECT = "SELECT k, sum(n) AS total, avg(n) AS mean, count(*) AS lines FROM events WHERE {} GROUP BY k"
WINDOWS = {
    # No row crosses their limits during a test.
    "last_hours": SELECT.format("n <> 3 AND at > now() - INTERVAL '90 minutes'"),
    "since_midnight": SELECT.format("date_trunc('day', at, 'Asia/Kolkata') + INTERVAL '1 day' > now()"),
    "this_day": SELECT.format("date_trunc('day', now()) <= at"),
}
LEADING = [LeadingRowsDefinition(f"{name}_leading", name, "k", "mean", rows=2) for name in WINDOWS]
TOTALS = [TotalsDefinition(f"{name}_totals", name, "total") for name in WINDOWS]
DEFINITIONS = [*(ViewDefinition(*item) for item in WINDOWS.items()), *LEADING, *TOTALS]
#: Rows leave within a second or two.
MOMENT = ViewDefinition("moment", SELECT.format("at > now() - INTERVAL '1 second'"))


def create(connection: DatabaseWrapper, *definitions: Any) -> None:
    with connection.schema_editor() as editor:
        for definition in definitions:
            editor.create_streaming_object(definition)


def drop(connection: DatabaseWrapper, *definitions: Any) -> None:
    with connection.schema_editor() as editor:
        for definition in reversed(definitions):
            editor.delete_streaming_object(definition)


def rows(connection: DatabaseWrapper, sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def execute(connection: DatabaseWrapper, sql: str, params: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def let_pass(connection: DatabaseWrapper, seconds: float) -> None:
    """Let the last ticks be older."""
    execute(connection, f"UPDATE {expiring.FLOORS} SET ticked_at = ticked_at - interval '{seconds} s'")


@pytest.fixture
def events(standin: DatabaseWrapper) -> DatabaseWrapper:
    """A table of events."""
    execute(
        standin,
        "CREATE TABLE events (id int GENERATED ALWAYS AS IDENTITY, k text, n int,"
        " at timestamptz DEFAULT now(), local timestamp, day date)",
    )
    return standin


def assert_all_are_right(cursor: Any) -> None:
    for name, query in WINDOWS.items():
        order = "ORDER BY mean DESC NULLS LAST, k ASC NULLS LAST LIMIT 2"
        for shown, expected in (
            (f"SELECT * FROM {name}", query),
            (f"SELECT * FROM {name}_leading", f"SELECT k, mean FROM ({query}) AS q {order}"),
            (f"SELECT * FROM {name}_totals", f"SELECT count(*), sum(total) FROM ({query}) AS q"),
        ):
            cursor.execute(f"{shown} EXCEPT ALL ({expected})")
            assert cursor.fetchall() == [], shown
            cursor.execute(f"({expected}) EXCEPT ALL {shown}")
            assert cursor.fetchall() == [], shown


INSERT = (
    "INSERT INTO events (k, n, at) SELECT k, n, now() - hours * interval '1 hour'"
    " FROM (VALUES (NULL::text, 0, NULL::int){}) AS v (k, n, hours)"
)
hours = st.sampled_from([None, 0, 1, 2, 8, 26, 50, -2])
inserts = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, 2, 3, None]), hours)).map(
    lambda many: (
        INSERT.format(", (%s, %s, %s)" * len(many)),
        [value for row in many for value in row],
    )
)
others: st.SearchStrategy[tuple[str, list[Any]]] = st.sampled_from(
    [
        ("UPDATE events SET at = at - interval '2 hours' WHERE n = 1", []),
        ("UPDATE events SET at = at + interval '1 day', n = n + 1 WHERE k = 'a'", []),
        ("UPDATE events SET n = 2", []),
        ("DELETE FROM events WHERE n = 2", []),
        ("TRUNCATE events", []),
        ("SELECT standin.expire()", []),
    ]
)


@pytest.mark.unversioned
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(inserts, others), max_size=8))
def test_any_writes_to_rows_of_any_time_leave_all_views_right(
    events: DatabaseWrapper, statements: list[tuple[str, list[Any]]]
) -> None:
    with events.cursor() as cursor:
        cursor.execute("SELECT to_regclass('last_hours') IS NULL")
        if cursor.fetchone() == (True,):
            create(events, *DEFINITIONS)
        cursor.execute("TRUNCATE events")
        for sql, params in statements:
            if "expire" in sql:
                let_pass(events, 1)
            cursor.execute(sql, params)
            assert_all_are_right(cursor)
        let_pass(events, 1)
        assert expire(events.alias)
        assert_all_are_right(cursor)
        for name, query in WINDOWS.items():
            # What ticks keep is right too, not only what is computed.
            cursor.execute(f'SELECT sum("*.count") FROM standin.{name}')
            ((kept,),) = cursor.fetchall()
            cursor.execute(f"SELECT sum(lines) FROM ({query}) AS q")
            assert cursor.fetchall() == [(kept,)]


def test_rows_leave_by_themselves_and_a_listener_is_told(events: DatabaseWrapper) -> None:
    leading = LeadingRowsDefinition("top", "moment", "k", "total", 5)
    create(events, MOMENT, leading, TotalsDefinition("t", "moment", "total"))
    listener, wake = ChangeListener(events.alias, ["moment", "top", "t"]), SelectableEvent()
    with closing(listener), closing(wake):
        assert listener.start()
        # They leave late enough to be seen on a busy machine.
        execute(
            events,
            "INSERT INTO events (k, n, at) SELECT k, n, now() + interval '3 s'"
            " FROM (VALUES ('a', 1), ('b', 2)) AS v (k, n)",
        )
        assert listener.wait(DEADLINE_SECONDS, wake) == {"moment", "top", "t"}
        assert rows(events, "SELECT k, total FROM top ORDER BY total DESC") == [("b", 2), ("a", 1)]
        # Nothing is told until they leave.
        assert listener.wait(DEADLINE_SECONDS, wake) == {"moment", "top", "t"}
        assert rows(events, "SELECT * FROM top") == []
        assert rows(events, "SELECT keys, total FROM t") == [(0, None)]
        assert rows(events, "SELECT count(*) FROM standin.moment") == [(0,)]


def test_a_subscription_tells_of_rows_that_leave(events: DatabaseWrapper) -> None:
    create(events, MOMENT, SubscriptionDefinition("moment_changes", "moment", "1 day"))
    with SubscriptionCursor("moment_changes", using=events.alias) as cursor:
        execute(events, "INSERT INTO events (k, n) VALUES ('a', 1)")
        told: list[str] = []
        until = time.monotonic() + DEADLINE_SECONDS
        while len(told) < 2 and time.monotonic() < until:
            told += [str(change.op) for change in cursor.fetch(timeout=1)]
    assert told == ["Insert", "Delete"]


def test_views_are_right_where_nobody_ticks(events: DatabaseWrapper) -> None:
    create(events, *DEFINITIONS)
    execute(events, "INSERT INTO events (k, n) VALUES ('a', 1)")
    # As if the row had been counted two hours ago, and nobody had ticked since.
    execute(events, "SET session_replication_role = replica")
    execute(events, "UPDATE events SET at = at - interval '50 hours'")
    execute(events, "RESET session_replication_role")
    assert rows(events, "SELECT k FROM last_hours") == [("a",)]
    let_pass(events, expiring.FRESH_SECONDS)
    with events.cursor() as cursor:
        assert_all_are_right(cursor)
    assert rows(events, "SELECT * FROM last_hours") == []


def test_many_rows_leave_in_several_ticks(events: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "MAX_LEAVING_ROWS", 2)
    create(events, *DEFINITIONS)
    execute(
        events,
        "INSERT INTO events (k, n, at) SELECT 'a', 1, now() - n * interval '1 hour'"
        " FROM generate_series(50, 56) AS n",
    )
    ticks = 1
    while not expire(events.alias):
        ticks += 1
        with events.cursor() as cursor:
            assert_all_are_right(cursor)
    # Rows 1 to 3 leave at first, and 3 more each time.
    assert ticks == 3
    assert rows(events, "SELECT count(*) FROM standin.last_hours") == [(0,)]


def test_a_tick_does_not_wait_long_for_a_transaction_that_writes(
    events: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    create(events, *DEFINITIONS)
    execute(events, "INSERT INTO events (k, n, at) VALUES ('a', 1, now() - interval '3 days')")
    writer = connect()
    writer.cursor().execute("INSERT INTO events (k, n) VALUES ('b', 2)")
    assert not expire(events.alias)
    assert rows(events, "SELECT * FROM last_hours") == []
    writer.commit()
    assert expire(events.alias)
    assert rows(events, "SELECT k FROM last_hours") == [("b",)]


def test_a_summary_that_fails_keeps_no_other_rows_from_leaving(events: DatabaseWrapper) -> None:
    create(events, *DEFINITIONS)
    execute(events, 'DROP FUNCTION standin."last_hours.expire"()')
    execute(events, "INSERT INTO events (k, n, at) VALUES ('a', 1, now() - interval '3 days')")
    assert expire(events.alias)
    assert rows(events, "SELECT count(*) FROM standin.this_day") == [(0,)]
    with events.cursor() as cursor:
        assert_all_are_right(cursor)


def test_whoever_may_read_a_view_may_let_rows_leave_it(events: DatabaseWrapper) -> None:
    create(events, *DEFINITIONS)
    execute(events, "INSERT INTO events (k, n, at) VALUES ('a', 1, now() - interval '3 days')")
    execute(events, "CREATE ROLE reader")
    try:
        execute(events, "GRANT SELECT ON last_hours, last_hours_leading TO reader")
        execute(events, "SET ROLE reader")
        assert (
            rows(events, "SELECT * FROM last_hours UNION ALL SELECT k, mean, NULL, 1 FROM last_hours_leading")
            == []
        )
        assert expire(events.alias)
    finally:
        execute(events, "RESET ROLE")
        execute(events, "DROP OWNED BY reader")
        execute(events, "DROP ROLE reader")
    assert rows(events, "SELECT count(*) FROM standin.last_hours") == [(0,)]


def test_a_renamed_view_goes_on(events: DatabaseWrapper) -> None:
    create(events, *DEFINITIONS)
    with events.schema_editor() as editor:
        editor.rename_streaming_object(DEFINITIONS[0], "recent")
    execute(
        events, "INSERT INTO events (k, n, at) VALUES ('a', 1, now()), ('b', 1, now() - interval '3 days')"
    )
    assert expire(events.alias)
    assert rows(events, "SELECT k, total FROM recent") == [("a", 1)]
    assert rows(events, "SELECT k FROM last_hours_leading") == [("a",)]
    assert rows(events, 'SELECT "*.count" FROM standin.recent') == [(1,)]


def test_nothing_remains_of_a_view_that_is_dropped(events: DatabaseWrapper) -> None:
    def present() -> set[tuple[str, str]]:
        with events.cursor() as cursor:
            return objects(cursor)

    before = present()
    create(events, *DEFINITIONS)
    assert ("relation", '"standin.events.at"') in present()
    drop(events, *DEFINITIONS[1:])
    assert ("relation", '"standin.events.at"') in present()
    drop(events, DEFINITIONS[0])
    assert present() == before


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("at > now() - INTERVAL '1 hour'", None),
        ("(at >= now() - INTERVAL '1 hour') AND (n > 2 OR n < 0)", None),
        ("now() - INTERVAL '1 hour' < at", None),
        ("at + INTERVAL '1 hour' > now()", None),
        ("date_trunc('hour', at) > date_trunc('hour', now() - INTERVAL '1 day')", None),
        ("at < now() - INTERVAL '1 hour'", "rows don't leave by"),
        ("at > now() - INTERVAL '1 hour' OR n > 2", "rows don't leave by"),
        ("at > now() - INTERVAL '1 hour' AND at > now() - INTERVAL '1 day'", "rows don't leave by"),
        ("at > now() - n * INTERVAL '1 hour'", "rows don't leave by"),
        ("now() - at < INTERVAL '1 hour'", "rows don't leave by"),
        ("local > now() - INTERVAL '1 hour'", "compares local, which isn't a timestamp with time zone"),
        ("day::timestamptz > now() - INTERVAL '7 days'", "rows don't leave by"),
    ],
)
def test_a_summary_is_chosen_where_rows_leave_in_the_order_of_a_column(
    events: DatabaseWrapper, condition: str, reason: str | None
) -> None:
    with events.cursor() as cursor:
        form = Chooser(cursor, "public").choose(ViewDefinition("v", SELECT.format(condition)))
    if reason is None:
        assert isinstance(form, Summary)
        assert form.expires
    else:
        assert isinstance(form, PlainView)
        assert reason in form.reason
