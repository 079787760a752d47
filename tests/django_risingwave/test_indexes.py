"""Indexes are created where they are asked for, and don't stand in the way of RemoveField."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.core.management.sql import emit_pre_migrate_signal
from django.db import DatabaseError, models
from django.db.migrations import Migration, operations
from django.db.migrations.state import ModelState, ProjectState

from django_risingwave.streaming import migration_operations
from django_risingwave.streaming.aggregates import Count
from django_risingwave.tables import index_operations
from tests.django_risingwave.table import LABEL, THING, VENDOR, Table

if TYPE_CHECKING:
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

PLACE = ModelState(
    LABEL,
    "Place",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("slug", models.SlugField()),
        ("code", models.CharField(max_length=5, db_index=True)),
        ("parent", models.ForeignKey(f"{LABEL}.Place", models.CASCADE)),
        ("area", models.ForeignKey(f"{LABEL}.Place", models.CASCADE, related_name="+")),
        ("near", models.ManyToManyField(f"{LABEL}.Place")),
    ],
    {**VENDOR, "indexes": [models.Index(fields=["area"], name="by_area")]},
)


def indexed(table: Table, name: str = "django_risingwave_thing") -> list[list[str]]:
    constraints = table.constraints(name).values()
    return sorted(c["columns"] for c in constraints if c["index"] and not c["primary_key"])


def test_a_column_is_indexed_only_on_demand(standin: DatabaseWrapper, both_servers: Disguise | None) -> None:
    table = Table(standin, PLACE)
    assert indexed(table, "django_risingwave_place") == [["area_id"], ["code"]]
    assert indexed(table, "django_risingwave_place_near") == []


@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        ("name", models.SlugField(max_length=9), []),
        ("name", models.CharField(max_length=9, db_index=True), [["name"]]),
        ("amount", models.ForeignKey(f"{LABEL}.Thing", models.CASCADE, db_column="amount"), [["name"]]),
        ("amount", models.IntegerField(null=True, db_index=True), [["amount"], ["name"]]),
    ],
)
def test_a_field_that_replaces_another_is_indexed_only_on_demand(
    thing: Table, name: str, field: models.Field[Any, Any], expected: list[list[str]]
) -> None:
    thing.model().all().delete()
    undo = thing.apply(operations.AlterField("Thing", name, field))
    assert indexed(thing) == expected
    undo()
    assert indexed(thing) == [["name"]]


# Views ----------------------------------------------------------------------------------------------------

UNMANAGED = {"managed": False}
BY_TOTAL = models.Index(models.F("total").desc(nulls_last=True), "kind", name="by_total")
VIEW = ModelState(
    LABEL,
    "KindTotal",
    [("kind", models.TextField(primary_key=True)), ("total", models.BigIntegerField())],
    {**VENDOR, "managed": False, "db_table": "kind_total"},
)


MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "KindTotal",
            [("kind", models.TextField(primary_key=True)), ("total", models.BigIntegerField())],
            {"required_db_vendor": "risingwave", "managed": False, "db_table": "kind_total"},
        ),
        migrations.AddIndex("KindTotal", models.Index(fields=["total"], name="by_total")),
    ]
"""
CHANGES = [
    operations.AddIndex("KindTotal", BY_TOTAL),
    operations.RenameIndex("KindTotal", new_name="by_total_and_kind", old_name="by_total"),
    operations.RemoveIndex("KindTotal", "by_total_and_kind"),
]


def planned(using: str, *changes: Any) -> Any:
    """Return a migration of these operations of Django, as `migrate` is about to apply it."""
    migration: Any = Migration("changes", LABEL)
    migration.operations[:] = changes
    emit_pre_migrate_signal(0, False, using, plan=[(migration, False)])
    return migration


def migrate(table: Table, *changes: Any, backwards: bool = False) -> None:
    """Apply these operations as `migrate` does, and if wanted, unapply them again."""
    migration, before = planned("risingwave", *changes), table.state
    with table.connection.schema_editor() as editor:
        table.state = migration.apply(before.clone(), editor)
    if backwards:
        with table.connection.schema_editor() as editor:
            table.state = migration.unapply(before.clone(), editor)


