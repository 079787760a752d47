"""Each of Django's fields: values written in any way are read, found and ordered unchanged."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.postgres import fields as postgres
from django.contrib.postgres.search import SearchQueryField, SearchVectorField
from django.db import DataError, models
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from django_risingwave.checks import _check_model
from tests.django_risingwave.field_cases import CASES, Case, in_utc, model_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

# In test_keys.py.
KEYS = {
    "AutoField",
    "BigAutoField",
    "CompositePrimaryKey",
    "ForeignKey",
    "ForeignObject",
    "ManyToManyField",
    "OneToOneField",
    "SmallAutoField",
}

# In test_generated.py.
GENERATED = {"GeneratedField"}

# The IntegerField of Meta.order_with_respect_to, and fields that Django no longer lets models use.
OTHERS = {"Field", "OrderWrt", "CommaSeparatedIntegerField", "IPAddressField", "NullBooleanField"}

# Refused by a system check: test_field_checks.py has the messages.
REFUSED: dict[str, Callable[[], models.Field[Any, Any]]] = {
    "BigIntegerRangeField": postgres.BigIntegerRangeField,
    "DateRangeField": postgres.DateRangeField,
    "DateTimeRangeField": postgres.DateTimeRangeField,
    "DecimalRangeField": postgres.DecimalRangeField,
    "HStoreField": postgres.HStoreField,
    "IntegerRangeField": postgres.IntegerRangeField,
    "SearchQueryField": SearchQueryField,
    "SearchVectorField": SearchVectorField,
}

# Fields of contrib.postgres without a column type of their own, or removed from Django.
BASES = {"CharRangeField", "RangeField", "ContinuousRangeField"}


def django_fields() -> set[str]:
    modules: tuple[Any, ...] = (models, models.fields, postgres)
    found = {SearchVectorField, SearchQueryField} | {
        member
        for module in modules
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, models.Field)
    }
    return {field.__name__ for field in found if not field.__name__.startswith(("CI", "_"))}


def test_every_field_of_django_is_covered() -> None:
    decided = CASES.keys() | KEYS | GENERATED | OTHERS | REFUSED.keys()
    assert django_fields() - BASES == decided


@pytest.mark.parametrize("name", REFUSED)
def test_a_field_that_risingwave_can_not_store_is_refused(name: str) -> None:
    (error,) = _check_model(model_of(REFUSED[name]()))
    assert error.id == "django_risingwave.E004"
    assert error.hint


@pytest.mark.parametrize("name", CASES)
def test_a_field_that_risingwave_can_store_passes(name: str) -> None:
    assert _check_model(model_of(CASES[name].field)) == []


@pytest.mark.parametrize("name", CASES)
def test_values_are_read_and_found_as_they_were_written(connection: DatabaseWrapper, name: str) -> None:
    case = CASES[name]
    model = model_of(case.field)
    with connection.schema_editor() as editor:
        editor.create_model(model)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @example([*case.extremes])
    @given(st.lists(case.values, min_size=1, max_size=12))
    def check(values: list[Any]) -> None:
        check_values(connection, model, case, values)

    check()


def check_values(connection: DatabaseWrapper, model: Any, case: Case, values: list[Any]) -> None:
    rows = model.objects
    rows.all().delete()
    connection.flush()
    nothing = rows.create(value=None)
    made = rows.bulk_create(model(value=value) for value in values)
    # The other ways to write: save() of a new and of an existing row, update(), bulk_update().
    saved = model(value=values[0])
    saved.save()
    others = rows.bulk_create([model(), model(), model()])
    connection.flush()
    others[0].value = values[0]
    others[0].save()
    rows.filter(pk=others[1].pk).update(value=values[-1])
    others[2].value = values[-1]
    rows.bulk_update([others[2]], ["value"])
    connection.flush()

    expected = {row.pk: value for row, value in zip(made, values, strict=True)}
    expected |= {saved.pk: values[0], others[0].pk: values[0]}
    expected |= {others[1].pk: values[-1], others[2].pk: values[-1]}
    kept = rows.exclude(pk=nothing.pk)
    read = {row.pk: row.value for row in kept}
    assert {pk: case.key(value) for pk, value in read.items()} == {
        pk: case.key(value) for pk, value in expected.items()
    }
    assert rows.get(pk=nothing.pk).value == case.nothing
    assert rows.filter(value__isnull=True).exists() == (case.nothing is None)
    assert not kept.filter(value__isnull=True).exists()

    # Python considers the two hours of a fold equal, so __in finds one of them.
    wanted_in = [in_utc(value) if getattr(value, "tzinfo", None) else value for value in values]
    assert set(kept.filter(value__in=wanted_in).values_list("pk", flat=True)) == set(expected)
    for value in values[:3]:
        found = set(kept.filter(value=value).values_list("pk", flat=True))
        assert found == {pk for pk, other in expected.items() if case.key(other) == case.key(value)}
    if order := case.order:
        in_order = [case.key(row.value) for row in kept.order_by("value", "pk")]
        wanted = sorted(expected, key=lambda pk: (order(expected[pk]), pk))
        assert in_order == [case.key(expected[pk]) for pk in wanted]


def test_a_json_null_is_not_an_sql_null(connection: DatabaseWrapper) -> None:
    model = model_of(models.JSONField())
    with connection.schema_editor() as editor:
        editor.create_model(model)
    sql, json = model.objects.bulk_create([model(), model(value=models.Value(None, models.JSONField()))])
    connection.flush()
    assert model.objects.get(value__isnull=True).pk == sql.pk
    assert model.objects.get(value=models.Value(None, models.JSONField())).pk == json.pk
    assert model.objects.get(pk=json.pk).value is None


# Types stored as text ------------------------------------------------------------------------------------


def test_a_uuid_is_found_in_any_notation(connection: DatabaseWrapper) -> None:
    model = model_of(models.UUIDField())
    with connection.schema_editor() as editor:
        editor.create_model(model)
    value = uuid.UUID("12345678-90ab-cdef-1234-567890abcdef")
    row = model.objects.create(value=value)
    model.objects.create(value=uuid.UUID(int=7))
    connection.flush()
    for lookup in (
        {"value": str(value).upper()},
        {"value": value.hex},
        {"value": f"{{{value}}}"},
        {"value": value.int},
        {"value__in": [str(value)]},
        {"value__iexact": str(value).upper()},
        {"value__contains": "5678-90ab"},
        {"value__icontains": "567890AB"},
        {"value__startswith": "12345678-9"},
        {"value__endswith": "abcdef"},
        {"value__gt": uuid.UUID(int=7)},
    ):
        assert model.objects.get(**lookup).pk == row.pk
    assert type(model.objects.order_by("value").last().value) is uuid.UUID


def test_an_ip_address_is_found_in_any_notation(connection: DatabaseWrapper) -> None:
    model = model_of(models.GenericIPAddressField())
    with connection.schema_editor() as editor:
        editor.create_model(model)
    for written in ("0:0:0:0:0:0:0:1", "2001:DB8::A", "::ffff:10.0.0.1", "10.0.0.1", ""):
        model.objects.create(value=written)
    connection.flush()
    assert model.objects.filter(value="::1").count() == model.objects.filter(value="0::0:1").count() == 1
    assert model.objects.get(value="2001:0db8:0::a").value == "2001:db8::a"
    assert model.objects.get(value="10.0.0.1").value == "10.0.0.1"
    assert model.objects.get(value__startswith="2001:").value == "2001:db8::a"
    assert model.objects.filter(value__isnull=True).count() == 1


@pytest.mark.parametrize(
    "sql", ["DATE '10000-01-01'", "CAST('10000-01-02' AS timestamptz)", "DATE '0044-03-15 BC'"]
)
@pytest.mark.parametrize("fetch", ["fetchone", "fetchall", "fetchmany", "__iter__"])
def test_a_date_that_python_does_not_have_raises_an_error_of_the_database(
    connection: DatabaseWrapper, sql: str, fetch: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}")
        with pytest.raises(DataError), connection.wrap_database_errors:
            next(iter(getattr(cursor.cursor, fetch)()))
