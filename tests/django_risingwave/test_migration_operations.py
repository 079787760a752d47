"""Migrations create tables and materialized views, and undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections, migrations
from django.db.migrations.operations import CreateModel, RunPython
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter, OperationWriter
from django.test.utils import CaptureQueriesContext

from django_risingwave.streaming.aggregates import Average, Count, Sum
from django_risingwave.streaming.migration_operations import (
    CreateMaterializedView,
    CreateSubscription,
    CreateTable,
)
from tests.django_risingwave.models import Event

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

LABEL = "django_risingwave"


def kind_total(**changes: Any) -> CreateMaterializedView:
    return CreateMaterializedView(
        "kind_total",
        **{"source": "events", "group_by": ["kind"], "measures": {"total": Sum("amount"), "rows": Count()}}
        | changes,
    )


def migrate(connection: Any, *operations: Any, backwards: bool = False) -> None:
    """Run the operations on a state that has the Event model."""
    state = ProjectState()
    state.add_model(ModelState.from_model(Event))
    for operation in reversed(operations) if backwards else operations:
        with connection.schema_editor() as editor:
            run = operation.database_backwards if backwards else operation.database_forwards
            run(LABEL, editor, state, state)


def test_a_table_and_a_view_over_it_come_and_go(connection: DatabaseWrapper) -> None:
    operations = [CreateTable("Event"), kind_total()]
    migrate(connection, *operations)
    Event.objects.bulk_create([Event(kind="a", amount=2), Event(kind="a", amount=3), Event(kind=None)])
    connection.flush()
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, total, rows FROM kind_total ORDER BY kind")
        assert cursor.fetchall() == [("a", 5, 2), (None, None, 1)]
    migrate(connection, *operations, backwards=True)
    assert connection.introspection.table_names(include_views=True) == []


@pytest.mark.parametrize("routers", [["django_risingwave.routers.RisingWaveRouter"], []])
def test_the_other_side_is_left_alone(django_db_blocker: Any, settings: Any, routers: list[str]) -> None:
    settings.DATABASE_ROUTERS = routers
    default = connections["default"]
    with django_db_blocker.unblock():
        migrate(default, CreateTable("Event"), kind_total(), CreateSubscription("s", source="kind_total"))
        assert not {"events", "kind_total"} & set(default.introspection.table_names(include_views=True))
        subscription = CreateSubscription("s", source="kind_total")
        migrate(default, CreateTable("Event"), kind_total(), subscription, backwards=True)


def test_without_a_row_id_column_on_risingwave(disguise: Disguise) -> None:
    migrate(disguise.connection, CreateTable("Event"), kind_total())
    table, flush, view, _ = disguise.statements
    assert table == (
        'CREATE TABLE "events" ("kind" varchar NULL, "amount" integer NULL, "weight" double precision NULL)'
    )
    assert flush == "FLUSH"
    assert view == (
        'CREATE MATERIALIZED VIEW "kind_total" AS SELECT "kind", sum(amount) AS "total", count(*) AS "rows" '
        'FROM "events" GROUP BY "kind"'
    )


def test_a_subscription_comes_and_goes_on_risingwave(disguise: Disguise) -> None:
    operation = CreateSubscription("kind_total_changes", source="kind_total", retention="12h")
    migrate(disguise.connection, operation)
    migrate(disguise.connection, operation, backwards=True)
    assert [sql for sql in disguise.statements if sql != "FLUSH"] == [
        """CREATE SUBSCRIPTION "kind_total_changes" FROM "kind_total" WITH (retention = '12h')""",
        'DROP SUBSCRIPTION "kind_total_changes"',
    ]


def test_the_stand_in_needs_no_subscription(standin: DatabaseWrapper) -> None:
    with CaptureQueriesContext(standin) as queries:
        migrate(standin, CreateSubscription("s", source="nothing"))
        migrate(standin, CreateSubscription("s", source="nothing"), backwards=True)
    assert not queries


@pytest.mark.parametrize(
    "retention",
    ["1 day", "2 days", "1D", "12h", "1 mon 15 d", "1y2mons", "90 s", "1 hour 30 minutes", " 7 d "],
)
def test_a_retention_is_what_risingwave_reads(retention: str) -> None:
    assert CreateSubscription("s", source="m", retention=retention).retention == retention


@pytest.mark.parametrize(
    "retention",
    ["", " ", "1", "day", "500ms", "1 week", "1.5 days", "-1 day", "0 days", "1 day'", "01:00:00"],
)
def test_any_other_retention_is_refused(retention: str) -> None:
    with pytest.raises(ValueError, match="Subscription 's' needs a retention that RisingWave reads"):
        CreateSubscription("s", source="m", retention=retention)


def test_sqlmigrate_shows_the_stand_in_and_makes_none(standin: DatabaseWrapper) -> None:
    migrate(standin, CreateTable("Event"))
    with standin.schema_editor(collect_sql=True) as editor:
        kind_total().database_forwards(LABEL, editor, ProjectState(), ProjectState())
    (sql,) = editor.collected_sql
    assert 'CREATE VIEW public."kind_total"' in sql
    assert standin.introspection.table_names(include_views=True) == ["events"]


def test_a_migration_file_says_what_was_said() -> None:
    operations = [
        CreateTable("Event"),
        kind_total(measures={"a": Sum("(x * y)::numeric"), "b": Average("x"), "c": Count(), "d": Count("x")}),
        CreateSubscription("s", source="kind_total", retention="12h"),
    ]
    texts = []
    for operation in operations:
        text, imports = OperationWriter(operation, indentation=0).serialize()
        texts.append(text)
        written: dict[str, Any] = {}
        exec("\n".join(imports) + f"\nwritten = {text.rstrip().rstrip(',')}", written)
        for name in ("name", "model_name", "source", "group_by", "measures", "retention"):
            assert getattr(written["written"], name, None) == getattr(operation, name, None)
    assert "django_risingwave.streaming.aggregates.Count('*')" in texts[1]
    migration = type("Migration", (migrations.Migration,), {"operations": operations})("0001_x", LABEL)
    assert (
        "django_risingwave.streaming.migration_operations.CreateTable("
        in MigrationWriter(migration).as_string()
    )


def test_operations_have_names_and_descriptions() -> None:
    operations = [
        CreateTable("Event"),
        kind_total(),
        CreateSubscription("kind_changes", source="kind_total"),
    ]
    migration = type("Migration", (migrations.Migration,), {"operations": operations})("0001_x", LABEL)
    assert migration.suggest_name() == "event_table_kind_total_kind_changes"
    assert [operation.formatted_description() for operation in operations] == [
        "+ Create the table of unmanaged model Event",
        "+ Create materialized view kind_total",
        "+ Create subscription kind_changes",
    ]
    assert all(operation.reversible for operation in operations)


def test_squashing_keeps_a_model_ahead_of_its_table() -> None:
    create = CreateModel("Event", [], {"managed": False})
    rename = migrations.RenameModel("Event", "Happening")
    operations = [create, CreateTable("Event"), rename, kind_total(), RunPython(RunPython.noop)]
    assert MigrationOptimizer().optimize(operations, LABEL) == operations


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_by": []}, "needs at least one column to group by, and one measure"),
        ({"measures": {}}, "needs at least one column to group by, and one measure"),
        ({"measures": {"kind": Count()}}, "names a column twice: kind, kind"),
        ({"group_by": ["kind", "kind"]}, "names a column twice: kind, kind, total, rows"),
    ],
)
def test_a_view_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"Materialized view 'kind_total' {message}"):
        kind_total(**changes)


@pytest.mark.parametrize("aggregate", [Sum, Average, Count])
def test_an_aggregate_needs_an_expression(aggregate: type[Sum | Average | Count]) -> None:
    with pytest.raises(ValueError, match=f"{aggregate.__name__}\\(\\) needs an SQL expression"):
        aggregate(" ")