def test_a_materialized_view_gets_an_index(standin: DatabaseWrapper, disguise: Disguise) -> None:
    table = Table(standin, VIEW)
    with standin.cursor() as cursor:
        cursor.execute("CREATE MATERIALIZED VIEW kind_total AS SELECT 'a'::varchar AS kind, 1 AS total")
    disguise.statements.clear()
    migrate(table, *CHANGES)
    create = 'CREATE INDEX "by_total" ON "kind_total" ("total" DESC NULLS LAST, "kind")'
    assert [sql for sql in disguise.statements if sql != "FLUSH"] == [
        create,
        'ALTER INDEX "by_total" RENAME TO "by_total_and_kind"',
        'DROP INDEX IF EXISTS "by_total_and_kind"',
    ]
    disguise.statements.clear()
    migrate(table, CHANGES[0], backwards=True)
    assert [sql for sql in disguise.statements if sql != "FLUSH"] == [
        create,
        'DROP INDEX IF EXISTS "by_total"',
    ]


def test_the_command_migrate_creates_an_index_of_a_view(
    standin: DatabaseWrapper,
    disguise: Disguise,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "index_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "0001_initial.py").write_text(MIGRATION)
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {LABEL: "index_migrations"}
    settings.DATABASE_ROUTERS = []
    with standin.cursor() as cursor:
        cursor.execute("CREATE MATERIALIZED VIEW kind_total AS SELECT 'a'::varchar AS kind, 1 AS total")
    disguise.statements.clear()
    call_command("migrate", LABEL, database="risingwave", verbosity=0)
    assert 'CREATE INDEX "by_total" ON "kind_total" ("total")' in disguise.statements


def test_the_stand_in_of_a_view_gets_none_and_says_so(
    standin: DatabaseWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    table = Table(standin, THING, VIEW)
    table.apply(
        migration_operations.CreateMaterializedView(
            "kind_total", source="django_risingwave_thing", group_by=["name"], measures={"total": Count()}
        )
    )
    migrate(table, *CHANGES)
    assert {record.getMessage() for record in caplog.records} == {
        f"index {name}: ignored, because the stand-in of materialized view kind_total can't have indexes"
        for name in ("by_total", "by_total_and_kind")
    }


def test_a_table_of_an_unmanaged_model_gets_an_index(standin: DatabaseWrapper) -> None:
    table = Table(standin, THING, VIEW)
    table.apply(migration_operations.CreateTable("KindTotal"))
    migrate(table, operations.AddIndex("KindTotal", models.Index(fields=["total"], name="by_total")))
    assert indexed(table, "kind_total") == [["total"]]


def test_unmanaged_models_of_other_databases_get_none(standin: DatabaseWrapper) -> None:
    state = ProjectState()
    state.add_model(ModelState(LABEL, "Other", [("id", models.IntegerField(primary_key=True))], UNMANAGED))
    add = index_operations.AddIndex("Other", models.Index(fields=["id"], name="by_id"))
    migration = planned("default", operations.AddIndex("Other", add.index))
    assert type(migration.operations[0]) is operations.AddIndex
    model = state.apps.get_model(LABEL, "Other")
    assert not add.allow_migrate_model("default", model)


# A removed column ------------------------------------------------------------------------------------------


def add_indexes(thing: Table) -> None:
    for index in (
        models.Index(fields=["amount", "name"], name="both"),
        models.Index(fields=["name"], include=["name"], name="one"),
    ):
        thing.apply(operations.AddIndex("Thing", index))


def test_indexes_that_store_a_removed_column_are_made_again_without_it(
    standin: DatabaseWrapper, disguise: Disguise
) -> None:
    thing = Table(standin, THING)
    add_indexes(thing)
    disguise.statements.clear()
    thing.apply(operations.RemoveField("Thing", "amount"))
    assert [sql for sql in disguise.statements if "INDEX" in sql or "DROP" in sql] == [
        # With the column among its keys, and with all columns because it has no INCLUDE.
        'DROP INDEX IF EXISTS "both"',
        'DROP INDEX IF EXISTS "django_risingwave_thing_name_208819fd"',
        'ALTER TABLE "django_risingwave_thing" DROP COLUMN "amount"',
        "CREATE INDEX django_risingwave_thing_name_208819fd ON public.django_risingwave_thing (name)",
    ]
    assert indexed(thing) == [["name"], ["name", "name"]]


def test_a_refused_removal_leaves_the_table_as_it_was(thing: Table) -> None:
    add_indexes(thing)
    before = indexed(thing)
    with thing.connection.cursor() as cursor:
        cursor.execute("CREATE VIEW amounts AS SELECT amount FROM django_risingwave_thing")
    with pytest.raises(DatabaseError):
        thing.apply(operations.RemoveField("Thing", "amount"))
    assert "amount" in thing.columns()
    assert indexed(thing) == before
    with thing.connection.cursor() as cursor:
        cursor.execute("DROP VIEW amounts")
    thing.apply(operations.RemoveField("Thing", "amount"))
    assert "amount" not in thing.columns()
