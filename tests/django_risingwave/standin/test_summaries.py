"""On the stand-in, a materialized view always has the rows that its query over the source gives."""

from __future__ import annotations

import random
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, IntegrityError
from hypothesis import HealthCheck, given, settings

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.streaming.aggregates import Count, Sum
from django_risingwave.streaming.definitions import MaterializedViewDefinition, SubscriptionDefinition
from django_risingwave.streaming.sessions import open_session
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.models import Event
from tests.django_risingwave.standin.sales import (
    BY_STATE,
    Write,
    check_after_each,
    create_sales,
    notified,
    objects,
    writes,
)
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

BY_STATE_AND_ITEM = MaterializedViewDefinition(
    "by_state_and_item", "sales", ["state", "item"], {"total": Sum("sales.qty")}
)

# The same queries, written by hand.
QUERIES = {
    "by_state": """
        SELECT state, sum((qty * price)::numeric), avg(qty)::text, count(*), count(price)
        FROM sales GROUP BY 1
    """,
    "by_state_and_item": "SELECT state, item, sum(qty) FROM sales GROUP BY 1, 2",
}
VIEWS = {
    "by_state": "SELECT state, turnover, average::text, lines, priced FROM by_state",
    "by_state_and_item": "SELECT state, item, total FROM by_state_and_item",
}


@pytest.fixture
def sales(standin: DatabaseWrapper) -> DatabaseWrapper:
    """A table with two views over it, and two rows that are older than the views, one of them all NULL."""
    create_sales(standin, BY_STATE, BY_STATE_AND_ITEM)
    return standin


def assert_views_equal_their_queries(cursor: Any) -> None:
    for name, query in QUERIES.items():
        view = VIEWS[name]
        cursor.execute(f"({query} EXCEPT ALL {view}) UNION ALL ({view} EXCEPT ALL {query})")
        assert cursor.fetchall() == [], name


@pytest.mark.unversioned
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes)
def test_any_sequence_of_writes_leaves_each_view_equal_to_its_query(
    sales: DatabaseWrapper, statements: list[Write]
) -> None:
    with sales.cursor() as cursor:
        check_after_each(cursor, statements, assert_views_equal_their_queries)
        with sales.schema_editor() as editor:
            editor.delete_streaming_object(BY_STATE)
            editor.create_streaming_object(BY_STATE)
        assert_views_equal_their_queries(cursor)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO sales (state, qty) SELECT state, 7 FROM sales",
        """
        MERGE INTO sales USING (VALUES ('NY', 5), ('WA', 6)) AS new (state, qty) ON sales.state = new.state
        WHEN MATCHED THEN UPDATE SET qty = new.qty
        WHEN NOT MATCHED THEN INSERT (state, qty) VALUES (new.state, new.qty)
        """,
        """
        WITH gone AS (DELETE FROM sales RETURNING *)
        INSERT INTO sales (state, qty) SELECT 'OR', qty FROM gone
        """,
        "DO $$ BEGIN FOR i IN 1..3 LOOP INSERT INTO sales (qty) VALUES (i); END LOOP; END $$",
        "UPDATE sales SET qty = qty WHERE false",
    ],
    ids=lambda statement: statement.split()[0],
)
def test_every_way_to_write_updates_the_views(sales: DatabaseWrapper, statement: str) -> None:
    with sales.cursor() as cursor:
        cursor.execute(statement)
        assert_views_equal_their_queries(cursor)


def test_a_rollback_undoes_the_changes_of_the_views(
    sales: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    other = connect()
    cursor = other.cursor()
    cursor.execute("INSERT INTO sales (state, qty) VALUES ('WA', 1)")
    cursor.execute("TRUNCATE sales")
    assert_views_equal_their_queries(cursor)
    other.rollback()
    assert_views_equal_their_queries(cursor)
    cursor.execute("SELECT state FROM by_state ORDER BY state")
    assert cursor.fetchall() == [("NY",), (None,)]


def test_a_view_has_the_columns_and_types_of_the_real_thing(sales: DatabaseWrapper) -> None:
    with sales.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = 'by_state' AND table_schema = 'public' ORDER BY ordinal_position"
        )
        assert cursor.fetchall() == [
            ("state", "character varying"),
            ("turnover", "numeric"),
            ("average", "numeric"),
            ("lines", "bigint"),
            ("priced", "bigint"),
        ]


def test_the_sum_and_average_of_a_group_of_nulls_are_null(sales: DatabaseWrapper) -> None:
    with sales.cursor() as cursor:
        cursor.execute("SELECT turnover, average, lines, priced FROM by_state WHERE state IS NULL")
        assert cursor.fetchall() == [(None, None, 1, 0)]


