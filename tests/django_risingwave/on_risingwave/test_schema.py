"""Tables, views and columns are created, changed and described on a RisingWave server."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, NotSupportedError, models
from django.db.migrations import operations
from django.db.models import F
from django.test.utils import isolate_apps

from django_risingwave.fields import RowIdField
from django_risingwave.streaming import migration_operations
from django_risingwave.streaming.aggregates import Count
from tests.django_risingwave.models import Author, Book, Event, Everything, KindTotal
from tests.django_risingwave.table import THING, Table

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


def test_tables_and_views_are_described(tables: DatabaseWrapper) -> None:
    with tables.cursor() as cursor:
        cursor.execute("CREATE VIEW names AS SELECT name FROM django_risingwave_author")
        cursor.execute("CREATE MATERIALIZED VIEW titles AS SELECT title FROM django_risingwave_book")
        found = {table.name: table.type for table in tables.introspection.get_table_list(cursor)}
        described = tables.introspection.get_table_description(cursor, Author._meta.db_table)
        relations = tables.introspection.get_relations(cursor, Book._meta.db_table)
        constraints = tables.introspection.get_constraints(cursor, Book._meta.db_table)
    assert found.keys() == {
        *(model._meta.db_table for model in (Author, Book, Event, Everything)),
        "django_risingwave_book_readers",
        "names",
        "titles",
    }
    assert found["names"] == found["titles"] == "v"
    assert {column.name: column.null_ok for column in described} == {"id": False, "name": False}
    assert relations == {}
    assert [c["columns"] for c in constraints.values() if c["primary_key"]] == [["id"]]
    assert ["title"] in [c["columns"] for c in constraints.values() if c["index"] and not c["primary_key"]]


def test_inspectdb_writes_models_of_tables(tables: DatabaseWrapper) -> None:
    output = StringIO()
    call_command("inspectdb", database="risingwave", stdout=output)
    assert "class DjangoRisingwaveAuthor" in output.getvalue()
    compile(output.getvalue(), "models.py", "exec")


def test_inspectdb_finds_relations_of_every_kind(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    with risingwave.cursor() as cursor:
        cursor.execute("CREATE VIEW states AS SELECT state FROM orders")
        cursor.execute(
            "CREATE SOURCE clicks (page varchar) WITH (connector = 'datagen') FORMAT PLAIN ENCODE JSON"
        )
    out = StringIO()
    call_command("inspectdb", database="risingwave", stdout=out)
    module: dict[str, Any] = {"__name__": "django_risingwave.written"}
    with isolate_apps("django_risingwave"):
        exec(compile(out.getvalue(), "written.py", "exec"), module)
    bases = {
        name: module[name].__mro__[1].__name__ for name in ("Clicks", "Orders", "StateTurnover", "States")
    }
    assert bases == {
        "Clicks": "ReadOnlyModel",
        "Orders": "RisingWaveModel",
        "StateTurnover": "MaterializedView",
        "States": "ReadOnlyModel",
    }
    assert isinstance(module["Orders"]._meta.pk, RowIdField)
    for name in ("Orders", "StateTurnover", "States"):
        assert list(module[name].objects.using("risingwave")) == []


def test_an_altered_table_keeps_its_rows(connection: DatabaseWrapper) -> None:
    table = Table(connection, THING)
    table.model().bulk_create([table.model().model(name="a", amount=1), table.model().model(name="b")])
    connection.flush()
    table.apply(operations.AlterField("Thing", "amount", models.TextField(null=True)))
    table.apply(operations.RenameField("Thing", "amount", "number"))
    table.apply(operations.AddField("Thing", "added", models.IntegerField(default=7)))
    table.apply(operations.AlterModelTable("Thing", "django_risingwave_renamed"))
    connection.flush()
    assert list(table.model().order_by("name").values_list("name", "number", "added")) == [
        ("a", "1", 7),
        ("b", None, 7),
    ]
    assert any(c["columns"] == ["name"] for c in table.constraints("django_risingwave_renamed").values())
    table.apply(operations.RemoveField("Thing", "name"))
    table.apply(operations.DeleteModel("Thing"))
    assert connection.introspection.table_names() == []


def test_generated_columns_are_added_and_removed(connection: DatabaseWrapper) -> None:
    table = Table(connection, THING)
    table.model().bulk_create([table.model().model(name="a", amount=1), table.model().model(name="b")])
    connection.flush()
    double = models.GeneratedField(
        expression=F("amount") * 2, output_field=models.IntegerField(), db_persist=True
    )
    table.apply(operations.AddField("Thing", "double", double))
    table.apply(operations.AddField("Thing", "added", models.IntegerField(default=7)))
    table.model().create(name="c", added=8)
    connection.flush()
    assert list(table.model().order_by("name").values_list("name", "double", "added")) == [
        ("a", 2, 7),
        ("b", None, 7),
        ("c", None, 8),
    ]
    with pytest.raises(DatabaseError):
        table.apply(operations.RemoveField("Thing", "amount"))
    table.apply(operations.RemoveField("Thing", "double"))
    table.apply(operations.RemoveField("Thing", "amount"))


def test_a_refused_removal_keeps_the_indexes(risingwave: DatabaseWrapper) -> None:
    table = Table(risingwave, THING)
    table.apply(operations.AddField("Thing", "more", models.IntegerField(null=True, db_index=True)))
    before = table.constraints().keys()
    with risingwave.cursor() as cursor:
        cursor.execute("CREATE MATERIALIZED VIEW more AS SELECT more FROM django_risingwave_thing")
    with pytest.raises(DatabaseError):
        table.apply(operations.RemoveField("Thing", "more"))
    assert table.constraints().keys() == before
    with risingwave.cursor() as cursor:
        cursor.execute("DROP MATERIALIZED VIEW more")
    table.apply(operations.RemoveField("Thing", "more"))
    assert ["name"] in [c["columns"] for c in table.constraints().values()]


def test_a_table_that_others_use_is_not_copied(risingwave: DatabaseWrapper) -> None:
    table = Table(risingwave, THING)
    with risingwave.cursor() as cursor:
        cursor.execute("CREATE MATERIALIZED VIEW names AS SELECT name FROM django_risingwave_thing")
        cursor.execute("CREATE VIEW amounts AS SELECT amount FROM django_risingwave_thing")
        cursor.execute("CREATE SUBSCRIPTION changes FROM django_risingwave_thing WITH (retention = '1 day')")
        cursor.execute("CREATE SINK out FROM django_risingwave_thing WITH (connector = 'blackhole')")
    before = risingwave.introspection.table_names(include_views=True)
    with pytest.raises(NotSupportedError) as caught:
        table.apply(operations.AlterField("Thing", "amount", models.TextField(null=True)))
    for used_by in (
        'materialized view "names"',
        'view "amounts"',
        'subscription "changes"',
        'sink "out"',
    ):
        assert used_by in str(caught.value)
    assert risingwave.introspection.table_names(include_views=True) == before


def test_a_materialized_view_gets_an_index(risingwave: DatabaseWrapper, tables: DatabaseWrapper) -> None:
    with tables.cursor() as cursor:
        cursor.execute(
            "CREATE MATERIALIZED VIEW kind_total AS SELECT kind, count(*) AS total FROM events GROUP BY kind"
        )
    by_total = models.Index(models.F("total").desc(nulls_last=True), "kind", name="by_total")
    with tables.schema_editor() as editor:
        editor.add_index(KindTotal, by_total)
    with tables.cursor() as cursor:
        assert "by_total" in tables.introspection.get_constraints(cursor, "kind_total")
    renamed = models.Index(fields=["total"], name="by_total_and_kind")
    with tables.schema_editor() as editor:
        editor.rename_index(KindTotal, by_total, renamed)
        editor.remove_index(KindTotal, renamed)
    with tables.cursor() as cursor:
        assert "by_total_and_kind" not in tables.introspection.get_constraints(cursor, "kind_total")


def test_all_apps_migrate_forwards_and_backwards(connection: DatabaseWrapper) -> None:
    call_command("migrate", database="risingwave", verbosity=0)
    call_command("migrate", database="risingwave", verbosity=0)
    call_command("migrate", "demo_shop", "zero", database="risingwave", verbosity=0)


def test_a_materialized_view_is_created_and_dropped(tables: DatabaseWrapper) -> None:
    table = Table(tables)
    undo = table.apply(
        migration_operations.CreateMaterializedView(
            "kind_total", source="events", group_by=["kind"], measures={"total": Count()}
        )
    )
    Event.objects.bulk_create([Event(kind="a"), Event(kind="a"), Event(kind="b")])
    tables.flush()
    groups: Any = KindTotal.objects.all()
    assert {group.kind: group.total for group in groups} == {"a": 2, "b": 1}
    undo()
    assert "kind_total" not in tables.introspection.table_names(include_views=True)
