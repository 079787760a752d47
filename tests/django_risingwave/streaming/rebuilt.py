"""Views that stand on each other, with an index and subscriptions, and changes of the lowest one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db import OperationalError

from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

    Change = tuple[ViewDefinition, ViewDefinition]

OLD = ViewDefinition("totals", "SELECT k, sum(v) AS total FROM t GROUP BY k")
NEW = ViewDefinition("totals", "SELECT k, sum(v) * 10 AS total FROM t GROUP BY k")
DEPENDENTS = {
    "leaders": "SELECT k, total FROM totals ORDER BY total DESC NULLS LAST, k LIMIT 5",
    "summary": "SELECT count(*) AS n, sum(total) AS total FROM leaders",
    "pairs": (
        "SELECT totals.k, leaders.total, '''FROM totals AS x''' AS text FROM totals "
        "JOIN leaders ON leaders.k = totals.k"
    ),
}


def create_views(connection: DatabaseWrapper, *, views_only: bool = False) -> None:
    """Create a view, what stands on it directly and through others, and one row."""
    run(connection, "CREATE TABLE t (k int, v int)", "INSERT INTO t VALUES (1, 2)")
    connection.flush()
    with connection.schema_editor() as editor:
        editor.create_streaming_object(OLD)
        for name, query in DEPENDENTS.items():
            editor.create_streaming_object(ViewDefinition(name, query))
    if views_only:
        return
    run(
        connection,
        'CREATE VIEW "plain" AS SELECT k FROM totals WHERE total > 0',
        'CREATE INDEX "by_total" ON "totals" ("total" DESC NULLS LAST, "k")',
        'CREATE INDEX "by_k" ON "pairs" ("k")',
        """CREATE SUBSCRIPTION "totals_changes" FROM "totals" WITH (retention = '1 day')""",
        """CREATE SUBSCRIPTION "leader_changes" FROM "leaders" WITH (retention = '12h')""",
    )


def run(connection: DatabaseWrapper, *statements: str) -> list[Any]:
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


def replace(connection: DatabaseWrapper, *changes: Change, **options: Any) -> None:
    with connection.schema_editor() as editor:
        editor.replace_streaming_objects(changes or [(OLD, NEW)], **options)


def catalog(connection: DatabaseWrapper) -> dict[str, object]:
    """Return everything that a rebuild could have left otherwise: objects, what they read, rows."""
    objects = run(
        connection,
        """
        SELECT relation.name, relation.relation_type, relation.definition
        FROM rw_catalog.rw_relations AS relation
        JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
        WHERE schema.name = current_schema() AND relation.relation_type <> 'system table'
        ORDER BY relation.name, relation.relation_type
        """,
    )
    rows = {name: run(connection, f'SELECT * FROM "{name}"') for name in ["totals", "plain", *DEPENDENTS]}
    return {"objects": objects, "rows": rows}


class Dying:
    """An execute wrapper that loses the connection after the n-th statement that changes the catalog."""

    def __init__(self, connection: DatabaseWrapper, left: int) -> None:
        self.connection, self.left = connection, left

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        self.left -= sql.startswith(("CREATE", "ALTER", "DROP"))
        if self.left == 0:
            self.left = -1
            self.connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        return result


def interrupt(connection: DatabaseWrapper, change: Change, statement: int) -> bool:
    """Begin a change and lose the connection after a statement. Return whether there are that many."""
    dying = Dying(connection, statement)
    with suppress(OperationalError), connection.execute_wrapper(dying):
        replace(connection, change)
    return dying.left < 0
