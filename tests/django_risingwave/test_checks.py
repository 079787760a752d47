"""`manage.py check` finds models and settings that fail on RisingWave, and says what to do instead."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.postgres import fields as postgres
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import BTreeIndex, GinIndex, OpClass
from django.core.checks import CheckMessage, Error, registry
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models
from django.db.models import Value
from django.db.models.functions import Cast, Lower, Now, Random, Trunc
from django.test.utils import isolate_apps

from django_risingwave import checks
from django_risingwave.fields import RowIdField
from django_risingwave.models import MaterializedView, RisingWaveModel


def check(model: type[models.Model]) -> list[CheckMessage]:
    return checks._check_model(model)


@isolate_apps("django_risingwave")
def test_a_view_whose_meta_does_not_inherit_its_bases_is_refused() -> None:
    class Lost(MaterializedView):
        class Meta:
            app_label = "django_risingwave"

    assert check(Lost) == [
        Error(
            "The model is a RisingWaveModel, but its Meta doesn't set required_db_vendor = 'risingwave', so "
            "RisingWaveRouter doesn't send it to RisingWave.",
            hint="Inherit the Meta: `class Meta(MaterializedView.Meta):`.",
            obj=Lost,
            id="django_risingwave.E001",
        ),
        Error(
            "The model is a MaterializedView, but its Meta doesn't set managed = False, so migrate would "
            "create a table for it.",
            hint="Inherit the Meta: `class Meta(MaterializedView.Meta):`.",
            obj=Lost,
            id="django_risingwave.E002",
        ),
    ]


@isolate_apps("django_risingwave")
def test_a_table_whose_meta_does_not_inherit_its_bases_is_refused() -> None:
    class Lost(RisingWaveModel):
        class Meta:
            app_label = "django_risingwave"

    assert [(error.id, error.hint) for error in check(Lost)] == [
        ("django_risingwave.E001", "Inherit the Meta: `class Meta(RisingWaveModel.Meta):`.")
    ]


@isolate_apps("django_risingwave")
def test_models_that_inherit_their_bases_meta_pass() -> None:
    class Table(RisingWaveModel):
        class Meta(RisingWaveModel.Meta):
            app_label = "django_risingwave"

    class View(MaterializedView):
        class Meta(MaterializedView.Meta):
            app_label = "django_risingwave"

    class Proxy(View):
        class Meta:
            app_label = "django_risingwave"
            proxy = True

    assert [error for model in (Table, View, Proxy, User) for error in check(model)] == []


# Databases -----------------------------------------------------------------------------------------------


def test_atomic_requests_is_an_error_on_risingwave_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_databases() == []
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    assert checks.check_databases() == []
    monkeypatch.setitem(connections["risingwave"].settings_dict, "ATOMIC_REQUESTS", True)
    (error,) = checks.check_databases()
    assert error.id == "django_risingwave.E003"
    assert error.msg.startswith("DATABASES['risingwave'] sets ATOMIC_REQUESTS")
    assert error.is_serious()


# Constraints ---------------------------------------------------------------------------------------------


@isolate_apps("django_risingwave")
def test_each_constraint_that_risingwave_does_not_enforce_is_warned_about() -> None:
    class Other(RisingWaveModel):
        class Meta(RisingWaveModel.Meta):
            app_label = "django_risingwave"

    class Constrained(RisingWaveModel):
        name = models.CharField(max_length=10, unique=True)
        other = models.OneToOneField(Other, models.CASCADE)
        a = models.IntegerField()
        b = models.IntegerField()

        class Meta(RisingWaveModel.Meta):
            app_label = "django_risingwave"
            unique_together = (("a", "b"),)
            constraints = (
                models.UniqueConstraint(fields=["a"], name="a_unique"),
                models.CheckConstraint(condition=models.Q(a__gt=1), name="a_gt_1"),
            )

    warnings = check(Constrained)
    assert {warning.id for warning in warnings} == {"django_risingwave.W001"}
    assert [
        warning.msg.removeprefix("RisingWave doesn't enforce ").split(": ")[0] for warning in warnings
    ] == [
        "unique=True on name",
        "unique=True on other",
        "unique_together on a, b",
        "UniqueConstraint a_unique",
        "CheckConstraint a_gt_1",
    ]
    assert not any(warning.is_serious() for warning in warnings)


# Fields --------------------------------------------------------------------------------------------------


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


# Indexes -------------------------------------------------------------------------------------------------


def check_index(index: models.Index) -> list[CheckMessage]:
    with isolate_apps("django_risingwave"):

        class Indexed(RisingWaveModel):
            a = models.TextField()
            b = models.IntegerField()

            class Meta(RisingWaveModel.Meta):
                app_label = "django_risingwave"
                indexes = (index,)

        return check(Indexed)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (GinIndex(fields=["a"], name="i"), "support GinIndex (index i)"),
        (BTreeIndex(fields=["a"], name="i"), "support BTreeIndex (index i)"),
        (
            models.Index(fields=["a"], name="i", opclasses=["text_pattern_ops"]),
            "index i has opclasses",
        ),
        (
            models.Index(OpClass(Lower("a"), "text_pattern_ops"), name="i"),
            "index i has opclasses",
        ),
        (
            models.Index(fields=["a"], name="i", condition=models.Q(b=1)),
            "index i has a condition",
        ),
    ],
)
def test_an_index_that_risingwave_lacks_is_refused(index: models.Index, message: str) -> None:
    (error,) = check_index(index)
    assert error.id == "django_risingwave.E006"
    assert error.is_serious()
    assert message in error.msg
    assert "models.Index" in (error.hint or "")


@pytest.mark.parametrize(
    "index",
    [
        models.Index(fields=["a", "-b"], name="i"),
        models.Index(fields=["a"], include=["b"], name="i"),
        models.Index(Lower("a"), name="i"),
    ],
)
def test_an_index_that_risingwave_supports_passes(index: models.Index) -> None:
    assert check_index(index) == []


# Which models --------------------------------------------------------------------------------------------


class ToRisingWave:
    """Sends every model to RisingWave."""

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return "risingwave"


class ToNowhere:
    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        raise ImproperlyConfigured("There is no such database.")


def test_models_that_no_router_sends_to_risingwave_are_not_checked(settings: Any) -> None:
    assert checks._check_model(User) == []
    settings.DATABASE_ROUTERS = []
    assert checks.check_models() == []
    settings.DATABASE_ROUTERS = [ToNowhere()]
    assert checks._check_model(User) == []


def test_models_that_a_router_sends_to_risingwave_are_checked(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [ToRisingWave()]
    (warning,) = checks._check_model(User)
    assert warning.id == "django_risingwave.W001"
    assert "unique=True on username" in warning.msg


@isolate_apps("django_risingwave")
def test_models_that_require_the_vendor_risingwave_are_checked() -> None:
    class Plain(models.Model):  # noqa: DJ008 - never printed
        name = models.CharField(max_length=10, unique=True)

        class Meta:
            app_label = "django_risingwave"
            required_db_vendor = "risingwave"

    assert [warning.id for warning in check(Plain)] == ["django_risingwave.W001"]


@isolate_apps("django_risingwave")
def test_a_constraint_of_contrib_postgres_is_warned_about() -> None:
    class Booked(RisingWaveModel):
        room = models.IntegerField()

        class Meta(RisingWaveModel.Meta):
            app_label = "django_risingwave"
            constraints = (ExclusionConstraint(name="one", expressions=[("room", "=")]),)

    (warning,) = check(Booked)
    assert warning.id == "django_risingwave.W001"
    assert "ExclusionConstraint one" in warning.msg


# Registered ----------------------------------------------------------------------------------------------


def test_the_checks_are_registered_and_the_models_of_this_repository_pass() -> None:
    registered: set[object] = set(registry.registry.get_checks())
    assert {checks.check_databases, checks.check_models} <= registered
    assert checks.check_models() == []
    assert checks.check_models([apps.get_app_config("demo_shop")]) == []
