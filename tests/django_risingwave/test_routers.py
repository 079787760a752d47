"""Models of RisingWave are routed to RisingWave, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models, router
from django.db.migrations.state import ModelState, ProjectState
from django.test.utils import isolate_apps

from demo.shop.models import Order, StateTurnover
from django_risingwave import routers
from django_risingwave.models import RisingWaveModel
from tests.django_risingwave.models import Author, Book, Event, KindTotal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def second_alias() -> Iterator[str]:
    """A second alias on RisingWave, after the first in DATABASES."""
    connections.settings["second"] = connections.settings["risingwave"].copy()
    assert connections["second"].vendor == "risingwave"
    yield "second"
    del connections["second"]
    del connections.settings["second"]


@pytest.mark.parametrize(
    "model", [Event, KindTotal, Author, Book, Book.readers.through, Order, StateTurnover]
)
def test_models_of_risingwave_are_routed_there(model: type[models.Model], second_alias: str) -> None:
    assert router.db_for_read(model) == "risingwave"
    assert router.db_for_write(model) == "risingwave"


def test_a_related_object_stays_on_the_alias_of_its_instance(second_alias: str) -> None:
    author = Author(pk=1)
    author._state.db = second_alias
    assert router.db_for_read(Book, instance=author) == second_alias
    author._state.db = "default"
    assert router.db_for_read(Book, instance=author) == "risingwave"


@pytest.mark.parametrize("model", [User, ContentType, User.groups.through])
def test_other_models_are_never_routed_to_risingwave(model: type[models.Model]) -> None:
    assert router.db_for_read(model) == "default"
    event = Event(pk=1)
    event._state.db = "risingwave"
    assert router.db_for_read(model, instance=event) == "default"
    assert router.db_for_write(model, instance=event) == "default"


def test_a_proxy_is_routed_as_its_model() -> None:
    with isolate_apps("django_risingwave"):

        class Proxy(Event):
            class Meta:
                app_label = "django_risingwave"
                proxy = True

    assert router.db_for_read(Proxy) == "risingwave"


def test_without_a_risingwave_database_the_error_names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    message = 'Event is on RisingWave, but no database in DATABASES has the ENGINE "django_risingwave"'
    with monkeypatch.context() as patched:
        patched.delitem(connections.settings, "risingwave")
        with pytest.raises(ImproperlyConfigured, match=message):
            router.db_for_read(Event)


def test_relations_between_risingwave_and_other_databases_are_forbidden() -> None:
    assert router.allow_relation(User(pk=1), Author(pk=1)) is False
    assert router.allow_relation(Author(pk=1), User(pk=1)) is False
    author, book = Author(pk=1), Book(pk=1)
    author._state.db = book._state.db = "risingwave"
    assert router.allow_relation(author, book) is True


def as_in_a_migration(model: type[models.Model]) -> type[models.Model]:
    """Return a plain Model with the same fields and options, as migrations have it."""
    state = ProjectState()
    state.add_model(ModelState.from_model(model))
    return state.apps.get_model(model._meta.app_label, model._meta.model_name)


@pytest.mark.parametrize(("model", "on_risingwave"), [(Author, True), (Event, True), (ContentType, False)])
@pytest.mark.parametrize("is_in_migration", [False, True])
def test_tables_are_created_on_the_database_of_their_model_only(
    model: type[models.Model], on_risingwave: bool, is_in_migration: bool
) -> None:
    if is_in_migration:
        model = as_in_a_migration(model)
    assert router.allow_migrate_model("risingwave", model) is on_risingwave
    assert router.allow_migrate_model("default", model) is not on_risingwave


@pytest.mark.parametrize(
    ("app_label", "hints", "risingwave", "default"),
    [
        # RunPython and RunSQL without hints.
        ("demo_shop", {}, True, False),
        ("auth", {}, False, True),
        ("contenttypes", {}, False, True),
        ("no_such_app", {}, False, True),
        # With hints.
        ("demo_shop", {"model_name": "order"}, True, False),
        ("auth", {"model_name": "user"}, False, True),
        ("auth", {"model_name": "no_such_model"}, False, True),
        ("auth", {"required_db_vendor": "risingwave"}, True, False),
        ("demo_shop", {"required_db_vendor": "postgresql"}, False, True),
    ],
)
def test_operations_without_a_model_run_on_one_kind_of_database_only(
    app_label: str, hints: dict[str, Any], risingwave: bool, default: bool
) -> None:
    assert router.allow_migrate("risingwave", app_label, **hints) is risingwave
    assert router.allow_migrate("default", app_label, **hints) is default


def test_operations_of_an_app_with_models_on_both_databases_run_elsewhere_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with isolate_apps("django_risingwave") as registry:

        class Here(RisingWaveModel):
            class Meta(RisingWaveModel.Meta):
                app_label = "django_risingwave"

        monkeypatch.setattr(routers, "apps", registry)
        assert router.allow_migrate("risingwave", "django_risingwave") is True
        assert router.allow_migrate("default", "django_risingwave") is False

        class Elsewhere(models.Model):  # noqa: DJ008 - never shown
            class Meta:
                app_label = "django_risingwave"

        assert router.allow_migrate("risingwave", "django_risingwave") is False
        assert router.allow_migrate("default", "django_risingwave") is True


def test_permissions_and_content_types_stay_on_default() -> None:
    for model in apps.get_models():
        if model._meta.app_label != "demo_shop":
            assert router.allow_migrate_model("risingwave", model) is False
