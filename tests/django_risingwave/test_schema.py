"""Tables are created and altered with SQL that both servers accept, and keep their rows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management.color import no_style
from django.db import DatabaseError, IntegrityError, NotSupportedError, models
from django.db.migrations import operations
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import F
from django.db.models.functions import Random, Upper

from django_risingwave.fields import FiniteFloatField
from tests.django_risingwave.models import Author, Book, Everything, Sale
from tests.django_risingwave.statements import violations
from tests.django_risingwave.test_migrate import REJECTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

LABEL = "django_risingwave"
VENDOR = {"required_db_vendor": "risingwave"}


class Table:
    """A model in the state of migrations, its table, and migration operations on both."""

    def __init__(self, connection: DatabaseWrapper, *models: ModelState) -> None:
        self.connection = connection
        self.state = ProjectState()
        for model in models:
            self.apply(operations.CreateModel(model.name, list(model.fields.items()), model.options))

    def apply(self, operation: Any) -> Callable[[], None]:
        """Apply the operation, and return a function that reverses it."""
        before, after = self.state, self.state.clone()
        operation.state_forwards(LABEL, after)
        with self.connection.schema_editor() as editor:
            operation.database_forwards(LABEL, editor, before, after)
        self.state = after

        def undo() -> None:
            with self.connection.schema_editor() as editor:
                operation.database_backwards(LABEL, editor, after, before)
            self.state = before

        return undo

    def model(self, name: str = "Thing") -> Any:
        return self.state.apps.get_model(LABEL, name)._default_manager.using("risingwave")

    def constraints(self, table: str = "django_risingwave_thing") -> Any:
        with self.connection.cursor() as cursor:
            return self.connection.introspection.get_constraints(cursor, table)

    def columns(self, table: str = "django_risingwave_thing") -> dict[str, tuple[str, bool]]:
        """The type and nullability of each column."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns"
                " WHERE table_name = %s AND table_schema = current_schema() ORDER BY ordinal_position",
                [table],
            )
            return {name: (kind, null) for name, kind, null in cursor.fetchall()}


THING = ModelState(
    LABEL,
    "Thing",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=10, db_index=True)),
        ("amount", models.IntegerField(null=True)),
    ],
    VENDOR,
)


@pytest.fixture(params=["as the stand-in", "as RisingWave"])
def thing(request: pytest.FixtureRequest, standin: DatabaseWrapper) -> Any:
    """A table with rows, on each server."""
    disguise: Disguise | None = (
        request.getfixturevalue("disguise") if request.param == "as RisingWave" else None
    )
    table = Table(standin, THING)
    table.model().bulk_create([table.model().model(name="a", amount=1), table.model().model(name="b")])
    yield table
    if disguise:
        assert [sql for sql in disguise.statements if REJECTED.search(sql)] == []


def rows(table: Table, *fields: str) -> list[Any]:
    return list(table.model().order_by("pk").values_list(*fields))


def test_every_field_has_a_type_that_risingwave_supports(disguise: Disguise) -> None:
    with disguise.connection.schema_editor() as editor:
        for model in (Author, Book, Everything):
            editor.create_model(model)
    with disguise.connection.schema_editor() as editor:
        for model in (Book, Everything, Author):
            editor.delete_model(model)
    assert [sql for sql in disguise.statements if REJECTED.search(sql)] == []
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
    # An index each on the title (without a second one for LIKE), the author, both sides of the readers, the
    # declared fields and the slug.
    assert len(indexes) == 6


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


def test_a_field_without_a_model_is_added_to_the_given_model(thing: Table) -> None:
    model = thing.state.apps.get_model(LABEL, "Thing")
    name = models.TextField(default="?")
    name.set_attributes_from_name("label")
    rows_before = thing.model().count()
    with thing.connection.schema_editor() as editor:
        editor.alter_field(model, model._meta.get_field("name"), name)
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


def test_sqlmigrate_shows_the_statements_of_a_copy(standin: DatabaseWrapper) -> None:
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


# Generated columns ----------------------------------------------------------------------------------------


def double(field: str = "amount", **options: Any) -> models.GeneratedField:
    options.setdefault("output_field", models.IntegerField())
    return models.GeneratedField(expression=F(field) * 2, db_persist=True, **options)


@pytest.fixture
def generated(thing: Table) -> Table:
    """A table with a generated column, and a row in which its operand is NULL."""
    thing.apply(operations.AddField("Thing", "double", double()))
    return thing


