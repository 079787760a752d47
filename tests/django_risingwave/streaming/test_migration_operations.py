"""Migrations create tables, materialized views and subscriptions, and drop them when reversed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import ProgrammingError, connections, migrations
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.operations import AlterModelOptions, CreateModel, RunPython
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter, OperationWriter
from django.test.utils import CaptureQueriesContext

from django_risingwave.streaming.aggregates import Average, Count, Sum
from django_risingwave.streaming.migration_operations import CreateSubscription, CreateTable, DropSubscription
from tests.django_risingwave.models import Event
from tests.django_risingwave.streaming.migrating import LABEL, kind_total, migrate

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise


def test_a_table_and_a_view_over_it_are_created_and_dropped(connection: DatabaseWrapper) -> None:
    operations = [CreateTable("Event"), kind_total()]
    migrate(connection, *operations)
    Event.objects.bulk_create([Event(kind="a", amount=2), Event(kind="a", amount=3), Event(kind=None)])
    connection.flush()
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, total, rows FROM kind_total ORDER BY kind")
        assert cursor.fetchall() == [("a", 5, 2), (None, None, 1)]
    migrate(connection, *operations, backwards=True)
    assert connection.introspection.table_names(include_views=True) == []


def test_the_model_of_a_created_table_becomes_managed_without_sql(standin: DatabaseWrapper) -> None:
    """docs/backend/migrations.md: from then on Django alters the table."""
    before = ProjectState()
    before.add_model(ModelState.from_model(Event))
    migrate(standin, CreateTable("Event"))
    after = before.clone()
    del after.models[LABEL, "event"].options["managed"]
    detector = MigrationAutodetector(before, after, MigrationQuestioner(specified_apps={LABEL}))
    (migration,) = detector.changes(MigrationGraph())[LABEL]
    (operation,) = migration.operations
    assert isinstance(operation, AlterModelOptions)
    with CaptureQueriesContext(standin) as queries, standin.schema_editor() as editor:
        operation.database_forwards(LABEL, editor, before, after)
    assert not queries
    assert after.apps.get_model(LABEL, "event")._meta.can_migrate(standin)


@pytest.mark.parametrize("routers", [["django_risingwave.routers.RisingWaveRouter"], []])
def test_operations_do_nothing_on_other_databases(
    django_db_blocker: Any, settings: Any, routers: list[str]
) -> None:
    settings.DATABASE_ROUTERS = routers
    default = connections["default"]
    operations = [CreateTable("Event"), kind_total(), CreateSubscription("s", source="kind_total")]
    with django_db_blocker.unblock():
        migrate(default, *operations)
        assert not {"events", "kind_total"} & set(default.introspection.table_names(include_views=True))
        migrate(default, *operations, backwards=True)


def _changes(disguise: Disguise) -> list[str]:
    """Return the statements that don't only read the catalog."""
    return [sql for sql in disguise.statements if not sql.lstrip().startswith("SELECT")]


def test_risingwave_is_sent_a_table_without_row_id_and_a_materialized_view(disguise: Disguise) -> None:
    migrate(disguise.connection, CreateTable("Event"), kind_total())
    table, flush, background, view, foreground, _ = _changes(disguise)
    assert (background, foreground) == ("SET background_ddl = true", "SET background_ddl = false")
    assert table == (
        'CREATE TABLE "events" ("kind" varchar NULL, "amount" integer NULL, "weight" double precision NULL)'
    )
    assert flush == "FLUSH"
    assert view == (
        'CREATE MATERIALIZED VIEW "kind_total" AS SELECT "kind", sum(amount) AS "total", count(*) AS "rows" '
        'FROM "events" GROUP BY "kind"'
    )
    disguise.statements.clear()
    migrate(disguise.connection, kind_total(), backwards=True)
    assert _changes(disguise)[0] == 'DROP MATERIALIZED VIEW "kind_total"'


def test_the_limits_of_the_stand_in_are_not_those_of_risingwave(disguise: Disguise) -> None:
    """A name too long for the stand-in's triggers, and a view as the source of another."""
    name = "v" * 60
    operations = [
        CreateTable("Event"),
        kind_total(name=name),
        kind_total(name="over_a_view", source=name, measures={"kinds": Count()}),
        kind_total(name="floats", measures={"weight": Sum("weight")}),
    ]
    migrate(disguise.connection, *operations)
    views = disguise.connection.introspection.table_names(include_views=True)
    assert {name, "over_a_view", "floats"} <= set(views)
    migrate(disguise.connection, *operations, backwards=True)


def test_a_subscription_is_created_and_dropped_on_risingwave(disguise: Disguise) -> None:
    operation = CreateSubscription("kind_total_changes", source="kind_total", retention="12h")
    migrate(disguise.connection, CreateTable("Event"), kind_total())
    disguise.statements.clear()
    migrate(disguise.connection, operation)
    migrate(disguise.connection, operation, backwards=True)
    assert [sql for sql in _changes(disguise) if sql != "FLUSH"] == [
        """CREATE SUBSCRIPTION "kind_total_changes" FROM "kind_total" WITH (retention = '12h')""",
        'DROP SUBSCRIPTION "kind_total_changes"',
    ]


