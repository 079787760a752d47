"""`manage.py check` finds models and settings that fail on RisingWave, and says what to do instead."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import BTreeIndex, GinIndex, OpClass
from django.core.checks import CheckMessage, Error, registry
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models
from django.db.models.functions import Lower
from django.test.utils import isolate_apps

from django_risingwave import checks
from django_risingwave.models import MaterializedView, ReadOnlyModel, RisingWaveModel


def check(model: type[models.Model]) -> list[CheckMessage]:
    return checks._check_model(model)


@isolate_apps("django_risingwave")
def test_a_view_whose_meta_does_not_inherit_its_bases_is_refused() -> None:
    class Lost(MaterializedView):
        kind = models.TextField(primary_key=True)

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
        kind = models.TextField(primary_key=True)

        class Meta(MaterializedView.Meta):
            app_label = "django_risingwave"

    class Proxy(View):
        class Meta:
            app_label = "django_risingwave"
            proxy = True

    assert [error for model in (Table, View, Proxy, User) for error in check(model)] == []


@isolate_apps("django_risingwave")
@pytest.mark.parametrize("base", [MaterializedView, ReadOnlyModel])
def test_a_view_without_a_primary_key_is_refused(base: type[ReadOnlyModel]) -> None:
    members = {"__module__": __name__, "total": models.IntegerField()}

    def view(name: str, **more: Any) -> Any:
        meta = type("Meta", (base.Meta,), {"app_label": "django_risingwave", "managed": False})
        return type(name, (base,), members | more | {"Meta": meta})

    (error,) = check(view("Keyless"))
    assert error.id == "django_risingwave.E007"
    assert error.is_serious()
    assert error.msg.startswith("The model declares no primary key, so each query would select the column id")
    assert "primary_key=True" in (error.hint or "")
    key = {"a": models.TextField(), "b": models.TextField(), "pk": models.CompositePrimaryKey("a", "b")}
    assert check(view("Composite", **key)) == []
    assert check(view("Keyed", id=models.IntegerField(primary_key=True))) == []


@isolate_apps("django_risingwave")
def test_a_managed_table_may_have_djangos_automatic_key() -> None:
    class Archive(ReadOnlyModel):
        class Meta(ReadOnlyModel.Meta):
            app_label = "django_risingwave"

    assert check(Archive) == []


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
