"""RunRisingWaveSQL runs SQL that no other operation sends, and RunSQL makes no view that stays as it is."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from django.db import NotSupportedError, connections
from django.db.migrations.operations import RunSQL
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import OperationWriter
from django.test.utils import CaptureQueriesContext

from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.run_sql import RunRisingWaveSQL
from django_risingwave.streaming.selectable_event import SelectableEvent
from tests.django_risingwave.streaming.migrating import LABEL, migrate
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double

VIEW = "CREATE MATERIALIZED VIEW distinct_kinds AS SELECT DISTINCT kind FROM t"
HINTS = {"required_db_vendor": "risingwave"}


def run(connection: DatabaseWrapper, *statements: str) -> list[Any]:
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture
def table(connection: DatabaseWrapper) -> DatabaseWrapper:
    run(connection, "CREATE TABLE t (kind varchar, n int)")
    return connection


def test_a_view_is_right_after_each_write_and_gone_when_reversed(table: DatabaseWrapper) -> None:
    operation = RunRisingWaveSQL(VIEW, "DROP MATERIALIZED VIEW distinct_kinds")
    migrate(table, operation)
    for count in (1, 2):
        run(table, f"INSERT INTO t VALUES ('{count}', 1)")
        table.flush()
        assert run(table, "SELECT count(*) FROM distinct_kinds") == [(count,)]
    migrate(table, operation, backwards=True)
    assert table.introspection.table_names(include_views=True) == ["t"]


def test_a_view_on_the_stand_in_notifies_its_readers(
    standin: DatabaseWrapper, table: DatabaseWrapper
) -> None:
    migrate(table, RunRisingWaveSQL([f"-- Kinds.\n{VIEW};"]))
    with (
        closing(ChangeListener("risingwave", ["distinct_kinds"])) as listener,
        closing(SelectableEvent()) as wake,
    ):
        assert listener.start()
        run(table, "INSERT INTO t VALUES ('a', 1)")
        assert listener.wait(DEADLINE_SECONDS, wake) == {"distinct_kinds"}


def test_a_list_of_statements_can_be_run_again_where_it_says_if_not_exists(table: DatabaseWrapper) -> None:
    operation = RunRisingWaveSQL(
        """
        CREATE MATERIALIZED VIEW IF NOT EXISTS distinct_kinds AS SELECT DISTINCT kind FROM t;
        CREATE MATERIALIZED VIEW IF NOT EXISTS kinds AS SELECT count(*) AS n FROM distinct_kinds;
        FLUSH;
        """,
        ["DROP MATERIALIZED VIEW IF EXISTS kinds", "DROP MATERIALIZED VIEW IF EXISTS distinct_kinds"],
    )
    migrate(table, operation, operation)
    assert run(table, "SELECT n FROM kinds") == [(0,)]
    migrate(table, operation, operation, backwards=True)
    assert table.introspection.table_names(include_views=True) == ["t"]


def test_the_stand_in_runs_what_it_is_given(standin: DatabaseWrapper, table: DatabaseWrapper) -> None:
    operation = RunRisingWaveSQL(
        "CREATE FUNCTION twice(x int) RETURNS int LANGUAGE rust AS 'x * 2'",
        "DROP FUNCTION twice",
        standin="CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS 'SELECT x * 2'",
    )
    migrate(table, operation)
    assert run(table, "SELECT twice(4)") == [(8,)]
    migrate(table, operation, backwards=True)
    nothing = RunRisingWaveSQL("ALTER SYSTEM SET barrier_interval_ms = 100", standin=RunRisingWaveSQL.noop)
    with CaptureQueriesContext(table) as queries:
        migrate(table, nothing)
    assert not queries


def test_what_postgresql_can_not_run_is_refused_with_the_remedy(
    standin: DatabaseWrapper, table: DatabaseWrapper
) -> None:
    with pytest.raises(NotSupportedError, match="Give RunRisingWaveSQL what PostgreSQL should run instead"):
        migrate(table, RunRisingWaveSQL("CREATE SOURCE s (a int) WITH (connector = 'datagen')"))


def test_risingwave_gets_the_text_as_it_is(double: Double, table: DatabaseWrapper) -> None:
    sql = "CREATE MATERIALIZED VIEW  percent AS\n  SELECT kind FROM t WHERE kind LIKE '100%s'"
    migrate(table, RunRisingWaveSQL([sql, ("INSERT INTO t VALUES (%s, 1)", ["it's"])], standin="SELECT 1/0"))
    assert sql in double.statements
    assert "SET background_ddl = true" in double.statements
    assert "INSERT INTO t VALUES ('it''s', 1)" in double.statements


def test_nothing_is_run_on_other_databases(django_db_blocker: Any) -> None:
    failing = "SELECT 1/0"
    operation = RunRisingWaveSQL(failing, failing, standin=failing, reverse_standin=failing)
    with django_db_blocker.unblock():
        migrate(connections["default"], operation)
        migrate(connections["default"], operation, backwards=True)


def test_without_reverse_sql_it_can_not_be_reversed(table: DatabaseWrapper) -> None:
    operation = RunRisingWaveSQL("SELECT 1")
    assert not operation.reversible
    with pytest.raises(NotImplementedError):
        migrate(table, operation, backwards=True)


def test_a_migration_file_gives_the_same_operation() -> None:
    operation = RunRisingWaveSQL(VIEW, "", standin="SELECT 1", reverse_standin=[("SELECT %s", [1])])
    text, imports = OperationWriter(operation, indentation=0).serialize()
    written: dict[str, Any] = {}
    exec("\n".join(imports) + f"\nwritten = {text.rstrip().rstrip(',')}", written)
    assert written["written"].deconstruct() == operation.deconstruct()


@pytest.mark.parametrize("comment", ["", "-- A comment.\n", "/* A comment. */ "])
def test_a_view_that_postgresql_would_never_refresh_is_refused(
    standin: DatabaseWrapper, table: DatabaseWrapper, comment: str
) -> None:
    with (
        table.schema_editor() as editor,
        pytest.raises(NotSupportedError, match="would never refresh this materialized view") as error,
    ):
        RunSQL(comment + VIEW, hints=HINTS).database_forwards(LABEL, editor, ProjectState(), ProjectState())
    assert "RunRisingWaveSQL" in str(error.value)


def test_run_sql_creates_a_view_on_risingwave(double: Double, table: DatabaseWrapper) -> None:
    with table.schema_editor() as editor:
        RunSQL(VIEW, hints=HINTS).database_forwards(LABEL, editor, ProjectState(), ProjectState())
    assert run(table, "SELECT * FROM distinct_kinds") == []
