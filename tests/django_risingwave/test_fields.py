"""Field values, automatic keys and `_row_id` are read as they were written."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import NotSupportedError, models
from django.db.migrations.writer import MigrationWriter
from django.db.models.functions import Cast, Now

from django_risingwave.fields import FiniteFloatField, RowIdField
from tests.django_risingwave.models import Author, Book, Event, Everything

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


@pytest.fixture
def tables(connection: DatabaseWrapper) -> DatabaseWrapper:
    with connection.schema_editor() as editor:
        for model in (Author, Book, Event, Everything):
            editor.create_model(model)
    return connection


VALUES: dict[str, Any] = {
    "binary": b"\x00\xff",
    "boolean": True,
    "date": dt.date(2026, 1, 2),
    "datetime": dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
    "decimal": Decimal("123456789.125"),
    "duration": dt.timedelta(days=-1, seconds=5, microseconds=7),
    "email": "a@example.org",
    "float": 1.5,
    "ip": "2001:db8::1",
    "json": {"a": [1, None, "x"]},
    "positive": 7,
    "slug": "a-slug",
    "small": -3,
    "text": "it's 100 % \\ ünïcode",
    "time": dt.time(3, 4, 5, 6),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
}


def test_every_field_of_the_model_has_a_value() -> None:
    assert VALUES.keys() == {field.name for field in Everything._meta.concrete_fields} - {"id"}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_read_back_and_found(tables: DatabaseWrapper, name: str) -> None:
    saved = Everything.objects.create(**{name: VALUES[name]})
    Everything.objects.create()
    tables.flush()
    read = Everything.objects.get(pk=saved.pk)
    value = getattr(read, name)
    assert (bytes(value) if name == "binary" else value) == VALUES[name]
    assert Everything.objects.get(**{name: VALUES[name]}) == saved
    assert Everything.objects.get(**{f"{name}__in": [VALUES[name]]}) == saved
    assert Everything.objects.exclude(pk=saved.pk).get(**{f"{name}__isnull": True}) != saved


@pytest.mark.parametrize(
    ("lookup", "found"),
    [
        ({"ip__contains": "db8"}, True),
        ({"ip__startswith": "10."}, False),
        ({"uuid__startswith": "12345678"}, True),
        ({"email__icontains": "EXAMPLE"}, True),
        ({"datetime__date": dt.date(2026, 1, 2)}, True),
        ({"datetime__year": 2025}, False),
        ({"datetime__lt": Now()}, True),
    ],
)
def test_text_and_time_lookups_find_the_row(
    tables: DatabaseWrapper, lookup: dict[str, Any], found: bool
) -> None:
    Everything.objects.create(**VALUES)
    tables.flush()
    assert Everything.objects.filter(**lookup).exists() == found


# Automatic keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["save", "create", "bulk_create", "get_or_create", "update_or_create"])
def test_an_instance_has_its_automatic_key_after_writing(tables: DatabaseWrapper, how: str) -> None:
    if how == "save":
        author = Author(name="A")
        author.save()
    elif how == "bulk_create":
        author, _ = Author.objects.bulk_create([Author(name="A"), Author(name="B")])
    else:
        created = getattr(Author.objects, how)(name="A")
        author = created if how == "create" else created[0]
    tables.flush()
    assert 2**31 < author.pk < 2**63
    assert Author.objects.get(name="A").pk == author.pk
    assert Author.objects.get(pk=author.pk) == author


def test_an_explicit_key_is_kept(tables: DatabaseWrapper) -> None:
    one, two = Author.objects.bulk_create([Author(pk=5, name="A"), Author(name="B")])
    three = Author.objects.create(pk=6, name="C")
    tables.flush()
    assert {author.pk: author.name for author in Author.objects.all()} == {5: "A", two.pk: "B", 6: "C"}
    assert (one.pk, three.pk) == (5, 6)
    assert two.pk > 2**31


def test_keys_of_one_bulk_create_are_in_its_order(tables: DatabaseWrapper) -> None:
    made = Author.objects.bulk_create([Author(name=str(n)) for n in range(200)], batch_size=60)
    tables.flush()
    assert [author.pk for author in made] == sorted({author.pk for author in made})
    assert [author.name for author in Author.objects.order_by("pk")] == [str(n) for n in range(200)]


def test_a_write_that_fails_leaves_the_instance_without_a_key(tables: DatabaseWrapper) -> None:
    author = Author(name=None)
    with pytest.raises(Exception, match="null value in column"):
        author.save()
    assert author.pk is None


def test_foreign_keys_and_many_to_many_store_63_bit_keys(tables: DatabaseWrapper) -> None:
    author, reader = Author.objects.create(name="A"), Author.objects.create(name="R")
    tables.flush()
    book = Book.objects.create(title="T", author=author)
    book.readers.add(reader)
    tables.flush()
    assert Book.objects.get(author=author.pk) == book
    assert Book.objects.filter(author__name="A", readers__name="R").select_related("author").get() == book
    assert author.books.get() == book
    assert book.readers.get() == reader
    assert list(Author.objects.annotate(n=models.Count("books")).order_by("-n").values_list("name", "n")) == [
        ("A", 1),
        ("R", 0),
    ]
    assert Author.objects.annotate(c=Cast("pk", models.AutoField())).get(pk=author.pk).c == author.pk
    author.delete()
    tables.flush()
    assert not Book.objects.exists()


# _row_id -------------------------------------------------------------------------------------------------


def test_rows_with_a_row_id_are_written_without_it(tables: DatabaseWrapper) -> None:
    created = Event.objects.create(kind="a", amount=1)
    saved = Event(kind="b", amount=2)
    saved.save()
    bulk = Event.objects.bulk_create([Event(kind="c", amount=3), Event(kind="d", amount=4)])
    assert [event.pk for event in (created, saved, *bulk)] == [None] * 4
    assert not any(event._state.adding for event in (created, saved, *bulk))
    tables.flush()
    assert list(Event.objects.order_by("amount").values_list("kind", flat=True)) == ["a", "b", "c", "d"]


def test_a_row_has_its_row_id_after_reading(tables: DatabaseWrapper) -> None:
    Event.objects.bulk_create([Event(kind="a", amount=1), Event(kind="a", amount=1)])
    tables.flush()
    first, second = Event.objects.all()
    assert first.pk != second.pk
    assert Event.objects.get(pk=first.pk) == first
    assert set(Event.objects.filter(pk__in=[first.pk, second.pk])) == {first, second}
    first.amount = 5
    first.save()
    tables.flush()
    assert sorted(Event.objects.values_list("amount", flat=True)) == [1, 5]
    assert Event.objects.filter(pk=second.pk).update(amount=7) == 1
    second.delete()
    tables.flush()
    assert Event.objects.get() == first


def test_an_explicit_row_id_is_refused(tables: DatabaseWrapper) -> None:
    for write in (
        lambda: Event(pk=5, kind="a").save(),
        lambda: Event.objects.create(pk=5),
        lambda: Event.objects.bulk_create([Event(pk=5)]),
    ):
        with pytest.raises(
            NotSupportedError, match=r"The server generates .*row_id, so it can't be inserted"
        ):
            write()
    assert not Event.objects.exists()


def test_a_row_id_is_compared_with_an_untyped_literal(standin: DatabaseWrapper) -> None:
    standin.ensure_connection()
    sql = standin.ops.compose_sql(*Event.objects.filter(pk__in=[5]).query.sql_with_params())
    assert sql.endswith(""" WHERE "events"."_row_id" IN ('5')""")


def test_migrations_write_only_the_fields_own_arguments() -> None:
    for field in (RowIdField(), RowIdField(serialize=False), Event._meta.pk):
        assert MigrationWriter.serialize(field)[0] == "django_risingwave.fields.RowIdField()"
    text, imports = MigrationWriter.serialize(FiniteFloatField(null=True))
    assert text == "django_risingwave.fields.FiniteFloatField(null=True)"
    assert imports == {"import django_risingwave.fields"}


# Finite floats -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "NaN", "-Infinity"])
def test_nan_and_infinities_are_refused(tables: DatabaseWrapper, value: object) -> None:
    for write in (
        lambda: Event.objects.create(weight=value),
        lambda: Event.objects.bulk_create([Event(weight=value)]),
        lambda: Event.objects.update(weight=value),
    ):
        with pytest.raises(ValueError, match=r"Field 'weight' expected a finite number but got -?(nan|inf)"):
            write()
    with pytest.raises(ValidationError) as error:
        Event(weight=value).clean_fields()
    assert error.value.message_dict == {"weight": ["Enter a finite number."]}
    assert not Event.objects.exists()


def test_finite_floats_and_null_are_accepted(tables: DatabaseWrapper) -> None:
    for weight in (None, 0.0, -1e300, 5e-324):
        Event(weight=weight).clean_fields()
        Event.objects.create(weight=weight)
    tables.flush()
    assert Event.objects.filter(weight__lt=0).count() == 1
    assert Event.objects.count() == 4
