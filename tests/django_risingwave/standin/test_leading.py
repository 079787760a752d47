"""On the stand-in, leading rows and totals always are what their queries over the view give."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError
from hypothesis import HealthCheck, given, settings

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.streaming.definitions import LeadingRowsDefinition, TotalsDefinition
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.standin.sales import (
    BY_STATE,
    Write,
    check_after_each,
    create_sales,
    notified,
    objects,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

MEASURES = list(BY_STATE.measures)
LEADING = [LeadingRowsDefinition(f"{m}_leading", "by_state", "state", m, rows=2) for m in MEASURES]
TOTALS = [TotalsDefinition(f"{m}_totals", "by_state", m) for m in MEASURES]
KEYS = TotalsDefinition("state_totals", "by_state", None)


@pytest.fixture
def sales(standin: DatabaseWrapper) -> DatabaseWrapper:
    """A table with a view, and leading rows and totals of each of its measures."""
    create_sales(standin, BY_STATE, *LEADING, *TOTALS, KEYS)
    return standin


def assert_all_are_right(cursor: Any) -> None:
    for name in MEASURES:
        order = f"ORDER BY {name} DESC NULLS LAST, state ASC NULLS LAST"
        cursor.execute(f"SELECT state, {name} FROM by_state {order} LIMIT 2")
        expected = cursor.fetchall()
        cursor.execute(f"SELECT state, {name} FROM {name}_leading {order}")
        assert cursor.fetchall() == expected
        cursor.execute(f"SELECT count(*), sum({name}) FROM by_state")
        expected = cursor.fetchall()
        cursor.execute(f"SELECT keys, total FROM {name}_totals")
        assert cursor.fetchall() == expected
    cursor.execute("SELECT (SELECT count(*) FROM by_state), keys FROM state_totals")
    ((count, keys),) = cursor.fetchall()
    assert keys == count


@pytest.mark.unversioned
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes)
def test_any_sequence_of_writes_leaves_leading_rows_and_totals_right(
    sales: DatabaseWrapper, statements: list[Write]
) -> None:
    with sales.cursor() as cursor:
        check_after_each(cursor, statements, assert_all_are_right)


def rows_read(cursor: Any, sql: str) -> int:
    """Return how many rows the scans of a query's plan have read."""
    cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}")
    ((plan,),) = cursor.fetchall()
    nodes, read = [(json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]], 0
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Relation Name" in node:
            read += (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return round(read)


@pytest.mark.parametrize("name", MEASURES)
def test_the_largest_rows_are_read_without_reading_the_others(sales: DatabaseWrapper, name: str) -> None:
    wide = LeadingRowsDefinition(f"wide_{name}", "by_state", "state", name, rows=50)
    with sales.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sales (state, item, qty, price)"
            " SELECT 'state ' || n, n, n % 977, n / 7.0 FROM generate_series(1, 5000) AS n"
        )
        with sales.schema_editor() as editor:
            editor.create_streaming_object(wide)
        cursor.execute("ANALYZE standin.by_state")
        order = f"ORDER BY {name} DESC NULLS LAST, state ASC NULLS LAST LIMIT 5"
        assert rows_read(cursor, f"SELECT state, {name} FROM wide_{name} {order}") == 5
        assert rows_read(cursor, f"SELECT state, {name} FROM wide_{name}") == 50
        assert rows_read(cursor, f"SELECT keys, total FROM {name}_totals") == 1


def test_a_listener_is_notified_of_leading_rows_and_totals_when_their_view_changes(
    sales: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    listener = connect()
    listener.autocommit = True
    listener.cursor().execute(f"LISTEN {CHANNEL}")
    names = sorted(["by_state", KEYS.name, *(definition.name for definition in [*LEADING, *TOTALS])])
    with sales.cursor() as cursor:
        cursor.execute("INSERT INTO sales (state, qty) VALUES ('CA', 1)")
        assert sorted(notified(listener, cursor)) == names
        cursor.execute("UPDATE sales SET qty = 2 WHERE state = 'CA'")
        assert sorted(notified(listener, cursor)) == names
        cursor.execute("UPDATE sales SET note = 'seen'")
        cursor.execute("DELETE FROM sales WHERE false")
        assert notified(listener, cursor) == []
        cursor.execute("DELETE FROM sales WHERE state = 'CA'")
        assert sorted(notified(listener, cursor)) == names
        cursor.execute("TRUNCATE sales")
        assert sorted(notified(listener, cursor)) == names


def test_they_count_as_materialized_views_with_the_types_of_the_real_ones(sales: DatabaseWrapper) -> None:
    with sales.cursor() as cursor:
        kinds = sales.introspection.get_relation_kinds(cursor)
        for definition in [*LEADING, *TOTALS, KEYS]:
            assert kinds[definition.name] == "materialized view"
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_name IN ('lines_leading', 'lines_totals', 'state_totals')"
            " AND table_schema = 'public' ORDER BY table_name, ordinal_position"
        )
        assert cursor.fetchall() == [
            ("lines_leading", "state", "character varying"),
            ("lines_leading", "lines", "bigint"),
            ("lines_totals", "keys", "bigint"),
            ("lines_totals", "total", "numeric"),
            ("state_totals", "keys", "bigint"),
        ]