def test_a_subscription_is_dropped_if_there_is_one_and_created_again_on_reversal(disguise: Disguise) -> None:
    create = CreateSubscription("kind_total_changes", source="kind_total", retention="12h")
    drop = DropSubscription("kind_total_changes", source="kind_total", retention="12h")
    migrate(disguise.connection, CreateTable("Event"), kind_total(), create, drop, drop)
    migrate(disguise.connection, drop, drop, backwards=True)
    created = """CREATE SUBSCRIPTION "kind_total_changes" FROM "kind_total" WITH (retention = '12h')"""
    dropped = 'DROP SUBSCRIPTION "kind_total_changes"'
    assert [sql for sql in disguise.statements if " SUBSCRIPTION " in sql] == [created, dropped, created]
    migrate(disguise.connection, create, backwards=True)


def test_the_stand_in_keeps_subscriptions_which_can_be_created_and_dropped(standin: DatabaseWrapper) -> None:
    def subscriptions() -> dict[str, str]:
        with standin.cursor() as cursor:
            return standin.introspection.get_subscription_sources(cursor)

    migrate(standin, CreateTable("Event"))
    for retention in ("1 day", "1 mon 15 d", "1y2mons", "12h", "90 s", "1 hour 30 minutes"):
        create = CreateSubscription("s", source="events", retention=retention)
        migrate(standin, create)
        assert subscriptions() == {"s": "events"}
        migrate(standin, create, backwards=True)
        assert subscriptions() == {}
    # Earlier versions have created nothing.
    migrate(standin, create, backwards=True)
    drop = DropSubscription("s", source="events")
    migrate(standin, drop)
    migrate(standin, drop, backwards=True)
    assert subscriptions() == {"s": "events"}
    with pytest.raises(ProgrammingError, match="nothing"):
        migrate(standin, CreateSubscription("t", source="nothing"))


@pytest.mark.parametrize(
    "retention",
    ["1 day", "2 days", "1D", "12h", "1 mon 15 d", "1y2mons", "90 s", "1 hour 30 minutes", " 7 d "],
)
def test_a_retention_that_risingwave_reads_is_accepted(retention: str) -> None:
    subscription = CreateSubscription("s", source="m", retention=retention).definition
    assert f"(retention = '{retention}')" in subscription.create_sql(str)


@pytest.mark.parametrize(
    "retention",
    ["", " ", "1", "day", "500ms", "1 week", "1.5 days", "-1 day", "0 days", "1 day'", "01:00:00"],
)
def test_any_other_retention_is_refused_with_its_value(retention: str) -> None:
    with pytest.raises(ValueError, match="The retention of subscription 's' must be") as error:
        CreateSubscription("s", source="m", retention=retention)
    assert f"not {retention!r}." in str(error.value)


def test_sqlmigrate_shows_the_sql_of_the_stand_in_and_runs_none(standin: DatabaseWrapper) -> None:
    migrate(standin, CreateTable("Event"))
    with standin.schema_editor(collect_sql=True) as editor:
        kind_total().database_forwards(LABEL, editor, ProjectState(), ProjectState())
    (sql,) = editor.collected_sql
    assert 'CREATE VIEW "public"."kind_total"' in sql
    assert standin.introspection.table_names(include_views=True) == ["events"]


def test_a_migration_file_gives_the_same_operations() -> None:
    operations: list[Any] = [
        CreateTable("Event"),
        kind_total(measures={"a": Sum("(x * y)::numeric"), "b": Average("x"), "c": Count(), "d": Count("x")}),
        CreateSubscription("s", source="kind_total", retention="12h"),
        DropSubscription("s", source="kind_total", retention="12h"),
    ]
    texts = []
    for operation in operations:
        text, imports = OperationWriter(operation, indentation=0).serialize()
        texts.append(text)
        written: dict[str, Any] = {}
        exec("\n".join(imports) + f"\nwritten = {text.rstrip().rstrip(',')}", written)
        assert type(written["written"]) is type(operation)
        for name in ("model_name", "definition"):
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


def test_squashing_keeps_a_model_before_its_table() -> None:
    create = CreateModel("Event", [], {"managed": False})
    rename = migrations.RenameModel("Event", "Happening")
    operations = [create, CreateTable("Event"), rename, kind_total(), RunPython(RunPython.noop)]
    assert MigrationOptimizer().optimize(operations, LABEL) == operations


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_by": []}, "needs at least one column to group by, and one measure"),
        ({"measures": {}}, "needs at least one column to group by, and one measure"),
        ({"measures": {"kind": Count()}}, "has two columns of the same name: kind, kind"),
        ({"group_by": ["kind", "kind"]}, "has two columns of the same name: kind, kind, total, rows"),
    ],
)
def test_a_view_without_columns_or_with_two_of_a_name_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"Materialized view 'kind_total' {message}"):
        kind_total(**changes)


@pytest.mark.parametrize("aggregate", [Sum, Average, Count])
def test_an_aggregate_without_an_expression_is_refused(aggregate: type[Sum | Average | Count]) -> None:
    with pytest.raises(ValueError, match=f"{aggregate.__name__}\\(\\) needs an SQL expression"):
        aggregate(" ")