def test_four_writers_neither_deadlock_nor_lose_anything(
    sales: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    with sales.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sales (state, item, qty, price)"
            " SELECT 'CA', n % 5, n, n / 7.0 FROM generate_series(1, 40) AS n"
        )
    failures: list[Exception] = []
    start = threading.Barrier(4)

    def write(writer: int) -> None:
        dice = random.Random(writer)
        try:
            with closing(connect()) as other, other.cursor() as cursor:
                start.wait()
                for _ in range(60):
                    for _ in range(dice.randint(1, 4)):
                        row, state = dice.randint(1, 42), dice.choice(["CA", "NY", "TX", None])
                        cursor.execute(
                            *dice.choice(
                                [
                                    (
                                        "INSERT INTO sales (state, item, qty, price) VALUES (%s, 1, 2, 3.3)",
                                        [state],
                                    ),
                                    (
                                        "UPDATE sales SET state = %s, qty = qty + 1 WHERE id %% 5 = %s",
                                        [state, row % 5],
                                    ),
                                    ("UPDATE sales SET price = price * 1.1 WHERE id = %s", [row]),
                                    ("DELETE FROM sales WHERE id = %s", [row]),
                                ]
                            )
                        )
                    if dice.random() < 0.9:
                        other.commit()
                    else:
                        other.rollback()
                other.commit()
        except Exception as failure:  # noqa: BLE001 - the test's own thread shows it
            failures.append(failure)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    with sales.cursor() as cursor:
        assert_views_equal_their_queries(cursor)


def test_a_listener_is_notified_of_each_view_that_changed_and_no_other(
    sales: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    listener = connect()
    listener.autocommit = True
    listener.cursor().execute(f"LISTEN {CHANNEL}")
    with sales.cursor() as cursor:
        cursor.execute("INSERT INTO sales (state, item, qty) VALUES ('CA', 1, 1), ('CA', 2, 1)")
        assert sorted(notified(listener, cursor)) == ["by_state", "by_state_and_item"]
        cursor.execute("UPDATE sales SET price = 2 WHERE item = 1")
        assert notified(listener, cursor) == ["by_state"]
        cursor.execute("UPDATE sales SET note = 'seen'")
        cursor.execute("DELETE FROM sales WHERE false")
        assert notified(listener, cursor) == []
        cursor.execute("DELETE FROM sales WHERE item = 2")
        assert sorted(notified(listener, cursor)) == ["by_state", "by_state_and_item"]
        cursor.execute("TRUNCATE sales")
        assert sorted(notified(listener, cursor)) == ["by_state", "by_state_and_item"]
        cursor.execute("TRUNCATE sales")
        assert notified(listener, cursor) == []


def test_a_new_view_waits_for_writers_and_has_their_rows(
    sales: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    writer = connect()
    writer.cursor().execute("INSERT INTO sales (state, qty) VALUES ('WA', 1)")
    late = MaterializedViewDefinition("late", "sales", ["state"], {"lines": Count()})
    maker = open_session("risingwave")

    def make() -> None:
        with closing(maker), maker.schema_editor() as editor:
            editor.create_streaming_object(late)

    making = threading.Thread(target=make)
    making.start()
    with sales.cursor() as cursor:

        def waits() -> bool:
            cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND relation = 'sales'::regclass")
            return cursor.fetchone() is not None

        wait_until(waits)
        writer.commit()
        making.join()
        cursor.execute("SELECT lines FROM late WHERE state = 'WA'")
        assert cursor.fetchall() == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO by_state (state) VALUES ('CA')",
        "UPDATE by_state SET state = 'CA'",
        "DELETE FROM by_state",
    ],
)
def test_a_write_to_a_view_is_an_error(sales: DatabaseWrapper, statement: str) -> None:
    with sales.cursor() as cursor:
        with pytest.raises(DatabaseError, match='cannot change materialized view "by_state"'):
            cursor.execute(statement)
        assert_views_equal_their_queries(cursor)


