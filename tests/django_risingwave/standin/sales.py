"""A table of sales, any writes to it, and what they leave in the database."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.psycopg_any import is_psycopg3
from hypothesis import strategies as st

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.streaming.aggregates import Average, Count, Sum
from django_risingwave.streaming.definitions import MaterializedViewDefinition

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.definitions import Definition

Write = tuple[str, list[Any]]

BY_STATE = MaterializedViewDefinition(
    "by_state",
    "sales",
    ["state"],
    {
        "turnover": Sum("(qty * price)::numeric"),
        "average": Average("qty"),
        "lines": Count(),
        "priced": Count("price"),
    },
)
_TWO_ROWS = "INSERT INTO sales (state, qty, price) VALUES ('NY', 2, 1.1), (NULL, NULL, NULL)"


def create_sales(standin: DatabaseWrapper, *definitions: Definition) -> None:
    """Create the table with two rows, one of them all NULL, and then the views."""
    with standin.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE sales (id int GENERATED ALWAYS AS IDENTITY, state varchar, item int, qty int,"
            " price double precision, note varchar)"
        )
        cursor.execute(_TWO_ROWS)
    with standin.schema_editor() as editor:
        for definition in definitions:
            editor.create_streaming_object(definition)


states = st.sampled_from(["CA", "NY", "TX", None])
items = st.sampled_from([1, 2, None])
quantities = st.one_of(st.none(), st.integers(-1000, 1000))
prices = st.one_of(st.none(), st.floats(-1e9, 1e9))
rows = st.tuples(states, items, quantities, prices)
conditions = st.sampled_from(["true", "item = 1", "item IS NULL", "state = 'CA'", "state IS NULL", "qty < 0"])
changes = st.one_of(
    st.tuples(st.just("state"), states),
    st.tuples(st.just("item"), items),
    st.tuples(st.just("qty"), quantities),
    st.tuples(st.just("price"), prices),
    st.tuples(st.just("note"), st.just("unrelated")),
)
inserts = st.lists(rows, min_size=1, max_size=5).map(
    lambda many: (
        f"INSERT INTO sales (state, item, qty, price) VALUES {', '.join(['(%s, %s, %s, %s)'] * len(many))}",
        [value for row in many for value in row],
    )
)
updates = st.builds(
    lambda changed, condition: (
        f"UPDATE sales SET {', '.join(f'{column} = %s' for column in changed)} WHERE {condition}",
        list(changed.values()),
    ),
    st.lists(changes, min_size=1, max_size=3).map(dict),
    conditions,
)
deletes = conditions.map(lambda condition: (f"DELETE FROM sales WHERE {condition}", list[Any]()))
truncations = st.just(("TRUNCATE sales", list[Any]()))
#: Any sequence of writes.
writes: st.SearchStrategy[list[Write]] = st.lists(
    st.one_of(inserts, inserts, updates, updates, deletes, truncations), max_size=12
)


def check_after_each(cursor: Any, statements: list[Write], check: Callable[[Any], None]) -> None:
    """Reset the table to its two rows, execute the statements, and check after each of them."""
    cursor.execute("DELETE FROM sales")
    cursor.execute(_TWO_ROWS)
    for sql, params in statements:
        cursor.execute(sql, params)
        check(cursor)


def notified(listener: Any, cursor: Any) -> list[str]:
    """Return the names that `listener` has been notified of so far, each once."""
    cursor.execute(f"NOTIFY {CHANNEL}, 'up to now'")
    names: list[str] = []
    while "up to now" not in names:
        assert select.select([listener], [], [], 20)[0], "no notification arrived"
        if is_psycopg3:
            found = list(listener.notifies(timeout=0))
        else:
            listener.poll()
            found = list(listener.notifies)
            listener.notifies.clear()
        names += [name for notification in found for name in notification.payload.splitlines()]
    return list(dict.fromkeys(names[:-1]))


def objects(cursor: Any) -> set[tuple[str, str]]:
    cursor.execute(
        "SELECT 'schema', nspname FROM pg_namespace"
        " UNION ALL SELECT 'relation', oid::regclass::text FROM pg_class WHERE relname NOT LIKE 'pg_toast%'"
        " UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc"
        " UNION ALL SELECT 'trigger', tgname FROM pg_trigger"
    )
    return set(cursor.fetchall())
