"""Operations on models whose relation is declared, forwards and backwards, on both servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import FieldError
from django.db import NotSupportedError, connections, models
from django.db.migrations import Migration
from django.db.migrations.operations import AddIndex, RunPython
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.state import ProjectState

from django_risingwave.streaming.migration_operations import CreateSubscription
from django_risingwave.streaming.model_operations import (
    AlterStreamingModels,
    CreateStreamingModel,
)
from tests.django_risingwave.streaming.detecting import LABEL, operations, state_of, table, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

pytestmark = pytest.mark.risingwave

SALES = table("Sales", kind=models.CharField(max_length=10), amount=models.IntegerField(null=True))
TOTALS = "SELECT kind, sum(amount) AS total FROM sales GROUP BY kind"


def total(query: str = TOTALS, **more: Any) -> type[models.Model]:
    return view("Total", query, total=models.BigIntegerField(null=True), **more)


class Project:
    """The state of a project, and its database."""

    def __init__(self, connection: DatabaseWrapper) -> None:
        self.connection = connection
        self.states = [ProjectState()]
        self.done: list[Any] = []

    def become(self, *declared: type[models.Model]) -> list[Any]:
        """Run what makemigrations writes for these models, and return it."""
        found = operations(self.states[-1], *declared)
        for operation in found:
            self.apply(operation)
        return found

    def apply(self, operation: Any) -> None:
        before, after = self.states[-1], self.states[-1].clone()
        operation.state_forwards(LABEL, after)
        with self.connection.schema_editor() as editor:
            operation.database_forwards(LABEL, editor, before, after)
        self.states.append(after)
        self.done.append(operation)

    def undo(self) -> None:
        after, before = self.states.pop(), self.states[-1]
        with self.connection.schema_editor() as editor:
            self.done.pop().database_backwards(LABEL, editor, after, before)

    def kinds(self) -> dict[str, str]:
        with self.connection.cursor() as cursor:
            kinds = self.connection.introspection.get_relation_kinds(cursor)
        return {name: kind for name, kind in kinds.items() if not name.startswith("pg_")}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        self.connection.flush()
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return sorted(cursor.fetchall())


@pytest.fixture
def project(connection: DatabaseWrapper) -> Project:
    project = Project(connection)
    project.become(SALES)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO sales (id, kind, amount) VALUES (1, 'a', 2), (2, 'a', 3), (3, 'b', NULL)")
    return project


def test_a_view_follows_its_table_until_it_is_dropped(project: Project) -> None:
    project.become(SALES, total())
    assert project.rows("SELECT kind, total FROM total") == [("a", 5), ("b", None)]
    project.become(SALES)
    assert project.kinds() == {"sales": "table"}


def test_each_operation_is_reversed(project: Project) -> None:
    project.become(SALES, total(subscription="1 day"))
    project.become(SALES)
    for _ in range(2):
        project.undo()
    assert project.kinds() == {"sales": "table", "total": "materialized view"}
    assert project.rows("SELECT kind, total FROM total") == [("a", 5), ("b", None)]
    for _ in range(2):
        project.undo()
    assert project.kinds() == {"sales": "table"}


def test_a_chain_of_views_is_created_and_dropped(project: Project) -> None:
    chain = [view("A", "SELECT kind FROM b"), view("B", "SELECT kind FROM total WHERE total > 1"), total()]
    project.become(SALES, *chain)
    assert project.rows("SELECT kind FROM a") == [("a",)]
    project.become(SALES)
    assert project.kinds() == {"sales": "table"}


def test_a_changed_field_sends_no_sql(project: Project) -> None:
    project.become(SALES, total())
    changed = view("Total", TOTALS, total=models.BigIntegerField("sum", null=True))
    with project.connection.execute_wrapper(_refuse):
        (alter,) = project.become(SALES, changed)
    assert type(alter) is AlterStreamingModels


def _refuse(execute: Any, sql: str, *args: Any) -> Any:
    if sql != "FLUSH":
        raise AssertionError(f"sent: {sql}")
    return execute(sql, *args)


def test_an_interrupted_migration_can_be_run_again(project: Project) -> None:
    """RisingWave rolls nothing back."""
    found = operations(project.states[-1], SALES, total(subscription="1 day"))
    for operation in found:
        project.apply(operation)
    project.states, project.done = project.states[:2], []
    project.become(SALES, total(subscription="1 day"))
    assert project.rows("SELECT kind, total FROM total") == [("a", 5), ("b", None)]


def test_a_name_of_another_kind_of_object_is_refused(project: Project) -> None:
    with pytest.raises(NotSupportedError, match="view 'sales' can't be created: there is a table"):
        project.become(SALES, view("Other", "SELECT kind FROM nothing", db_table="sales"))


def test_a_view_that_others_have_made_is_adopted_and_stays_when_reversed(project: Project) -> None:
    project.become(SALES, total())
    project.states[-1].models[LABEL, "total"].definition = None
    project.become(SALES, total())
    project.undo()
    assert project.rows("SELECT kind, total FROM total") == [("a", 5), ("b", None)]


def test_fields_that_do_not_fit_the_select_are_refused_before_anything_is_created(project: Project) -> None:
    with pytest.raises(FieldError, match="total"):
        project.become(SALES, total("SELECT kind, kind AS total FROM sales"))
    assert project.kinds() == {"sales": "table"}


def test_text_that_looks_like_a_parameter_is_sent_as_it_is(project: Project) -> None:
    query = "SELECT kind || ' 100 %s %% {} ''x''' AS kind FROM sales"
    project.become(SALES, view("A", query))
    assert project.rows("SELECT DISTINCT kind FROM a") == [("a 100 %s %% {} 'x'",), ("b 100 %s %% {} 'x'",)]


@pytest.mark.parametrize("routers", [["django_risingwave.routers.RisingWaveRouter"], []])
def test_operations_do_nothing_on_other_databases(
    django_db_blocker: Any, settings: Any, routers: Sequence[str]
) -> None:
    settings.DATABASE_ROUTERS = routers
    create, alter, delete = _history()
    state = state_of(SALES)
    with django_db_blocker.unblock(), connections["default"].schema_editor() as editor:
        for operation in (create, alter, delete):
            before, state = state, state.clone()
            operation.state_forwards(LABEL, state)
            operation.database_forwards(LABEL, editor, before, state)
        assert "total" not in editor.connection.introspection.table_names(include_views=True)


def _history() -> list[Any]:
    (create,) = operations(state_of(SALES), SALES, total())
    (alter,) = operations(state_of(SALES, total()), SALES, total(TOTALS + " HAVING true"))
    (delete,) = operations(state_of(SALES, total()), SALES)
    return [create, alter, delete]


def test_an_index_that_an_interruption_has_left_out_is_created(disguise: Disguise) -> None:
    project = Project(disguise.connection)
    project.become(SALES, total())
    indexed = total(indexes=[models.Index(fields=["total"], name="by_total")])
    (create,) = operations(project.states[1], SALES, indexed)
    project.states = project.states[:2]
    project.apply(create)
    project.states = project.states[:2]
    project.apply(create)
    assert [sql for sql in disguise.statements if sql.startswith("CREATE INDEX")] == [
        'CREATE INDEX "by_total" ON "total" ("total")'
    ]


def test_the_optimizer_moves_nothing_past_a_streaming_model() -> None:
    create, alter, delete = _history()
    optimizer = MigrationOptimizer()
    others = [RunPython(RunPython.noop), CreateSubscription("s", source="total")]
    for kept in ([create, alter, delete], [create, *others, delete]):
        assert optimizer.optimize(kept, LABEL) == kept
    assert optimizer.optimize([create, delete], LABEL) == []
    index = models.Index(fields=["total"], name="by_total")
    (indexed,) = optimizer.optimize([create, AddIndex("Total", index)], LABEL)
    assert isinstance(indexed, CreateStreamingModel)
    assert indexed.definition == create.definition
    assert indexed.options["indexes"] == [index]


def test_sqlmigrate_shows_the_statements(disguise: Disguise) -> None:
    create, _, delete = _history()
    migration = type("Migration", (Migration,), {"operations": [create, delete]})("0001", LABEL)
    with disguise.connection.schema_editor(collect_sql=True) as editor:
        migration.apply(state_of(SALES), editor, collect_sql=True)
    sql = [line for line in editor.collected_sql if not line.startswith("--")]
    assert sql == [f'CREATE MATERIALIZED VIEW "total" AS {TOTALS};', 'DROP MATERIALIZED VIEW "total";']
    comments = [line for line in editor.collected_sql if line.startswith("-- ") and len(line) > 3]
    assert comments == ["-- Create materialized view total (model Total)", "-- Delete model Total"]


def test_a_changed_view_is_replaced_and_replaced_again_when_reversed(project: Project) -> None:
    project.become(SALES, total())
    (alter,) = project.become(SALES, total("SELECT kind, count(*) AS total FROM sales GROUP BY kind"))
    assert type(alter) is AlterStreamingModels
    assert project.rows("SELECT kind, total FROM total") == [("a", 2), ("b", 1)]
    project.undo()
    assert project.rows("SELECT kind, total FROM total") == [("a", 5), ("b", None)]


def test_comments_and_semicolons_around_a_query_do_no_harm(project: Project) -> None:
    project.become(SALES, total(f"\n  {TOTALS} -- by kind"), view("B", "SELECT kind FROM sales;\n"))
    assert project.rows("SELECT kind, total FROM total") == [("a", 5), ("b", None)]
    project.become(SALES, total(f"/* all */ {TOTALS} HAVING true -- by kind"))
    assert project.rows("SELECT kind, total FROM total") == [("a", 5), ("b", None)]


def test_a_renamed_view_keeps_its_rows(project: Project) -> None:
    project.become(SALES, total())
    project.become(SALES, total(db_table="sums"))
    assert project.rows("SELECT kind, total FROM sums") == [("a", 5), ("b", None)]
    project.undo()
    assert project.rows("SELECT kind, total FROM total") == [("a", 5), ("b", None)]
