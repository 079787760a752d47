"""Tables are created and altered with SQL that both servers accept, and keep their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.management.color import no_style
from django.db import DatabaseError, NotSupportedError, ProgrammingError, models
from django.db.migrations import operations
from django.db.migrations.state import ModelState, ProjectState
from django.db.models.functions import Random

from django_risingwave.fields import RowIdField
from tests.django_risingwave.models import Author, Book, Everything
from tests.django_risingwave.table import LABEL, THING, VENDOR, Table, rows

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double
    from tests.django_risingwave.conftest import Disguise


def test_every_field_has_a_type_that_risingwave_supports(disguise: Disguise) -> None:
    with disguise.connection.schema_editor() as editor:
        for model in (Author, Book, Everything):
            editor.create_model(model)
    with disguise.connection.schema_editor() as editor:
        for model in (Book, Everything, Author):
            editor.delete_model(model)
    assert disguise.rejected() == []
    assert (
        'CREATE TABLE "django_risingwave_everything" ("id" bigint NOT NULL PRIMARY KEY, "binary" bytea NULL, '
        '"boolean" boolean NULL, "date" date NULL, "datetime" timestamp with time zone NULL, '
        '"decimal" numeric NULL, "duration" interval NULL, "email" varchar NULL, '
        '"float" double precision NULL, "ip" varchar NULL, "json" jsonb NULL, "positive" integer NULL, '
        '"slug" varchar NULL, "small" smallint NULL, "text" text NULL, "time" time NULL, "uuid" varchar NULL)'
    ) in disguise.statements
    assert (
        'CREATE TABLE "django_risingwave_book_readers" ("id" bigint NOT NULL PRIMARY KEY, '
        '"book_id" bigint NOT NULL, "author_id" bigint NOT NULL)'
    ) in disguise.statements
    indexes = [sql for sql in disguise.statements if sql.startswith("CREATE INDEX")]
    assert (
        'CREATE INDEX "small_positive" ON "django_risingwave_everything" ("small", "positive" DESC)'
        in indexes
    )
    # The other one is on the title, with db_index=True.
    assert len(indexes) == 2


def test_a_table_that_an_interrupted_migration_has_created_is_kept(
    double: Double, standin: DatabaseWrapper
) -> None:
    name = models.CharField(max_length=5, db_index=True)
    fields: list[tuple[str, Any]] = [("row_id", RowIdField()), ("name", name)]
    create = operations.CreateModel("Line", fields, VENDOR)
    table = Table(standin)
    table.apply(create)
    table.state = ProjectState()
    undo = table.apply(create)
    undo()
    undo()
    assert sum(sql.startswith("CREATE TABLE") for sql in double.statements) == 1


def test_a_column_that_an_interrupted_migration_has_added_is_kept(
    double: Double, standin: DatabaseWrapper
) -> None:
    table = Table(standin)
    fields: list[tuple[str, Any]] = [("row_id", RowIdField()), ("name", models.TextField(null=True))]
    undo_table = table.apply(operations.CreateModel("Line", fields, VENDOR))
    before = table.state
    note = models.CharField(max_length=5, null=True, db_index=True)
    table.apply(operations.AddField("Line", "note", note))
    table.state = before
    undo_column = table.apply(operations.AddField("Line", "note", note))
    assert sum("ADD COLUMN" in sql for sql in double.statements) == 1
    assert sum(sql.startswith("CREATE INDEX") for sql in double.statements) == 1
    table.state = before
    with pytest.raises(DatabaseError, match="already exists"):
        table.apply(operations.AddField("Line", "note", models.IntegerField(null=True)))
    undo_column()
    undo_table()


def test_a_table_whose_name_is_quoted_already_is_dropped(standin: DatabaseWrapper) -> None:
    options = {**VENDOR, "db_table": '"Lines"'}
    table = Table(standin)
    undo = table.apply(
        operations.CreateModel("Line", [("id", models.IntegerField(primary_key=True))], options)
    )
    undo()
    assert table.columns("Lines") == {}


def test_a_table_with_other_columns_is_refused(thing: Table) -> None:
    fields = [*THING.fields.items(), ("note", models.TextField(null=True))]
    thing.state = ProjectState()
    with pytest.raises(ProgrammingError, match="already exists"):
        thing.apply(operations.CreateModel(THING.name, fields, THING.options))


def test_a_column_is_added(thing: Table) -> None:
    undo = thing.apply(operations.AddField("Thing", "note", models.TextField(null=True)))
    assert thing.columns()["note"] == ("text", True)
    undo()
    assert "note" not in thing.columns()


@pytest.mark.parametrize("null", [True, False])
def test_a_new_column_has_its_default_in_existing_rows(thing: Table, null: bool) -> None:
    thing.apply(operations.AddField("Thing", "count", models.IntegerField(default=7, null=null)))
    assert rows(thing, "name", "count") == [("a", 7), ("b", 7)]
    assert thing.columns()["count"] == ("integer", null)


def test_a_new_not_null_column_needs_no_default_in_an_empty_table(thing: Table) -> None:
    model = thing.model()
    model.all().delete()
    thing.connection.flush()
    undo = thing.apply(operations.AddField("Thing", "size", models.IntegerField()))
    assert thing.columns()["size"] == ("integer", False)
    undo()
    assert "size" not in thing.columns()


def test_a_random_default_is_refused(thing: Table) -> None:
    with pytest.raises(NotSupportedError, match="must be a constant expression or Now"):
        thing.apply(operations.AddField("Thing", "size", models.FloatField(db_default=Random())))


def test_a_column_is_removed_with_its_index(thing: Table) -> None:
    thing.apply(operations.RemoveField("Thing", "name"))
    assert list(thing.columns()) == ["id", "amount"]
    assert [c for c in thing.constraints().values() if c["index"] and not c["primary_key"]] == []


def test_a_column_is_renamed(thing: Table) -> None:
    undo = thing.apply(operations.RenameField("Thing", "name", "title"))
    assert rows(thing, "title", "amount") == [("a", 1), ("b", None)]
    undo()
    assert rows(thing, "name", "amount") == [("a", 1), ("b", None)]


def test_a_field_without_a_model_replaces_a_field_of_the_given_model(thing: Table) -> None:
    model = thing.state.apps.get_model(LABEL, "Thing")
    label = models.TextField(default="?")
    label.set_attributes_from_name("label")
    rows_before = thing.model().count()
    with thing.connection.schema_editor() as editor:
        editor.alter_field(model, model._meta.get_field("name"), label)
    assert "name" not in thing.columns()
    assert thing.columns()["label"] == ("text", False)
    with thing.connection.cursor() as cursor:
        cursor.execute("SELECT count(label) FROM django_risingwave_thing")
        assert cursor.fetchone() == (rows_before,)


def test_a_column_changes_its_type(thing: Table) -> None:
    undo = thing.apply(operations.AlterField("Thing", "amount", models.CharField(max_length=9, null=True)))
    assert rows(thing, "name", "amount") == [("a", "1"), ("b", None)]
    undo()
    assert rows(thing, "name", "amount") == [("a", 1), ("b", None)]
    assert thing.columns()["amount"] == ("integer", True)


def test_null_becomes_the_default_of_a_not_null_field(thing: Table) -> None:
    undo = thing.apply(operations.AlterField("Thing", "amount", models.IntegerField(default=5)))
    assert rows(thing, "name", "amount") == [("a", 1), ("b", 5)]
    assert thing.columns()["amount"] == ("integer", False)
    undo()
    assert thing.columns()["amount"] == ("integer", True)


def test_null_becomes_db_default(thing: Table) -> None:
    thing.apply(operations.AlterField("Thing", "amount", models.IntegerField(db_default=6)))
    assert rows(thing, "name", "amount") == [("a", 1), ("b", 6)]


def test_a_copied_table_keeps_its_key_indexes_and_comments(thing: Table) -> None:
    before = rows(thing, "pk")
    thing.apply(
        operations.AlterField("Thing", "amount", models.BigIntegerField(null=True, db_comment="how many"))
    )
    assert rows(thing, "pk") == before
    constraints = thing.constraints().values()
    assert [c["columns"] for c in constraints if c["primary_key"]] == [["id"]]
    assert [c["columns"] for c in constraints if c["index"] and not c["primary_key"]] == [["name"]]
    with thing.connection.cursor() as cursor:
        cursor.execute("SELECT col_description('django_risingwave_thing'::regclass, 3)")
        assert cursor.fetchone() == ("how many",)


def test_the_leftovers_of_a_failed_copy_are_removed(thing: Table) -> None:
    with thing.connection.cursor() as cursor:
        cursor.execute('CREATE TABLE "new__django_risingwave_thing" (x int)')
    thing.apply(operations.AlterField("Thing", "amount", models.BigIntegerField(null=True)))
    assert thing.columns()["amount"] == ("bigint", True)


@pytest.mark.parametrize(
    "field", [models.CharField(max_length=99, db_index=True), models.CharField(max_length=10, unique=True)]
)
def test_a_change_without_effect_on_the_table_sends_nothing(
    standin: DatabaseWrapper, disguise: Disguise, field: models.CharField
) -> None:
    table = Table(standin, THING)
    disguise.statements.clear()
    table.apply(operations.AlterField("Thing", "name", field))
    assert {sql.split()[0] for sql in disguise.statements} <= {"SELECT", "FLUSH", "DROP"}
    assert "DROP TABLE" not in " ".join(disguise.statements)


def test_an_index_is_added_and_removed(thing: Table) -> None:
    undo = thing.apply(
        operations.AlterField("Thing", "amount", models.IntegerField(null=True, db_index=True))
    )

    def indexed() -> list[list[str]]:
        return [c["columns"] for c in thing.constraints().values() if c["index"] and not c["primary_key"]]

    assert sorted(indexed()) == [["amount"], ["name"]]
    undo()
    assert indexed() == [["name"]]


@pytest.mark.parametrize(
    "operation",
    [
        operations.AlterUniqueTogether("Thing", [("name", "amount")]),
        operations.AddConstraint("Thing", models.UniqueConstraint(fields=["name"], name="u")),
        operations.AddConstraint("Thing", models.CheckConstraint(condition=models.Q(amount__gt=0), name="c")),
    ],
    ids=["unique_together", "UniqueConstraint", "CheckConstraint"],
)
def test_constraints_only_change_the_state(thing: Table, operation: Any) -> None:
    before = thing.constraints()
    undo = thing.apply(operation)
    assert thing.constraints() == before
    undo()
    assert thing.constraints() == before


def test_a_table_is_renamed(thing: Table) -> None:
    thing.apply(operations.RenameModel("Thing", "Object"))
    assert thing.model("Object").count() == 2


def test_a_many_to_many_field_is_added_and_removed(thing: Table) -> None:
    undo = thing.apply(operations.AddField("Thing", "friends", models.ManyToManyField(f"{LABEL}.Thing")))
    a, b = thing.model().order_by("pk")
    a.friends.add(b)
    assert a.friends.get() == b
    undo()
    assert thing.columns("django_risingwave_thing_friends") == {}


def test_a_comment_changes_without_a_copy(thing: Table) -> None:
    commented = models.CharField(max_length=10, db_index=True, db_comment="as it is called")
    undo = thing.apply(operations.AlterField("Thing", "name", commented))
    assert comment_on_name(thing) == "as it is called"
    undo()
    assert comment_on_name(thing) is None


def comment_on_name(thing: Table) -> Any:
    with thing.connection.cursor() as cursor:
        cursor.execute("SELECT col_description('django_risingwave_thing'::regclass, 2)")
        return cursor.fetchone()[0]


def test_a_model_that_is_related_to_itself_is_renamed(thing: Table) -> None:
    thing.apply(operations.AddField("Thing", "friends", models.ManyToManyField("self", symmetrical=False)))
    a, b = thing.model().order_by("pk")
    a.friends.add(b)
    undo = thing.apply(operations.RenameModel("Thing", "Item"))
    assert thing.model("Item").get(friends__name="b").name == "a"
    undo()
    assert thing.model().get(friends__name="b").name == "a"


def test_another_column_becomes_the_primary_key(thing: Table) -> None:
    thing.apply(operations.RemoveField("Thing", "id"))
    thing.apply(operations.AlterField("Thing", "name", models.CharField(max_length=10, primary_key=True)))
    assert [c["columns"] for c in thing.constraints().values() if c["primary_key"]] == [["name"]]
    assert rows(thing, "name") == [("a",), ("b",)]


def test_a_key_that_others_refer_to_keeps_its_type(standin: DatabaseWrapper) -> None:
    other = ModelState(
        LABEL,
        "Other",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("thing", models.ForeignKey(f"{LABEL}.Thing", models.CASCADE)),
        ],
        VENDOR,
    )
    table = Table(standin, THING, other)
    with pytest.raises(NotSupportedError, match=r"The type of .*Thing\.id can't be changed"):
        table.apply(operations.AlterField("Thing", "id", models.CharField(max_length=5, primary_key=True)))
    # AutoField is a bigint too.
    table.apply(operations.AlterField("Thing", "id", models.AutoField(primary_key=True)))


def test_a_table_that_a_view_reads_is_not_dropped(standin: DatabaseWrapper) -> None:
    table = Table(standin, THING)
    with standin.cursor() as cursor:
        cursor.execute("CREATE VIEW over AS SELECT name FROM django_risingwave_thing")
    with pytest.raises(Exception, match="other objects depend on it"):
        table.apply(operations.DeleteModel("Thing"))
    assert list(table.columns()) == ["id", "name", "amount"]


def test_flush_deletes_from_each_table(thing: Table) -> None:
    connection = thing.connection
    statements = connection.ops.sql_flush(no_style(), ["django_risingwave_thing"], reset_sequences=True)
    assert statements == ['DELETE FROM "django_risingwave_thing";']
    connection.ops.execute_sql_flush(statements)
    assert not thing.model().exists()


def test_sqlmigrate_shows_the_statements_of_a_new_table(standin: DatabaseWrapper) -> None:
    state = ProjectState()
    state.add_model(THING)
    with standin.schema_editor(collect_sql=True) as editor:
        editor.create_model(state.apps.get_model(LABEL, "Thing"))
    table, index = editor.collected_sql
    assert table == (
        'CREATE TABLE "django_risingwave_thing" ("id" bigint NOT NULL PRIMARY KEY, "name" varchar NOT NULL, '
        '"amount" integer NULL);'
    )
    assert (
        index == 'CREATE INDEX "django_risingwave_thing_name_208819fd" ON "django_risingwave_thing" ("name");'
    )
