"""Relations between RisingWave and other databases are found by a system check, and refused in joins."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.core.checks import CheckMessage, registry
from django.db import NotSupportedError, models, router
from django.test.utils import isolate_apps

from demo.shop.models import Order
from django_risingwave.models import MaterializedView, RisingWaveModel
from django_risingwave.relations import _check_relation, _check_relations_of, check_relations
from tests.django_risingwave.models import Author, Book, ShelfTotal

RELATIONS_ROUTER = "django_risingwave.routers.RelationsRouter"


def with_field(field: Any, base: type[models.Model] = RisingWaveModel) -> Any:
    """Return a model on RisingWave, or a plain one in the database `default`, that has the field."""
    meta = {"app_label": "django_risingwave"}
    bases = (base.Meta,) if hasattr(base, "Meta") else ()
    with isolate_apps("django_risingwave"):
        members = {"__module__": __name__, "key": models.IntegerField(primary_key=True), "other": field}
        return type("Related", (base,), members | {"Meta": type("Meta", bases, meta)})


def check(field: Any, base: type[models.Model] = RisingWaveModel) -> list[CheckMessage]:
    return list(_check_relation(with_field(field, base)._meta.get_field("other")))


@pytest.mark.parametrize("field", [models.ForeignKey, models.OneToOneField])
def test_a_key_to_another_database_is_refused_with_the_ways_out(field: Any) -> None:
    (error,) = check(field(User, models.CASCADE, related_name="+"))
    assert error.id == "django_risingwave.E008"
    assert error.is_serious()
    assert error.msg == (
        "django_risingwave.Related is in the database 'risingwave' and auth.User in 'default'. This fails: "
        "deleting auth.User, since Django looks for django_risingwave.Related in 'default'; assigning an "
        "instance, which the router refuses."
    )
    assert error.hint == (
        "Store the id in a field such as BigIntegerField. Or set on_delete=models.DO_NOTHING, "
        'DATABASE_ROUTERS = ["django_risingwave.routers.RelationsRouter"]; see docs/backend/relations.md.'
    )


def test_a_key_that_deletes_nothing_needs_a_router_that_permits_assigning(settings: Any) -> None:
    field = models.ForeignKey(User, models.DO_NOTHING, related_name="+")
    (error,) = check(field)
    assert error.msg.endswith("This fails: assigning an instance, which the router refuses.")
    settings.DATABASE_ROUTERS = [RELATIONS_ROUTER]
    assert check(models.ForeignKey(User, models.DO_NOTHING, related_name="+")) == []
    (error,) = check(models.ForeignKey(User, models.CASCADE, related_name="+"))
    assert "Or set on_delete=models.DO_NOTHING; see" in (error.hint or "")


def test_a_key_of_a_read_only_model_needs_no_router() -> None:
    assert check(models.ForeignKey(User, models.DO_NOTHING, related_name="+"), MaterializedView) == []


def test_a_key_from_another_database_must_not_be_a_foreign_key_there(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [RELATIONS_ROUTER]
    (error,) = check(models.ForeignKey(Order, models.DO_NOTHING, related_name="+"), models.Model)
    assert error.msg.startswith(
        "django_risingwave.Related is in the database 'default' and demo_shop.Order in 'risingwave'."
    )
    assert error.msg.endswith("This fails: migrate, which creates a foreign key.")
    assert "Or set db_constraint=False; see" in (error.hint or "")
    unchecked = models.ForeignKey(Order, models.DO_NOTHING, related_name="+", db_constraint=False)
    assert check(unchecked, models.Model) == []


@pytest.mark.parametrize("routers", [["django_risingwave.routers.RisingWaveRouter"], [RELATIONS_ROUTER]])
def test_many_to_many_is_refused_whatever_the_router(settings: Any, routers: list[str]) -> None:
    settings.DATABASE_ROUTERS = routers
    (error,) = check(models.ManyToManyField(User, related_name="+"))
    assert error.id == "django_risingwave.E008"
    assert error.hint == "Replace the ManyToManyField with a model that has the ids of both."


def test_the_content_type_of_a_generic_key_is_a_relation_too() -> None:
    with isolate_apps("django_risingwave"):

        class Tag(RisingWaveModel):
            content_type = models.ForeignKey(ContentType, models.CASCADE, related_name="+")
            object_id = models.BigIntegerField()
            item = GenericForeignKey()

            class Meta(RisingWaveModel.Meta):
                app_label = "django_risingwave"

    (error,) = _check_relation(Tag._meta.get_field("content_type"))
    assert "contenttypes.ContentType in 'default'" in error.msg


@isolate_apps("django_risingwave")
def test_a_generic_relation_to_another_database_is_refused_with_what_to_use(settings: Any) -> None:
    class Event(RisingWaveModel):
        content_type = models.ForeignKey(ContentType, models.DO_NOTHING, related_name="+")
        object_id = models.BigIntegerField()
        item = GenericForeignKey()

        class Meta(RisingWaveModel.Meta):
            app_label = "django_risingwave"

    class Customer(models.Model):
        events = GenericRelation(Event)

        class Meta:
            app_label = "django_risingwave"

        def __str__(self) -> str:
            return str(self.pk)

    class Product(RisingWaveModel):
        events = GenericRelation(Event)

        class Meta(RisingWaveModel.Meta):
            app_label = "django_risingwave"

    settings.DATABASE_ROUTERS = [RELATIONS_ROUTER]
    (error,) = _check_relations_of(Customer)
    assert error.id == "django_risingwave.E008"
    assert error.obj is Customer._meta.get_field("events")
    assert error.msg == (
        "django_risingwave.Customer is in the database 'default' and django_risingwave.Event in "
        "'risingwave'. This fails: deleting django_risingwave.Customer, since Django looks for "
        "django_risingwave.Event in 'default'; filter(events__…=…), which joins the two."
    )
    assert error.hint == (
        "Remove the GenericRelation. Filter django_risingwave.Event by content_type and object_id instead."
    )
    assert list(_check_relations_of(Product)) == []


def test_a_relation_without_a_column_is_named_too() -> None:
    field = models.ForeignObject(User, models.CASCADE, ["key"], ["id"], related_name="+")
    (error,) = check(field)
    assert "This fails: deleting auth.User" in error.msg


def test_relations_inside_one_database_pass(settings: Any) -> None:
    for field in (*Book._meta.local_fields, *Book._meta.local_many_to_many, *ShelfTotal._meta.local_fields):
        assert list(_check_relation(field)) == []
    assert check(models.ForeignKey(User, models.CASCADE, related_name="+"), models.Model) == []
    settings.DATABASE_ROUTERS = []
    assert check(models.ForeignKey(User, models.CASCADE, related_name="+")) == []


def test_a_relation_to_a_model_that_is_not_installed_is_left_to_django() -> None:
    assert check(models.ForeignKey("nowhere.Model", models.CASCADE)) == []


def test_the_check_is_registered_and_the_models_of_this_repository_pass() -> None:
    registered: set[Any] = set(registry.registry.get_checks())
    assert check_relations in registered
    assert check_relations() == check_relations([apps.get_app_config("demo_shop")]) == []


# The router ----------------------------------------------------------------------------------------------


def test_the_router_of_relations_permits_them(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [RELATIONS_ROUTER]
    assert router.allow_relation(User(pk=1), Author(pk=1)) is True
    assert router.allow_relation(Author(pk=1), User(pk=1)) is True
    assert router.allow_relation(User(pk=1), User(pk=2)) is True
    assert router.db_for_read(Author) == "risingwave"


# Joins ---------------------------------------------------------------------------------------------------


def test_a_join_with_another_database_is_refused_with_what_to_use(disguise: Any) -> None:
    model = with_field(models.ForeignKey(User, models.DO_NOTHING, related_name="+"))
    rows: Any = models.QuerySet(model)
    message = (
        "django_risingwave.Related and auth.User are in different databases, so no query can join them. Use "
        "prefetch_related() instead of select_related(), and filter(other__in=[…]) with instances or keys "
        'instead of filter(other__…="…").'
    )
    for queryset in (
        rows.select_related("other"),
        rows.filter(other__username="a"),
        rows.order_by("other__username"),
        rows.filter(key__in=rows.filter(other__username="a").values("key")),
    ):
        with pytest.raises(NotSupportedError) as error:
            list(queryset)
        assert str(error.value) == message
    assert disguise.statements == []


def test_a_subquery_of_another_database_is_refused_with_what_to_use(disguise: Any) -> None:
    model = with_field(models.ForeignKey(User, models.DO_NOTHING, related_name="+"))
    rows: Any = models.QuerySet(model)
    users = User.objects.filter(username="a")
    for queryset in (
        rows.filter(other__in=users),
        rows.exclude(other__in=users),
        rows.filter(models.Q(key=1) | models.Q(other_id=models.Subquery(users.values("pk")[:1]))),
        rows.filter(models.Exists(users)),
    ):
        with pytest.raises(
            NotSupportedError, match=r"auth\.User are in different databases.*list\(queryset\)"
        ):
            list(queryset)
    assert disguise.statements == []


def test_a_filter_by_key_needs_no_join(disguise: Any) -> None:
    model = with_field(models.ForeignKey(User, models.DO_NOTHING, related_name="+"))
    with disguise.connection.schema_editor() as editor:
        editor.create_model(model)
    rows: Any = models.QuerySet(model)
    assert list(rows.filter(other=User(pk=1))) == list(rows.filter(other_id__in=[1, 2])) == []
    assert list(rows.filter(other__isnull=True).order_by("other_id")) == []
