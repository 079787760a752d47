"""Tables with generated columns are created and altered with each server's syntax, and keep their rows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, IntegrityError, NotSupportedError, models
from django.db.migrations import operations
from django.db.migrations.state import ModelState
from django.db.models import F
from django.db.models.functions import Upper

from django_risingwave.fields import FiniteFloatField
from django_risingwave.testing.statements import violations
from tests.django_risingwave.models import Sale
from tests.django_risingwave.table import LABEL, THING, Table, rows

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper


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