def test_a_writer_needs_no_rights_but_those_on_the_source_and_no_search_path(
    sales: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    writer = connect()
    writer.autocommit = True
    cursor = writer.cursor()
    cursor.execute("CREATE ROLE clerk")
    try:
        cursor.execute(
            "CREATE SCHEMA decoy; CREATE FUNCTION decoy.pg_notify(text, text) RETURNS void LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE EXCEPTION 'decoy'; END $$"
        )
        cursor.execute("GRANT INSERT ON sales TO clerk; GRANT USAGE ON SCHEMA decoy TO clerk")
        cursor.execute("SET ROLE clerk; SET search_path TO decoy, pg_catalog")
        cursor.execute("INSERT INTO public.sales (state, qty, price) VALUES ('CA', 2, 1.5)")
        cursor.execute("RESET ROLE; RESET search_path")
        assert_views_equal_their_queries(cursor)
    finally:
        cursor.execute("RESET ROLE; RESET search_path; DROP OWNED BY clerk; DROP ROLE clerk")


def test_a_function_of_the_projects_schema_isnt_run_with_the_rights_of_the_owner(
    sales: DatabaseWrapper,
) -> None:
    query = "SELECT lower(state) AS state, count(*) AS lines FROM sales GROUP BY 1"
    with sales.schema_editor() as editor:
        editor.create_streaming_object(ViewDefinition("by_lower_state", query))
    with sales.cursor() as cursor:
        cursor.execute("SELECT to_regclass('standin.by_lower_state') IS NOT NULL")
        assert cursor.fetchone() == (True,)
        # PostgreSQL prefers it to its own lower(text).
        cursor.execute("CREATE FUNCTION lower(varchar) RETURNS varchar LANGUAGE sql AS $$ SELECT 'decoy' $$")
        cursor.execute("INSERT INTO sales (state, qty, price) VALUES ('CA', 2, 1.5)")
        cursor.execute("SELECT lines FROM by_lower_state WHERE state = 'ca'")
        assert cursor.fetchone() == (1,)
        cursor.execute("DROP FUNCTION lower(varchar)")


def test_nobody_else_can_run_the_functions_of_a_summary_or_of_a_log(sales: DatabaseWrapper) -> None:
    with sales.schema_editor() as editor:
        editor.create_streaming_object(SubscriptionDefinition("by_state_changes", "by_state", "1 day"))
    with sales.cursor() as cursor:
        cursor.execute("""
            SELECT proname FROM pg_proc
            WHERE prosecdef AND pronamespace IN ('standin'::regnamespace, 'standin_changes'::regnamespace)
        """)
        assert {"by_state", "by_state_and_item", "log_view", "note_rows"} <= {
            name for (name,) in cursor.fetchall()
        }
        cursor.execute("CREATE ROLE clerk")
        try:
            cursor.execute("""
                SELECT proname FROM pg_proc
                WHERE prosecdef AND has_function_privilege('clerk', oid, 'EXECUTE')
                    AND pronamespace IN ('standin'::regnamespace, 'standin_changes'::regnamespace)
            """)
            # It takes no arguments, and lets only those rows leave that have to.
            assert cursor.fetchall() == [("expire",)]
        finally:
            cursor.execute("DROP ROLE clerk")


def test_dropping_all_views_leaves_nothing_behind(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        cursor.execute("CREATE TABLE sales (state varchar, item int, qty int, price float)")
        before = objects(cursor)
        editor.create_streaming_object(BY_STATE)
        with_one = objects(cursor)
        editor.create_streaming_object(BY_STATE_AND_ITEM)
        editor.delete_streaming_object(BY_STATE_AND_ITEM)
        assert objects(cursor) == with_one
        assert ("trigger", "standin_lock") in with_one
        editor.delete_streaming_object(BY_STATE)
        assert objects(cursor) == before


def test_a_view_that_fails_to_be_created_leaves_nothing_behind(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        cursor.execute("CREATE TABLE sales (state varchar, item int, qty int, price float)")
        cursor.execute("CREATE TABLE by_state ()")
        before = objects(cursor)
        with pytest.raises(DatabaseError, match="already exists"):
            editor.create_streaming_object(BY_STATE)
        assert objects(cursor) == before


def test_a_source_and_its_columns_can_not_be_dropped_while_a_view_uses_them(sales: DatabaseWrapper) -> None:
    with sales.cursor() as cursor:
        for statement in ("DROP TABLE sales", "ALTER TABLE sales DROP COLUMN qty"):
            with pytest.raises(DatabaseError, match="other objects depend on it"):
                cursor.execute(statement)


def test_names_are_quoted(standin: DatabaseWrapper) -> None:
    odd = MaterializedViewDefinition(
        'vi"ew', "Ta'ble", ['ke"y', "select"], {"o'clock": Count("standin_changed")}
    )
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        before = objects(cursor)
        cursor.execute("""CREATE TABLE "Ta'ble" ("ke""y" int, "select" int, standin_changed int)""")
        editor.create_streaming_object(odd)
        cursor.execute("""INSERT INTO "Ta'ble" VALUES (1, 2, 3), (1, 2, 4)""")
        cursor.execute('SELECT * FROM "vi""ew"')
        assert cursor.fetchall() == [(1, 2, 2)]
        editor.delete_streaming_object(odd)
        cursor.execute("""DROP TABLE "Ta'ble" """)
        assert objects(cursor) == before


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-Infinity"])
def test_a_float_that_would_spoil_every_sum_is_refused_by_the_table(
    standin: DatabaseWrapper, price: str
) -> None:
    with standin.schema_editor() as editor:
        editor.create_model(Event)
    with standin.cursor() as cursor:
        cursor.execute("INSERT INTO events (weight) VALUES (1.5), (NULL), (-1e300)")
        with pytest.raises(IntegrityError, match="weight_check"):
            cursor.execute(f"INSERT INTO events (weight) VALUES ('{price}')")