@pytest.mark.parametrize("view", ["turnover_leading", "turnover_totals"])
def test_a_write_is_an_error(sales: DatabaseWrapper, view: str) -> None:
    with (
        sales.cursor() as cursor,
        pytest.raises(DatabaseError, match=f'cannot change materialized view "{view}"'),
    ):
        cursor.execute(f"DELETE FROM {view}")


def test_a_view_is_not_dropped_before_what_stands_over_it(sales: DatabaseWrapper) -> None:
    with sales.schema_editor() as editor:
        for definition in [*LEADING, *TOTALS, KEYS]:
            with pytest.raises(DatabaseError, match=f"use it: .*materialized view {definition.name}"):
                editor.delete_streaming_object(BY_STATE)
            editor.delete_streaming_object(definition)
        editor.delete_streaming_object(BY_STATE)


def test_dropping_them_leaves_nothing_behind(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        cursor.execute("CREATE TABLE sales (state varchar, item int, qty int, price float)")
        before = objects(cursor)
        editor.create_streaming_object(BY_STATE)
        with_view = objects(cursor)
        for definition in [*LEADING, *TOTALS, KEYS]:
            editor.create_streaming_object(definition)
            editor.delete_streaming_object(definition)
            assert objects(cursor) == with_view
        editor.delete_streaming_object(BY_STATE)
        assert objects(cursor) == before


@pytest.mark.parametrize("source", ["a table", "a view without a summary"])
def test_over_anything_but_a_summary_they_are_plain_views(standin: DatabaseWrapper, source: str) -> None:
    definitions: list[Any] = [LEADING[0], TOTALS[0]]
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        if source == "a table":
            cursor.execute("CREATE TABLE by_state (state varchar, turnover numeric)")
            table = "by_state"
        else:
            cursor.execute("CREATE TABLE sales (state varchar, turnover numeric)")
            editor.create_streaming_object(ViewDefinition("by_state", "SELECT DISTINCT * FROM sales"))
            table = "sales"
        for definition in definitions:
            editor.create_streaming_object(definition)
        cursor.execute(f"INSERT INTO {table} VALUES ('CA', 5), ('NY', 7), ('TX', 6)")
        cursor.execute("SELECT * FROM turnover_leading")
        assert cursor.fetchall() == [("NY", 7), ("TX", 6)]
        cursor.execute("SELECT keys, total FROM turnover_totals")
        assert cursor.fetchall() == [(3, 18)]
        for definition in reversed(definitions):
            editor.delete_streaming_object(definition)


def test_names_are_quoted(standin: DatabaseWrapper) -> None:
    from django_risingwave.streaming.aggregates import Average
    from django_risingwave.streaming.definitions import MaterializedViewDefinition

    odd = [
        MaterializedViewDefinition('vi"ew', "Ta'ble", ['ke"y'], {"o'clock": Average("n")}),
        LeadingRowsDefinition("le'ad\"ing", 'vi"ew', 'ke"y', "o'clock", rows=1),
        TotalsDefinition("to't\"als", 'vi"ew', "o'clock"),
    ]
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        cursor.execute("""CREATE TABLE "Ta'ble" ("ke""y" int, n int)""")
        for definition in odd:
            editor.create_streaming_object(definition)
        cursor.execute("""INSERT INTO "Ta'ble" VALUES (1, 2), (1, 3), (7, 2)""")
        cursor.execute("""SELECT * FROM "le'ad""ing" """)
        assert cursor.fetchall() == [(1, 2.5)]
        cursor.execute("""SELECT * FROM "to't""als" """)
        assert cursor.fetchall() == [(2, 4.5)]
        for definition in reversed(odd):
            editor.delete_streaming_object(definition)