def test_each_server_gets_its_own_syntax(standin: DatabaseWrapper, request: pytest.FixtureRequest) -> None:
    def columns() -> Any:
        with standin.schema_editor(collect_sql=True) as editor:
            editor.create_model(Sale)
        return editor.collected_sql[0]

    # On both servers generated columns come last, whatever the order of the fields.
    table = (
        'CREATE TABLE "django_risingwave_sale" ("id" bigint NOT NULL PRIMARY KEY, "price" numeric NOT NULL, '
        """"count" integer NULL, "kind" varchar DEFAULT 'retail' NOT NULL, "total" numeric %s, """
        '"label" text %s);'
    )
    total = """AS (("price" * "count"))"""
    label = """AS ((COALESCE("kind", '') || COALESCE(': 100 %', '')))"""
    assert columns() == table % (f"GENERATED ALWAYS {total} STORED", f"GENERATED ALWAYS {label} STORED")
    request.getfixturevalue("disguise")
    assert columns() == table % (total, label)
    assert violations(columns().rstrip(";")) == []


def test_a_generated_column_is_added_and_removed(thing: Table) -> None:
    undo = thing.apply(operations.AddField("Thing", "double", double(db_index=True, db_comment="Twice")))
    assert rows(thing, "name", "double") == [("a", 2), ("b", None)]
    assert any(c["columns"] == ["double"] for c in thing.constraints().values())
    assert thing.model().create(name="c", amount=3).double == 6
    undo()
    assert "double" not in thing.columns()
    assert rows(thing, "name", "amount") == [("a", 1), ("b", None), ("c", 3)]


def test_a_copy_of_the_table_leaves_out_generated_columns(generated: Table) -> None:
    generated.apply(operations.AlterField("Thing", "name", models.TextField(null=True)))
    generated.apply(operations.AlterField("Thing", "amount", models.BigIntegerField(null=True)))
    assert rows(generated, "name", "double") == [("a", 2), ("b", None)]
    assert generated.model().create(name="c", amount=2**40).pk


def test_a_generated_column_changes_its_type(generated: Table) -> None:
    undo = generated.apply(
        operations.AlterField("Thing", "double", double(output_field=models.FloatField(), db_index=True))
    )
    assert generated.columns()["double"] == ("double precision", True)
    assert rows(generated, "double") == [(2.0,), (None,)]
    undo()
    assert generated.columns()["double"] == ("bigint", True)


def test_a_generated_column_is_renamed(generated: Table) -> None:
    generated.apply(operations.RenameField("Thing", "double", "twice"))
    assert rows(generated, "twice") == [(2,), (None,)]


def test_a_field_of_its_expression_can_be_renamed_after_removing_it(generated: Table) -> None:
    with pytest.raises(
        NotSupportedError, match="Remove the generated field before the change, and add it again"
    ):
        generated.apply(operations.RenameField("Thing", "amount", "number"))
    generated.apply(operations.RemoveField("Thing", "double"))
    generated.apply(operations.RenameField("Thing", "amount", "number"))
    generated.apply(operations.AddField("Thing", "double", double("number")))
    assert rows(generated, "number", "double") == [(1, 2), (None, None)]


def test_a_field_of_its_expression_can_not_be_removed(generated: Table) -> None:
    with pytest.raises(DatabaseError):
        generated.apply(operations.RemoveField("Thing", "amount"))
    generated.apply(operations.RemoveField("Thing", "double"))
    generated.apply(operations.RemoveField("Thing", "amount"))
    assert rows(generated, "name") == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (models.IntegerField(default=7), 7),
        (models.DateField(default=dt.date(2026, 1, 2)), dt.date(2026, 1, 2)),
        (models.JSONField(default=dict), {}),
        (models.TextField(db_default="a"), "a"),
        (models.TextField(null=True, default="a"), "a"),
        (models.TextField(null=True), None),
    ],
)
def test_no_not_null_column_follows_a_generated_one(
    generated: Table, field: models.Field[Any, Any], value: object
) -> None:
    generated.apply(operations.AddField("Thing", "added", field))
    assert rows(generated, "added", "double") == [(value, 2), (value, None)]
    columns = generated.columns()
    assert all(null for _, null in list(columns.values())[list(columns).index("double") :])
    assert generated.model().create(name="c", added=value).double is None


def test_an_expression_changes_by_removing_and_adding_the_field(generated: Table) -> None:
    with pytest.raises(ValueError, match="must be removed and re-added"):
        generated.apply(operations.AlterField("Thing", "double", double("id")))
    generated.apply(operations.RemoveField("Thing", "double"))
    loud = models.GeneratedField(expression=Upper("name"), output_field=models.TextField(), db_persist=True)
    generated.apply(operations.AddField("Thing", "double", loud))
    assert rows(generated, "double") == [("A",), ("B",)]


def test_a_copy_keeps_the_check_of_a_finite_float(standin: DatabaseWrapper) -> None:
    weight = ("weight", FiniteFloatField(null=True))
    table = Table(standin, ModelState(LABEL, "Thing", [*THING.fields.items(), weight], THING.options))
    table.apply(operations.AddField("Thing", "double", double()))
    with standin.cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute("INSERT INTO django_risingwave_thing (id, name, weight) VALUES (1, 'a', 'NaN')")
