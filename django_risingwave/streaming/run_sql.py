"""A migration operation for SQL of RisingWave that no other operation sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlparse
from django.db import DatabaseError, NotSupportedError, OperationalError, router
from django.db.migrations.operations import RunSQL

from django_risingwave.routers import VENDOR
from django_risingwave.streaming.definitions import SubscriptionDefinition
from django_risingwave.streaming.identifiers import NAME, unquoted
from django_risingwave.streaming.migration_operations import create_missing, drop_existing, runs_on_risingwave
from django_risingwave.streaming.rebuilding.building import in_background, wait_until_built
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.migrations.operations.base import Operation
    from django.db.migrations.state import ProjectState

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.definitions import Definition

    Statement = str | tuple[str, dict[str, Any] | list[Any] | tuple[Any, ...] | None]
    SQL = str | list[Statement] | tuple[Statement, ...]

_NAME = f"({NAME})"
_BEFORE = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_STATEMENTS = {
    "create_view": rf"CREATE\s+MATERIALIZED\s+VIEW\s+(IF\s+NOT\s+EXISTS\s+)?{_NAME}\s+AS\s+(.*)",
    "drop_view": rf"DROP\s+MATERIALIZED\s+VIEW\s+(IF\s+EXISTS\s+)?{_NAME}",
    "create_subscription": (
        rf"CREATE\s+SUBSCRIPTION\s+(IF\s+NOT\s+EXISTS\s+)?{_NAME}\s+FROM\s+{_NAME}\s+"
        r"WITH\s*\(\s*retention\s*=\s*'([^']*)'\s*\)"
    ),
    "drop_subscription": rf"DROP\s+SUBSCRIPTION\s+(IF\s+EXISTS\s+)?{_NAME}",
    "flush": r"(FLUSH)",
}
_PATTERNS = {
    name: re.compile(rf"{_BEFORE}{pattern}[\s;]*", re.DOTALL | re.IGNORECASE)
    for name, pattern in _STATEMENTS.items()
}
_CREATED_VIEW = re.compile(
    rf"{_BEFORE}CREATE\s+MATERIALIZED\s+VIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:{_NAME}\.)?{_NAME}",
    re.DOTALL | re.IGNORECASE,
)


class RunRisingWaveSQL(RunSQL):
    """Run SQL on the aliases of RisingWave, as RunSQL does, and on the stand-in what takes its place.

    An example::

        RunRisingWaveSQL(
            "CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS 'SELECT x * 2'",
            "DROP FUNCTION twice",
            standin="CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS 'SELECT x * 2'",
            reverse_standin="DROP FUNCTION twice",
        )

    `sql` and `reverse_sql` are what RunSQL takes: a text, or a list of statements, each with parameters or
    without. `standin` and `reverse_standin` are PostgreSQL's, and likewise. Without them the stand-in runs
    the same SQL: it creates materialized views as it does those of models, so that they are always right,
    and raises NotSupportedError for what PostgreSQL can't run. RunRisingWaveSQL.noop does nothing.

    RisingWave rolls nothing back, so give each statement an operation in a migration of its own, or write IF
    NOT EXISTS and IF EXISTS.
    """

    def __init__(
        self,
        sql: SQL,
        reverse_sql: SQL | None = None,
        state_operations: Sequence[Operation] | None = None,
        hints: dict[str, Any] | None = None,
        elidable: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        *,
        standin: SQL | None = None,
        reverse_standin: SQL | None = None,
    ) -> None:
        super().__init__(sql, reverse_sql, state_operations, hints, elidable)
        self.standin = standin
        self.reverse_standin = reverse_standin

    def deconstruct(self) -> Any:
        name, args, kwargs = super().deconstruct()
        own = {"standin": self.standin, "reverse_standin": self.reverse_standin}
        return name, args, {**kwargs, **{key: value for key, value in own.items() if value is not None}}

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Run the SQL."""
        self._run(app_label, schema_editor, self.sql, self.standin)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Run the SQL that reverses it."""
        if self.reverse_sql is None:
            raise NotImplementedError("You cannot reverse this operation")
        self._run(app_label, schema_editor, self.reverse_sql, self.reverse_standin)

    def describe(self) -> str:
        return "Run SQL on RisingWave"

    def _run(self, app_label: str, editor: DatabaseSchemaEditor, sql: Any, standin: Any) -> None:
        alias = editor.connection.alias
        if not runs_on_risingwave(editor, app_label) or not router.allow_migrate(
            alias, app_label, **{"required_db_vendor": VENDOR, **self.hints}
        ):
            return
        is_standin = editor.connection.standin is not None
        if is_standin and standin is not None:
            self._run_sql(editor, standin)  # type: ignore[attr-defined]  # not in the stubs
            return
        for statement, params in _statements(sql):
            if is_standin:
                _run_on_standin(editor, statement, params)
            elif (match := _CREATED_VIEW.match(statement)) and not editor.collect_sql:
                with in_background(editor.connection):
                    editor.execute(statement, params)
                wait_until_built(editor.connection, unquoted(match[2]))
            else:
                editor.execute(statement, params)


def _statements(sql: Any) -> list[tuple[str, Any]]:
    """Return statements with their parameters, None for none."""
    if isinstance(sql, str):
        return [(statement, None) for statement in sqlparse.split(sql) if statement.strip("; \n")]
    return [(item, None) if isinstance(item, str) else (item[0], item[1]) for item in sql]


def _run_on_standin(editor: DatabaseSchemaEditor, statement: str, params: Any) -> None:
    """Run RisingWave's SQL. Raises NotSupportedError for what PostgreSQL can't run."""
    for kind, pattern in _PATTERNS.items():
        if params is None and (match := pattern.fullmatch(statement)):
            if kind != "flush":
                _apply(editor, kind, *match.groups())
            return
    try:
        editor.execute(statement, params)
    except OperationalError:
        raise
    except DatabaseError as error:
        raise NotSupportedError(
            f"The stand-in can't run this SQL of RisingWave: {statement!r}. Give RunRisingWaveSQL what "
            "PostgreSQL should run instead, as standin= and reverse_standin=, or RunRisingWaveSQL.noop for "
            f"nothing. PostgreSQL says: {error}"
        ) from error


def _apply(editor: DatabaseSchemaEditor, kind: str, condition: str | None, name: str, *rest: str) -> None:
    """Create or drop a view or a subscription as the operations on models do."""
    definition: Definition
    if kind == "create_view":
        definition = ViewDefinition(unquoted(name), rest[0].rstrip("; \n"))
    elif kind == "create_subscription":
        definition = SubscriptionDefinition(unquoted(name), unquoted(rest[0]), rest[1])
    elif kind == "drop_view":
        definition = ViewDefinition(unquoted(name), "")
    else:
        definition = SubscriptionDefinition(unquoted(name), "", "1 day")
    if kind.startswith("create") and condition:
        create_missing(editor, definition)
    elif kind.startswith("create"):
        editor.create_streaming_object(definition)
    elif condition:
        drop_existing(editor, definition)
    else:
        editor.delete_streaming_object(definition)
