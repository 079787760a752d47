"""Models go to RisingWave by what they are."""

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
from tests.django_risingwave.models import Author, Book, Event, KindTotal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def second_alias() -> Iterator[str]:
    """Another alias for RisingWave, after the first in settings."""
    connections.settings["second"] = connections.settings["risingwave"].copy()
    assert connections["second"].vendor == "risingwave"
    yield "second"
    del connections["second"]
    del connections.settings["second"]


@pytest.mark.parametrize(
    "model", [Event, KindTotal, Author, Book, Book.readers.through, Order, StateTurnover]
)
def test_risingwave_models_go_to_risingwave(model: type[models.Model], second_alias: str) -> None:
    assert router.db_for_read(model) == "risingwave"
    assert router.db_for_write(model) == "risingwave"


def test_a_related_object_stays_on_the_alias_of_its_instance(second_alias: str) -> None:
    author = Author(pk=1)
    author._state.db = second_alias
    assert router.db_for_read(Book, instance=author) == second_alias
    author._state.db = "default"
    assert router.db_for_read(Book, instance=author) == "risingwave"


@pytest.mark.parametrize("model", [User, ContentType, User.groups.through])
def test_other_models_never_go_to_risingwave(model: type[models.Model]) -> None:
    assert router.db_for_read(model) == "default"
    event = Event(pk=1)
    event._state.db = "risingwave"
    assert router.db_for_read(model, instance=event) == "default"
    assert router.db_for_write(model, instance=event) == "default"


def test_a_proxy_goes_where_its_model_is() -> None:
    with isolate_apps("django_risingwave"):

        class Proxy(Event):
            class Meta:
                app_label = "django_risingwave"
                proxy = True

    assert router.db_for_read(Proxy) == "risingwave"


def test_settings_without_risingwave_are_named_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.delitem(connections.settings, "risingwave")
        with pytest.raises(
            ImproperlyConfigured,
            match=r'Event is on RisingWave, but no database has ENGINE "django_risingwave": add one',
        ):
            router.db_for_read(Event)


def test_relations_between_the_two_sides_are_forbidden() -> None:
    assert router.allow_relation(User(pk=1), Author(pk=1)) is False
    assert router.allow_relation(Author(pk=1), User(pk=1)) is False
    author, book = Author(pk=1), Book(pk=1)
    author._state.db = book._state.db = "risingwave"
    assert router.allow_relation(author, book) is True


def as_a_migration_sees(model: type[models.Model]) -> type[models.Model]:
    """The model without its Python class: a plain Model with the same fields and options."""
    state = ProjectState()
    state.add_model(ModelState.from_model(model))
    return state.apps.get_model(model._meta.app_label, model._meta.model_name)


@pytest.mark.parametrize(("model", "on_risingwave"), [(Author, True), (Event, True), (ContentType, False)])
@pytest.mark.parametrize("seen", ["as it is", "by a migration"])
def test_tables_are_made_on_the_side_of_their_model(
    model: type[models.Model], on_risingwave: bool, seen: str
) -> None:
    if seen == "by a migration":
        model = as_a_migration_sees(model)
    assert router.allow_migrate_model("risingwave", model) is on_risingwave
    assert router.allow_migrate_model("default", model) is not on_risingwave


@pytest.mark.parametrize(
    ("app_label", "hints", "risingwave", "default"),
    [
        # RunPython and RunSQL say nothing of a model.
        ("demo_shop", {}, True, True),
        ("auth", {}, False, True),
        ("contenttypes", {}, False, True),
        ("no_such_app", {}, False, True),
        # They may by hints.
        ("demo_shop", {"model_name": "order"}, True, False),
        ("auth", {"model_name": "user"}, False, True),
        ("auth", {"model_name": "no_such_model"}, False, True),
        ("auth", {"required_db_vendor": "risingwave"}, True, False),
        ("demo_shop", {"required_db_vendor": "postgresql"}, False, True),
    ],
)
def test_operations_without_a_model_run_where_their_app_is_at_home(
    app_label: str, hints: dict[str, Any], risingwave: bool, default: bool
) -> None:
    assert router.allow_migrate("risingwave", app_label, **hints) is risingwave
    assert router.allow_migrate("default", app_label, **hints) is default


def test_permissions_and_content_types_stay_on_default() -> None:
    for model in apps.get_models():
        if model._meta.app_label != "demo_shop":
            assert router.allow_migrate_model("risingwave", model) is False
