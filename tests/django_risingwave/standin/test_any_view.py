"""On the stand-in, any view has the rows of its SELECT at each commit, and tells of each change.

A few tables of orders, views of random definitions over them and over each other, and random transactions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.standin.sales import notified

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

# Each relation has the columns k, n and m: a text, an integer and a numeric.
TABLES = ("orders", "refunds")
CREATE = "".join(
    f"CREATE TABLE {table} (id int GENERATED ALWAYS AS IDENTITY, k text, n bigint, m numeric);"
    for table in TABLES
)
CONDITIONS = ("", " WHERE n > 0", " WHERE k IS NOT NULL AND m <> 2", " WHERE k IN ('a', 'b') OR n IS NULL")
AGGREGATES = ("sum(n)", "sum(m * n)", "avg(m)", "count(*)", "count(n)", "count(DISTINCT n)", "max(n)")

SELECT_ALL = "SELECT * FROM ({}) AS q"

Views = dict[str, str]


@st.composite
def selects(draw: st.DrawFn, relations: list[str]) -> str:
    """A SELECT of k, n and m from some of the relations."""
    one, other = draw(st.sampled_from(relations)), draw(st.sampled_from(relations))
    where = draw(st.sampled_from(CONDITIONS))
    first, second = draw(st.sampled_from(AGGREGATES)), draw(st.sampled_from(AGGREGATES))
    grouping = f"SELECT k, {first}::bigint AS n, {second}::numeric AS m FROM {one}{where} GROUP BY k"
    summary = (
        f"SELECT sum(m) AS m, k, count({draw(st.sampled_from(['*', 'n', 'k']))}) AS n FROM {one}{where}"
        f" GROUP BY {draw(st.sampled_from(['k', '2', 'k, n']))}"
    )
    # The order is that of all columns, so that a plain SELECT has the same leading rows.
    order = "n DESC NULLS LAST, k NULLS FIRST, m NULLS LAST"
    ranked = f"row_number() OVER (PARTITION BY k ORDER BY {order}) AS place"
    return draw(
        st.sampled_from(
            [
                summary,
                summary,
                grouping,
                f"SELECT k, n, m FROM {one}{where} ORDER BY {order} LIMIT 3",
                f"SELECT DISTINCT k, n, NULL::numeric AS m FROM {one}{where}",
                f"SELECT k, n, m FROM {one}{where} UNION SELECT k, n, m FROM {other}",
                f"SELECT k, n, m FROM {one} UNION ALL (SELECT k, n, m FROM {other}{where})",
                f"SELECT a.k, b.n, a.m FROM {one} AS a LEFT JOIN {other} AS b ON a.k = b.k AND b.n > 0",
                f"SELECT k, n, m FROM (SELECT *, {ranked} FROM {one}{where}) AS ranked WHERE place <= 2",
                f"SELECT k, sum(n) OVER (PARTITION BY k)::bigint AS n, m FROM {one}{where}",
                f"WITH few AS (SELECT k, n, m FROM {one}{where}) SELECT * FROM few WHERE m > 1",
                f"SELECT k, n, m FROM {one} WHERE EXISTS (SELECT FROM {other} AS o WHERE o.k = {one}.k)",
                f"SELECT 'all' AS k, count(*) AS n, sum(m) AS m FROM {one}{where}",
                f"SELECT k, sum(n)::bigint AS n, sum(m) AS m FROM {one} GROUP BY k HAVING count(*) > 1",
            ]
        )
    )


@st.composite
def definitions(draw: st.DrawFn) -> Views:
    views: Views = {}
    for number in range(draw(st.integers(1, 4))):
        views[f"v{number}"] = draw(selects([*TABLES, *views]))
    return views


keys = st.sampled_from(["a", "b", "c", None])
numbers = st.one_of(st.none(), st.integers(-5, 5))
tables = st.sampled_from(TABLES)
places = st.sampled_from(["true", "k = 'a'", "k IS NULL", "n < 0", "m = 2", "mod(id, 2) = 0"])
inserts = st.builds(
    lambda table, rows: (
        f"INSERT INTO {table} (k, n, m) VALUES {', '.join(['(%s, %s, %s)'] * len(rows))}",
        [value for row in rows for value in row],
    ),
    tables,
    st.lists(st.tuples(keys, numbers, numbers), min_size=1, max_size=4),
)
updates = st.builds(
    lambda table, change, place: (f"UPDATE {table} SET {change} WHERE {place}", list[Any]()),
    tables,
    st.sampled_from(["k = 'b'", "k = NULL", "n = n + 1", "m = m * 1.5", "n = NULL", "m = m"]),
    places,
)
deletes = st.builds(lambda table, place: (f"DELETE FROM {table} WHERE {place}", list[Any]()), tables, places)
truncations = tables.map(lambda table: (f"TRUNCATE {table}", list[Any]()))
statements = st.one_of(inserts, inserts, inserts, updates, updates, deletes, truncations)
#: Statements by transaction, and whether it is committed.
transactions = st.lists(
    st.tuples(st.lists(statements, min_size=1, max_size=3), st.sampled_from([True, True, True, False])),
    min_size=1,
    max_size=5,
)


def rows(cursor: Any, query: str) -> list[str]:
    cursor.execute(f"SELECT k, n::numeric, trim_scale(m) FROM ({query}) AS q")
    return sorted(map(repr, cursor.fetchall()))


def plain(views: Views, name: str) -> str:
    """Return the SELECT of a view over the tables alone."""
    below = ", ".join(f"{each} AS ({views[each]})" for each in views if each < name)
    return f"WITH {below} {SELECT_ALL.format(views[name])}" if below else views[name]


@pytest.mark.unversioned
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(views=definitions(), writes=transactions)
def test_any_view_has_the_rows_of_its_select_at_each_commit_and_tells_of_each_change(
    standin: DatabaseWrapper, connect: Callable[[], Any], views: Views, writes: list[Any]
) -> None:
    with standin.cursor() as cursor:
        cursor.execute(CREATE)
        defined = [ViewDefinition(name, query) for name, query in views.items()]
        with standin.schema_editor() as editor:
            for definition in defined:
                editor.create_streaming_object(definition)
        writer, listener = connect(), connect()
        listener.autocommit = True
        listener.cursor().execute(f"LISTEN {CHANNEL}")
        try:
            before = {name: rows(cursor, plain(views, name)) for name in views}
            for transaction, is_committed in writes:
                for sql, params in transaction:
                    writer.cursor().execute(sql, params)
                (writer.commit if is_committed else writer.rollback)()
                after = {name: rows(cursor, plain(views, name)) for name in views}
                assert {name: rows(cursor, f"SELECT * FROM {name}") for name in views} == after
                assert {name for name in views if before[name] != after[name]} <= set(
                    notified(listener, cursor)
                )
                before = after
        finally:
            writer.close()
            listener.close()
            with standin.schema_editor() as editor:
                for definition in reversed(defined):
                    editor.delete_streaming_object(definition)
            cursor.execute(f"DROP TABLE {', '.join(TABLES)}")
