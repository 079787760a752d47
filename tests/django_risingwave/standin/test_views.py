"""On the stand-in, a view of any SELECT always is what its SELECT gives, and tells of each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.standin.views import create_view
from django_risingwave.streaming.aggregates import Aggregate, Average, Count, Sum
from django_risingwave.streaming.definitions import MaterializedViewDefinition
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.standin.sales import BY_STATE, create_sales, notified, objects

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper


def is_summary(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"standin.{name}"])
    ((found,),) = cursor.fetchall()
    return bool(found)


def assert_same_rows(cursor: Any, one: str, other: str) -> None:
    cursor.execute(f"(TABLE {one} EXCEPT ALL TABLE {other}) UNION ALL (TABLE {other} EXCEPT ALL TABLE {one})")
    assert cursor.fetchall() == []


SUMMARIES = [
    "SELECT state, sum((qty * price)::numeric), count(*) AS n, avg(qty) AS a FROM sales GROUP BY state",
    "SELECT count(*), state, sum(qty) FROM sales GROUP BY 2",
    "SELECT sum(s.qty) AS n, s.state AS x FROM sales s WHERE s.qty > 1 OR s.note IS NULL GROUP BY s.state",
    "SELECT qty % 3 AS rest, avg(item + 1) AS average FROM sales GROUP BY qty % 3",
    "SELECT state FROM sales GROUP BY state, item",
    "SELECT state, count(price) AS n FROM sales WHERE state IN ('CA') OR qty BETWEEN 1 AND 5 GROUP BY 1",
    "SELECT state, sum(CASE WHEN item = 1 THEN qty ELSE 0 END) AS firsts FROM sales GROUP BY state;",
    "SELECT state, state AS again, count(id) AS n FROM sales GROUP BY 1 -- the end",
]
PLAIN = [
    "SELECT state, count(DISTINCT item) AS n FROM sales GROUP BY state",
    "SELECT state, max(qty) AS most FROM sales GROUP BY state",
    "SELECT state, sum(price) AS total FROM sales GROUP BY state",
    "SELECT state, sum(qty) AS n FROM sales GROUP BY state HAVING sum(qty) > 1",
    "SELECT state, count(*) FILTER (WHERE qty > 1) AS n FROM sales GROUP BY state",
    "SELECT count(*) AS n, sum(qty) AS total FROM sales",
    "SELECT DISTINCT state, item FROM sales",
    "SELECT state FROM sales UNION SELECT note FROM sales",
    "WITH x AS (SELECT * FROM sales WHERE qty > 1) SELECT a.state, b.qty FROM x a JOIN x b USING (state)",
    "SELECT state, qty, rank() OVER (PARTITION BY state ORDER BY qty) AS place FROM sales",
    "SELECT state, qty FROM sales ORDER BY qty DESC NULLS LAST, id LIMIT 2",
    "SELECT state, qty / 2 AS half FROM sales WHERE note ~ 'x' OR qty = (SELECT max(qty) FROM sales)",
    "SELECT state, sum(qty) + 1 AS n FROM sales GROUP BY state",
    "SELECT upper(state) AS state, count(*) AS n FROM sales GROUP BY 1, id::text",
]


@pytest.mark.parametrize("query", SUMMARIES + PLAIN)
def test_a_view_has_the_rows_and_types_of_its_select_after_each_write(
    standin: DatabaseWrapper, query: str
) -> None:
    create_sales(standin, ViewDefinition("v", query))
    with standin.cursor() as cursor:
        assert is_summary(cursor, "v") == (query in SUMMARIES)
        cursor.execute(f"CREATE VIEW expected AS {query}")
        for statement in (
            "INSERT INTO sales (state, item, qty, price) VALUES ('CA', 1, 5, 2), ('NY', NULL, 3, 1.5)",
            "UPDATE sales SET qty = qty + 1, state = 'TX' WHERE state = 'NY'",
            "DELETE FROM sales WHERE item = 1",
            "TRUNCATE sales",
        ):
            cursor.execute(statement)
            assert_same_rows(cursor, "v", "expected")
        columns = (
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position"
        )
        cursor.execute(columns, ["expected"])
        expected = cursor.fetchall()
        cursor.execute(columns, ["v"])
        assert cursor.fetchall() == expected


class Most(Aggregate):
    def __str__(self) -> str:
        return f"max({self.expression})"


@pytest.mark.parametrize(
    ("measure", "value"),
    [(Count("DISTINCT item"), 2), (Most("item"), 7), (Sum("price"), 3.5), (Average("price"), 1.75)],
)
def test_measures_that_no_summary_can_keep_are_right(
    standin: DatabaseWrapper, measure: Aggregate, value: float
) -> None:
    create_sales(standin, MaterializedViewDefinition("v", "sales", ["state"], {"value": measure}))
    with standin.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sales (state, item, price) VALUES ('CA', 7, 1.5), ('CA', 7, 2), ('CA', 5, NULL)"
        )
        cursor.execute("SELECT value FROM v WHERE state = 'CA'")
        assert cursor.fetchall() == [(value,)]


def test_a_listener_is_notified_of_each_view_over_the_table_that_changed(
    standin: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE places (state varchar, area int)")
    create_sales(
        standin,
        BY_STATE,
        ViewDefinition("states", "SELECT DISTINCT state FROM sales"),
        ViewDefinition("areas", "SELECT area, turnover FROM by_state JOIN places USING (state)"),
        ViewDefinition("area", "SELECT count(*) AS n FROM areas CROSS JOIN states"),
    )
    listener = connect()
    listener.autocommit = True
    listener.cursor().execute(f"LISTEN {CHANNEL}")
    with standin.cursor() as cursor:
        for statement in (
            "INSERT INTO sales (state, qty) VALUES ('CA', 1)",
            "UPDATE sales SET qty = 2",
            "DELETE FROM sales WHERE state = 'CA'",
            "TRUNCATE sales",
        ):
            cursor.execute(statement)
            assert sorted(notified(listener, cursor)) == ["area", "areas", "by_state", "states"]
        cursor.execute("INSERT INTO places VALUES ('CA', 1)")
        assert sorted(notified(listener, cursor)) == ["area", "areas"]
        cursor.execute("UPDATE sales SET qty = 2 WHERE false")
        assert notified(listener, cursor) == []


def test_an_update_that_leaves_a_summary_alone_notifies_of_no_view_over_it(
    standin: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    create_sales(standin, BY_STATE, ViewDefinition("states", "SELECT DISTINCT state FROM by_state"))
    listener = connect()
    listener.autocommit = True
    listener.cursor().execute(f"LISTEN {CHANNEL}")
    with standin.cursor() as cursor:
        cursor.execute("UPDATE sales SET note = 'seen'")
        assert notified(listener, cursor) == []
        cursor.execute("UPDATE sales SET qty = 5")
        assert sorted(notified(listener, cursor)) == ["by_state", "states"]


def test_dropping_views_leaves_nothing_behind(standin: DatabaseWrapper) -> None:
    views = [
        BY_STATE,
        ViewDefinition("states", "SELECT DISTINCT state FROM sales"),
        ViewDefinition("both", "SELECT state FROM states UNION SELECT state FROM by_state"),
    ]
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        cursor.execute("CREATE TABLE sales (state varchar, item int, qty int, price float)")
        seen = [objects(cursor)]
        for view in views:
            editor.create_streaming_object(view)
            seen.append(objects(cursor))
        for view in reversed(views):
            assert objects(cursor) == seen.pop()
            editor.delete_streaming_object(view)
        assert objects(cursor) == seen.pop()


def test_a_view_and_its_table_are_not_dropped_while_another_view_reads_them(standin: DatabaseWrapper) -> None:
    states = ViewDefinition("states", "SELECT DISTINCT state FROM sales")
    create_sales(standin, states, ViewDefinition("some", "SELECT state FROM states LIMIT 2"))
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        with pytest.raises(DatabaseError, match="use it: materialized view some"):
            editor.delete_streaming_object(states)
        for statement in ("DROP TABLE sales", "ALTER TABLE sales DROP COLUMN state"):
            with pytest.raises(DatabaseError, match="other objects depend on it"):
                cursor.execute(statement)


@pytest.mark.parametrize(
    "statement", ["INSERT INTO v (state) VALUES ('CA')", "UPDATE v SET state = 'CA'", "DELETE FROM v"]
)
def test_a_write_to_a_view_is_an_error(standin: DatabaseWrapper, statement: str) -> None:
    create_sales(standin, ViewDefinition("v", "SELECT state, qty FROM sales"))
    with standin.cursor() as cursor, pytest.raises(DatabaseError, match='materialized view "v"'):
        cursor.execute(statement)


def test_views_have_kinds_readers_and_the_statements_that_create_them(standin: DatabaseWrapper) -> None:
    states = ViewDefinition("states", "SELECT DISTINCT state FROM sales", "SELECT state FROM sales -- all")
    some = ViewDefinition("some", "SELECT state FROM states JOIN by_state USING (state)")
    create_sales(standin, BY_STATE, states, some)
    with standin.cursor() as cursor:
        cursor.execute("CREATE VIEW mine AS SELECT * FROM sales")
        kinds = standin.introspection.get_relation_kinds(cursor)
        assert {name: kind for name, kind in kinds.items() if not name.startswith("pg_")} == {
            "by_state": "materialized view",
            "mine": "view",
            "sales": "table",
            "some": "materialized view",
            "states": "materialized view",
        }
        assert standin.introspection.get_dependents(cursor, "sales") == {
            "by_state": "materialized view",
            "mine": "view",
            "states": "materialized view",
        }
        assert standin.introspection.get_dependents(cursor, "by_state") == {"some": "materialized view"}
        assert standin.standin is not None
        quote = standin.ops.quote_name
        assert standin.standin.get_definitions(cursor) == {
            view.name: view.create_sql(quote) for view in (BY_STATE, states, some)
        }


def test_a_user_who_may_only_read_learns_the_definitions(standin: DatabaseWrapper) -> None:
    create_sales(standin, BY_STATE)
    with standin.cursor() as cursor:
        cursor.execute("CREATE ROLE reader")
        try:
            cursor.execute("SET ROLE reader")
            assert standin.standin is not None
            assert list(standin.standin.get_definitions(cursor)) == ["by_state"]
        finally:
            cursor.execute("RESET ROLE; DROP ROLE reader")


def test_a_table_notifies_of_more_views_than_a_payload_has_room_for(
    standin: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (state varchar)")
    names = [f"view_{number}_{'x' * 54}"[:63] for number in range(120)]
    first, *others = [ViewDefinition(name, "SELECT DISTINCT state FROM sales") for name in names]
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        editor.create_streaming_object(first)
        cursor.execute("".join(create_view("public", view.name, view.query) for view in others))
        editor.create_streaming_object(ViewDefinition("last", "SELECT state FROM sales"))
    listener = connect()
    listener.autocommit = True
    listener.cursor().execute(f"LISTEN {CHANNEL}")
    with standin.cursor() as cursor:
        cursor.execute("INSERT INTO sales VALUES ('CA')")
        assert sorted(notified(listener, cursor)) == sorted(["last", *names])


@pytest.mark.parametrize(
    ("query", "comment"),
    [
        (SUMMARIES[0], "a summary that triggers keep: it has sums, counts and averages of one table by key"),
        (
            "SELECT state, count(DISTINCT item) AS n FROM sales GROUP BY 1",
            'a plain view of its SELECT, because COUNT(DISTINCT "item") needs the distinct values',
        ),
        (
            "SELECT state, sum(price) AS n FROM sales GROUP BY 1",
            'a plain view of its SELECT, because sum("price") is inexact; cast to numeric for a summary',
        ),
        ("SELECT DISTINCT state FROM sales", "a plain view of its SELECT, because it has DISTINCT"),
    ],
)
def test_sqlmigrate_says_which_form_a_view_has_and_why(
    standin: DatabaseWrapper, query: str, comment: str
) -> None:
    create_sales(standin)
    with standin.schema_editor(collect_sql=True) as editor:
        editor.create_streaming_object(ViewDefinition("v", query))
        assert editor.collected_sql[0].splitlines()[0] == f'-- "v" is {comment}.'
    assert "v" not in standin.introspection.table_names(include_views=True)


def test_sqlmigrate_needs_no_table_yet(standin: DatabaseWrapper) -> None:
    with standin.schema_editor(collect_sql=True) as editor:
        editor.create_streaming_object(ViewDefinition("v", SUMMARIES[0]))
        assert editor.collected_sql[0].startswith('-- "v" is a summary that triggers keep')
