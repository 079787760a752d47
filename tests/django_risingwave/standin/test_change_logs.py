"""A subscription of the stand-in logs the changes of its relation, as RisingWave's does."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import Error, ProgrammingError
from hypothesis import HealthCheck, given, settings

from django_risingwave.streaming.definitions import LeadingRowsDefinition, SubscriptionDefinition
from django_risingwave.streaming.subscriptions import Change, SubscriptionCursor
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.standin.sales import BY_STATE, create_sales, writes
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

LEADING = LeadingRowsDefinition("leaders", "by_state", "state", "turnover", 2)
SOURCES = ["sales", "by_state", "leaders", "by_item", "recent"]


@pytest.fixture
def sales(standin: DatabaseWrapper) -> DatabaseWrapper:
    """A table, a summary, its leading rows, a plain view and a view that changes with the time."""
    create_sales(standin, BY_STATE, LEADING)
    with standin.cursor() as cursor:
        cursor.execute(
            "CREATE VIEW by_item AS SELECT item, count(DISTINCT state) AS states FROM sales GROUP BY item"
        )
        cursor.execute("CREATE TABLE visits (id int PRIMARY KEY, at timestamptz)")
        cursor.execute("CREATE VIEW recent AS SELECT id FROM visits WHERE at > now() - interval '1 hour'")
    subscribe(standin, *SOURCES)
    return standin


def subscribe(connection: DatabaseWrapper, *sources: str, retention: str = "1 day") -> None:
    with connection.schema_editor() as editor:
        for source in sources:
            editor.create_streaming_object(SubscriptionDefinition(f"{source}_changes", source, retention))


def execute(connection: DatabaseWrapper, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def rows(connection: DatabaseWrapper, source: str) -> Counter[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {source}")
        return Counter(cursor.fetchall())


def apply(changes: list[Change], state: Counter[Any]) -> None:
    for change in changes:
        state[tuple(change.row.values())] += 1 if change.op.endswith("Insert") else -1
        assert min(state.values()) >= 0


def told(cursor: SubscriptionCursor) -> list[tuple[Any, ...]]:
    return [(change.op, *change.row.values()) for change in cursor.fetch()]


def test_an_insert_an_update_and_a_delete_are_told_with_their_rows(sales: DatabaseWrapper) -> None:
    execute(sales, "CREATE TABLE things (id int PRIMARY KEY, name varchar)")
    subscribe(sales, "things")
    with SubscriptionCursor("things_changes", using="risingwave") as cursor:
        execute(sales, "INSERT INTO things VALUES (1, 'a'), (2, 'b')")
        execute(sales, "UPDATE things SET name = 'c' WHERE id = 1")
        execute(sales, "UPDATE things SET name = 'c' WHERE id = 1")
        execute(sales, "DELETE FROM things WHERE id = 1")
        execute(sales, "TRUNCATE things")
        changes = cursor.fetch()
    assert [(change.op, change.row) for change in changes] == [
        ("Insert", {"id": 1, "name": "a"}),
        ("Insert", {"id": 2, "name": "b"}),
        ("UpdateDelete", {"id": 1, "name": "a"}),
        ("UpdateInsert", {"id": 1, "name": "c"}),
        ("Delete", {"id": 1, "name": "c"}),
        ("Delete", {"id": 2, "name": "b"}),
    ]
    times = [change.rw_timestamp for change in changes]
    assert times[0] == times[1] < times[2] == times[3] < times[4] < times[5]  # type: ignore[operator]


def test_the_net_change_of_a_transaction_is_told_of_a_view(sales: DatabaseWrapper) -> None:
    with SubscriptionCursor("by_state_changes", using="risingwave") as cursor:
        execute(
            sales,
            "BEGIN; INSERT INTO sales (state, qty, price) VALUES ('CA', 1, 2), ('NV', 1, 1); "
            "UPDATE sales SET qty = 2 WHERE state = 'CA'; DELETE FROM sales WHERE state = 'NV'; COMMIT",
        )
        assert told(cursor) == [("Insert", "CA", Decimal(4), Decimal(2), 1, 1)]
        execute(sales, "UPDATE sales SET qty = 3 WHERE state = 'CA'")
        assert told(cursor) == [
            ("UpdateDelete", "CA", Decimal(4), Decimal(2), 1, 1),
            ("UpdateInsert", "CA", Decimal(6), Decimal(3), 1, 1),
        ]


def test_a_view_of_leading_rows_tells_an_update_as_delete_and_insert(sales: DatabaseWrapper) -> None:
    with SubscriptionCursor("leaders_changes", using="risingwave") as cursor:
        execute(sales, "UPDATE sales SET qty = 3 WHERE state = 'NY'")
        assert told(cursor) == [("Delete", "NY", Decimal("2.2")), ("Insert", "NY", Decimal("3.3"))]


def test_rows_come_and_go_with_the_time(sales: DatabaseWrapper) -> None:
    execute(sales, "INSERT INTO visits VALUES (1, now() - interval '1 hour' + interval '300 ms')")
    with SubscriptionCursor("recent_changes", using="risingwave", since="full") as cursor:
        before = told(cursor)
        (after,) = cursor.fetch(timeout=DEADLINE_SECONDS) if before else [None]
        assert before in ([("Insert", 1)], [])
        assert after is None or (after.op, after.row) == ("Delete", {"id": 1})


@pytest.mark.parametrize("source", SOURCES)
def test_a_full_cursor_gives_the_rows_and_then_their_changes(sales: DatabaseWrapper, source: str) -> None:
    state: Counter[Any] = Counter()
    with SubscriptionCursor(f"{source}_changes", using="risingwave", since="full") as cursor:
        execute(sales, "INSERT INTO sales (state, item, qty, price) VALUES ('CA', 1, 2, 3.25)")
        execute(sales, "INSERT INTO visits VALUES (1, now())")
        while changes := cursor.fetch(1):
            apply(changes, state)
        assert +state == rows(sales, source)
        assert sum(change.rw_timestamp is None for change in changes) == 0


@pytest.mark.unversioned
@given(writes)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_applying_the_changes_gives_the_rows_at_every_commit(sales: DatabaseWrapper, written: Any) -> None:
    cursors = {
        source: SubscriptionCursor(f"{source}_changes", using="risingwave", since="full")
        for source in ["sales", "by_state", "leaders", "by_item"]
    }
    states: dict[str, Counter[Any]] = {source: Counter() for source in cursors}
    for cursor in cursors.values():
        cursor.open()
    try:
        for sql, params in [("SELECT 1", []), *written]:
            with sales.cursor() as writing:
                writing.execute(sql, params)
            for source, cursor in cursors.items():
                while changes := cursor.fetch(1000):
                    apply(changes, states[source])
                assert +states[source] == rows(sales, source)
    finally:
        for cursor in cursors.values():
            cursor.close()


def test_no_change_of_concurrent_writers_is_missed(
    sales: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    def write(other: Any) -> None:
        other.autocommit = True
        with other.cursor() as cursor:
            for number in range(30):
                cursor.execute("INSERT INTO sales (state, item, qty) VALUES ('CA', %s, 1)", [number % 3])
                cursor.execute("UPDATE sales SET qty = qty + 1 WHERE item = %s", [number % 3])

    states: dict[str, Counter[Any]] = {source: Counter() for source in ("sales", "by_state", "by_item")}
    with closing(SubscriptionCursor("sales_changes", using="risingwave", since="full")) as one:
        one.open()
        threads = [threading.Thread(target=write, args=[connect()]) for _ in range(3)]
        for thread in threads:
            thread.start()
        with (
            SubscriptionCursor("by_state_changes", using="risingwave", since="full") as two,
            SubscriptionCursor("by_item_changes", using="risingwave", since="full") as three,
        ):
            cursors = dict(zip(states, (one, two, three), strict=True))
            while any(thread.is_alive() for thread in threads):
                for source, cursor in cursors.items():
                    apply(cursor.fetch(10), states[source])
            for source, cursor in cursors.items():
                while changes := cursor.fetch():
                    apply(changes, states[source])
                assert +states[source] == rows(sales, source)


def test_since_a_timestamp_is_inclusive(sales: DatabaseWrapper) -> None:
    with SubscriptionCursor("sales_changes", using="risingwave") as cursor:
        execute(sales, "INSERT INTO sales (state) VALUES ('CA')")
        execute(sales, "INSERT INTO sales (state) VALUES ('NV')")
        one, other = cursor.fetch()
        assert one.rw_timestamp is not None
        cursor.declare(since=one.rw_timestamp)
        assert cursor.fetch() == [one, other]
        cursor.declare(since=one.rw_timestamp + 1)
        assert cursor.fetch() == [other]
        cursor.declare(since="begin")
        assert cursor.fetch() == [one, other]
        cursor.declare(since="now")
        assert cursor.fetch() == []


def test_a_timestamp_outside_the_retention_is_refused_in_risingwaves_words(sales: DatabaseWrapper) -> None:
    with SubscriptionCursor("sales_changes", using="risingwave") as cursor:
        with pytest.raises(ProgrammingError, match="rw_timestamp is too small"):
            cursor.declare(since=1)
        with pytest.raises(ProgrammingError, match="rw_timestamp is too large"):
            cursor.declare(since=99_999_999_999_999)


def test_changes_older_than_the_retention_are_pruned_and_a_cursor_before_them_fails(
    sales: DatabaseWrapper,
) -> None:
    execute(sales, "CREATE TABLE things (id int PRIMARY KEY)")
    subscribe(sales, "things")
    with SubscriptionCursor("things_changes", using="risingwave") as cursor:
        execute(sales, "INSERT INTO things VALUES (1)")
        execute(sales, "UPDATE standin_changes.log SET rw_timestamp = rw_timestamp - 2 * 86400000")
        execute(sales, "INSERT INTO things VALUES (2)")
        with pytest.raises(Error, match="may have been recycled"):
            cursor.fetch()
        cursor.declare("begin")
        assert told(cursor) == [("Insert", 2)]


def test_no_trigger_is_made_before_the_first_cursor(sales: DatabaseWrapper) -> None:
    def triggers() -> int:
        with sales.cursor() as cursor:
            cursor.execute(r"SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'standin\_changes\_%'")
            ((count,),) = cursor.fetchall()
            return int(count)

    assert triggers() == 0
    with SubscriptionCursor("sales_changes", using="risingwave"):
        assert triggers() == 3
    with sales.schema_editor() as editor:
        editor.delete_streaming_object(SubscriptionDefinition("sales_changes", "sales", "1 day"))
    assert triggers() == 0


def test_dropping_the_last_subscription_leaves_nothing(sales: DatabaseWrapper) -> None:
    with SubscriptionCursor("by_item_changes", using="risingwave"), sales.schema_editor() as editor:
        for source in SOURCES:
            # Twice: earlier versions have created nothing.
            for _ in range(2):
                definition = SubscriptionDefinition(f"{source}_changes", source, "1 day")
                editor.delete_streaming_object(definition)
    with sales.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('standin_changes')")
        assert cursor.fetchone() == (None,)
    execute(sales, "INSERT INTO sales (state) VALUES ('CA')")


def test_a_missing_or_dropped_subscription_is_named(sales: DatabaseWrapper) -> None:
    with pytest.raises(ProgrammingError, match="subscription not found: nothing"):
        SubscriptionCursor("nothing", using="risingwave").open()
    with SubscriptionCursor("by_item_changes", using="risingwave") as cursor:
        with sales.schema_editor() as editor:
            editor.delete_streaming_object(SubscriptionDefinition("by_item_changes", "by_item", "1 day"))
        with pytest.raises(ProgrammingError, match="subscription not found: by_item_changes"):
            cursor.fetch()


def test_writers_go_on_when_a_followed_view_is_gone(sales: DatabaseWrapper) -> None:
    with SubscriptionCursor("by_item_changes", using="risingwave"):
        execute(sales, "DROP VIEW by_item")
        execute(sales, "INSERT INTO sales (state) VALUES ('CA')")


def test_rows_that_are_replicated_into_a_table_are_told(sales: DatabaseWrapper) -> None:
    """The apply worker of a subscription of PostgreSQL fires no other triggers."""
    execute(sales, "CREATE TABLE things (id int PRIMARY KEY, name varchar)")
    execute(sales, "CREATE VIEW names AS SELECT DISTINCT name FROM things")
    subscribe(sales, "things", "names")
    with (
        SubscriptionCursor("things_changes", using="risingwave") as things,
        SubscriptionCursor("names_changes", using="risingwave") as names,
    ):
        execute(sales, "SET session_replication_role = replica")
        execute(sales, "INSERT INTO things VALUES (1, 'a'), (2, 'a')")
        execute(sales, "UPDATE things SET name = 'b' WHERE id = 1")
        execute(sales, "TRUNCATE things")
        execute(sales, "SET session_replication_role = origin")
        inserted = [("Insert", 1, "a"), ("Insert", 2, "a")]
        updated = [("UpdateDelete", 1, "a"), ("UpdateInsert", 1, "b")]
        assert told(things) == [*inserted, *updated, ("Delete", 1, "b"), ("Delete", 2, "a")]
        assert told(names) == [("Insert", "a"), ("Insert", "b"), ("Delete", "a"), ("Delete", "b")]


def test_a_view_that_was_replaced_is_followed_with_the_tables_that_it_reads_now(
    sales: DatabaseWrapper,
) -> None:
    old = ViewDefinition("things", "SELECT state, count(DISTINCT item) AS items FROM sales GROUP BY state")
    new = ViewDefinition("things", "SELECT id, at IS NULL AS planned FROM visits")
    with sales.schema_editor() as editor:
        editor.create_streaming_object(old)
    subscribe(sales, "things")
    with SubscriptionCursor("things_changes", using="risingwave") as cursor:
        with sales.schema_editor() as editor:
            editor.replace_streaming_objects([(old, new)])
        execute(sales, "INSERT INTO visits VALUES (1, NULL)")
        execute(sales, "INSERT INTO sales (state, item) VALUES ('CA', 1)")
        (change,) = cursor.fetch()
        assert (change.op, change.row) == ("Insert", {"id": 1, "planned": True})


def test_the_catalog_has_the_subscriptions(sales: DatabaseWrapper) -> None:
    with sales.cursor() as cursor:
        found = sales.introspection.get_subscription_sources(cursor)
    assert found == {f"{source}_changes": source for source in SOURCES}
