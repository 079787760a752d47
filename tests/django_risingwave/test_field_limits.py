"""Values beyond the limits of their field are refused or rounded, as on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.postgres import fields as postgres
from django.db import DataError, IntegrityError, models

from tests.django_risingwave.field_cases import model_of

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

REFUSED_VALUES: list[tuple[models.Field[Any, Any], Any, type[Exception], str]] = [
    (
        models.CharField(max_length=5),
        "123456",
        DataError,
        r"at most 5 characters \(max_length\), but the value has 6",
    ),
    (models.SlugField(max_length=5), "123456", DataError, "at most 5 characters"),
    (models.FileField(max_length=5), "123456", DataError, "at most 5 characters"),
    (models.EmailField(max_length=5), "a@b.org", DataError, "at most 5 characters"),
    (
        models.DecimalField(max_digits=4, decimal_places=2),
        Decimal("99.995"),
        DataError,
        r"at most 4 digits \(max_digits\), 2 of them",
    ),
    (models.DecimalField(max_digits=28, decimal_places=0), 10**28, DataError, "at most 28 digits"),
    (models.PositiveIntegerField(), -1, IntegrityError, "must be 0 or greater, not -1"),
    (models.PositiveSmallIntegerField(), -1, IntegrityError, "must be 0 or greater"),
    (models.PositiveBigIntegerField(), -1, IntegrityError, "must be 0 or greater"),
    (
        models.GenericIPAddressField(),
        "10.0.0.256",
        DataError,
        "must be an IPv4 or IPv6 address, not '10.0.0.256'",
    ),
    (models.JSONField(), 2**64, DataError, "store the number 18446744073709551616"),
    (models.JSONField(), [-(2**63) - 1], DataError, "store the number -9223372036854775809"),
    (models.JSONField(), {"a": math.nan}, DataError, "store the number NaN"),
    (models.JSONField(), [-math.inf], DataError, "store the number -Infinity"),
    (models.JSONField(), ["a\0b"], DataError, r"contain \\u0000"),
    (
        models.DateTimeField(),
        dt.datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
        DataError,
        "years 1 to 9999",
    ),
]


@pytest.mark.parametrize(
    ("field", "value", "error", "text"),
    REFUSED_VALUES,
    ids=[f"{type(field).__name__}-{value!r:.20}" for field, value, *_ in REFUSED_VALUES],
)
def test_a_value_beyond_the_limits_of_its_field_is_refused(
    connection: DatabaseWrapper, field: models.Field[Any, Any], value: Any, error: type[Exception], text: str
) -> None:
    model = model_of(field)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    row = model.objects.create()
    connection.flush()
    row.value = value

    def bulk_update() -> None:
        model.objects.bulk_update([row], ["value"])

    for write in (
        lambda: model.objects.create(value=value),
        lambda: model.objects.bulk_create([model(value=value)]),
        lambda: model.objects.update(value=value),
        row.save,
        bulk_update,
    ):
        with pytest.raises(error, match=text):
            write()
    connection.flush()
    assert model.objects.get().value in (None, "")


TEXT_FIELDS = [models.CharField(max_length=9), models.TextField(), postgres.ArrayField(models.TextField())]


@pytest.mark.parametrize("field", TEXT_FIELDS, ids=lambda field: type(field).__name__)
def test_nul_is_refused_in_text(connection: DatabaseWrapper, field: models.Field[Any, Any]) -> None:
    model = model_of(field)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    value = ["a\0b"] if isinstance(field, postgres.ArrayField) else "a\0b"
    # psycopg2 raises ValueError, psycopg 3 DataError.
    with pytest.raises((ValueError, DataError), match="NUL"):
        model.objects.create(value=value)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("1.125", "1.13"), ("-1.125", "-1.13"), ("99.994", "99.99"), ("7", "7.00"), (0.5, "0.50")],
)
def test_a_decimal_is_rounded_to_decimal_places(
    connection: DatabaseWrapper, value: Any, rounded: str
) -> None:
    model = model_of(models.DecimalField(max_digits=4, decimal_places=2))
    with connection.schema_editor() as editor:
        editor.create_model(model)
    row = model.objects.create(value=value)
    connection.flush()
    assert str(model.objects.get().value) == rounded
    model.objects.update(value=value)
    connection.flush()
    assert str(model.objects.get().value) == rounded
    # Values in lookups are not rounded.
    assert model.objects.filter(value__lt=Decimal(rounded) + Decimal("0.001"), pk=row.pk).exists()
    assert not model.objects.filter(value__gt=10**28).exists()


@pytest.mark.parametrize(
    "field", [models.SmallIntegerField(), models.IntegerField(), models.BigIntegerField()]
)
def test_an_integer_beyond_its_column_is_refused(
    connection: DatabaseWrapper, field: models.Field[Any, Any]
) -> None:
    model = model_of(field)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(DataError):
            model.objects.create(value=value)
        assert not model.objects.filter(value=value).exists()
        assert not model.objects.exclude(value__lt=2**64).exists()
