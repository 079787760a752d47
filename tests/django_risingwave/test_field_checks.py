"""`manage.py check` finds fields and column options that fail on RisingWave, and says what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.contrib.postgres import fields as postgres
from django.db import models
from django.db.models import Value
from django.db.models.functions import Cast, Lower, Now, Random, Trunc
from django.test.utils import isolate_apps

from django_risingwave.fields import RowIdField
from django_risingwave.models import MaterializedView, RisingWaveModel
from tests.django_risingwave.test_checks import check

if TYPE_CHECKING:
    from django.core.checks import CheckMessage


def check_field(field: models.Field[Any, Any]) -> list[CheckMessage]:
    with isolate_apps("django_risingwave"):
        model: Any = type(
            "Model",
            (RisingWaveModel,),
            {
                "__module__": __name__,
                "number": models.IntegerField(),
                "field": field,
                "Meta": type("Meta", (RisingWaveModel.Meta,), {"app_label": "django_risingwave"}),
            },
        )
    return check(model)


@pytest.mark.parametrize(
    ("field", "message", "hint"),
    [
        (
            models.DecimalField(max_digits=29, decimal_places=2),
            "28 digits, but max_digits is 29",
            "28 or less",
        ),
        (postgres.IntegerRangeField(), "column type int4range", "two fields for a range"),
        (postgres.HStoreField(), "column type hstore", "JSONField"),
        (postgres.ArrayField(models.IntegerField(), size=3), "column type integer[3]", "without size"),
    ],
)
def test_a_field_that_risingwave_can_not_store_is_refused(
    field: models.Field[Any, Any], message: str, hint: str
) -> None:
    (error,) = check_field(field)
    assert error.id == "django_risingwave.E004"
    assert error.is_serious()
    assert message in error.msg
    assert hint in (error.hint or "")


@pytest.mark.parametrize("column", ["_row_id", "_row_id_2", "_rw_timestamp"])
def test_a_reserved_column_name_is_refused(column: str) -> None:
    (error,) = check_field(models.IntegerField(db_column=column))
    assert error.id == "django_risingwave.E005"
    assert column in error.msg


@pytest.mark.parametrize(
    "field",
    [
        models.BigAutoField(primary_key=True),
        models.BigIntegerField(),
        models.BinaryField(),
        models.BooleanField(),
        models.CharField(max_length=10),
        models.DateField(),
        models.DateTimeField(),
        models.DecimalField(max_digits=28, decimal_places=28),
        models.DurationField(),
        models.FileField(),
        models.FilePathField(),
        models.FloatField(),
        models.ForeignKey(User, models.CASCADE),
        models.GenericIPAddressField(),
        models.IntegerField(),
        models.JSONField(),
        models.ManyToManyField(User),
        models.PositiveBigIntegerField(),
        models.PositiveIntegerField(),
        models.PositiveSmallIntegerField(),
        models.SlugField(),
        models.SmallAutoField(primary_key=True),
        models.SmallIntegerField(),
        models.TextField(),
        models.TimeField(),
        models.UUIDField(primary_key=True),
        postgres.ArrayField(models.TextField()),
        RowIdField(),
    ],
    ids=lambda field: type(field).__name__,
)
def test_djangos_own_fields_pass(field: models.Field[Any, Any]) -> None:
    assert check_field(field) == []


@isolate_apps("django_risingwave")
def test_fields_of_a_read_only_model_are_not_checked() -> None:
    class View(MaterializedView):
        kind = models.TextField(primary_key=True)
        total = models.DecimalField(max_digits=40, decimal_places=2, unique=True)

        class Meta(MaterializedView.Meta):
            app_label = "django_risingwave"

    assert check(View) == []


DATABASE_ON_DELETE = getattr(models, "DB_CASCADE", None)  # of Django 6.1


@pytest.mark.parametrize(
    ("field", "message", "hint"),
    [
        (models.TextField(db_collation="de-x-icu"), "the collation de-x-icu, only C", "db_collation"),
        (models.FloatField(db_default=Random()), "Random() in db_default", "default="),
        pytest.param(
            models.ForeignKey(User, DATABASE_ON_DELETE or models.CASCADE),
            "needs a database foreign key",
            "models.CASCADE",
            marks=pytest.mark.skipif(DATABASE_ON_DELETE is None, reason="DB_CASCADE is new in Django 6.1"),
        ),
        (postgres.ArrayField(postgres.HStoreField()), "column type hstore[]", "JSONField"),
    ],
)
def test_a_column_option_that_risingwave_lacks_is_refused(
    field: models.Field[Any, Any], message: str, hint: str
) -> None:
    (error,) = check_field(field)
    assert error.id == "django_risingwave.E004"
    assert error.is_serious()
    assert message in error.msg
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    "field",
    [
        models.TextField(db_collation="C"),
        models.TextField(db_default="a"),
        models.IntegerField(db_default=Value(7)),
        models.DateTimeField(db_default=Now()),
        models.TextField(db_default=Lower(Value("A"))),
        models.TextField(db_comment="a", db_index=True),
        models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False),
        models.IntegerField(db_column="row_id"),
    ],
)
def test_a_column_option_that_risingwave_supports_passes(field: models.Field[Any, Any]) -> None:
    assert check_field(field) == []


def generated(expression: Any, output_field: models.Field[Any, Any], **options: Any) -> models.GeneratedField:
    return models.GeneratedField(expression=expression, output_field=output_field, db_persist=True, **options)


@pytest.mark.parametrize(
    ("field", "message", "hint"),
    [
        (generated(Now(), models.DateTimeField()), "support Now()", "db_default=Now()"),
        (generated(Trunc(Now(), "day"), models.DateTimeField()), "support Now()", "db_default=Now()"),
        (generated(models.Q(number__gt=models.F("field")), models.BooleanField()), "uses field", "Repeat"),
        (
            generated(models.F("number"), models.IntegerField(), primary_key=True),
            "get a primary key",
            "BigAutoField",
        ),
        (
            generated(models.F("number"), models.DecimalField(max_digits=29, decimal_places=2)),
            "max_digits is 29",
            "28 or less",
        ),
        (
            generated(Lower("number"), models.TextField(db_collation="de-x-icu")),
            "the collation de-x-icu, only C",
            "db_collation",
        ),
        (generated(models.F("number"), postgres.IntegerRangeField()), "column type int4range", "a range"),
    ],
)
def test_a_generated_column_that_risingwave_rejects_is_refused(
    field: models.Field[Any, Any], message: str, hint: str
) -> None:
    (error,) = check_field(field)
    assert error.id == "django_risingwave.E004"
    assert message in error.msg
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    "field",
    [
        generated(models.F("number") + 1, models.IntegerField()),
        generated(models.Q(number__gt=1), models.BooleanField()),
        generated(Lower(Cast("number", models.TextField())), models.TextField(db_collation="C")),
    ],
)
def test_a_generated_column_that_risingwave_supports_passes(field: models.Field[Any, Any]) -> None:
    assert check_field(field) == []


@isolate_apps("django_risingwave")
def test_a_primary_key_that_an_insert_would_have_to_return_is_refused() -> None:
    class Row(RisingWaveModel):
        id = models.DateTimeField(primary_key=True, db_default=Now())
        a = models.IntegerField()
        b = generated(models.F("a") + 1, models.IntegerField())

        class Meta(RisingWaveModel.Meta):
            app_label = "django_risingwave"

    (error,) = check(Row)
    assert error.obj == Row._meta.get_field("id")
    assert "get a primary key" in error.msg
