"""A model that lost what its base says is found by `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.auth.models import User
from django.core.checks import CheckMessage, Error, registry
from django.test.utils import isolate_apps

from django_risingwave import checks
from django_risingwave.models import MaterializedView, RisingWaveModel

if TYPE_CHECKING:
    from django.db import models


def check(model: type[models.Model]) -> list[CheckMessage]:
    return checks._check_model(model)


@isolate_apps("django_risingwave")
def test_a_view_with_a_meta_of_its_own() -> None:
    class Lost(MaterializedView):
        class Meta:
            app_label = "django_risingwave"

    assert check(Lost) == [
        Error(
            "The model is a RisingWaveModel, but its Meta has no required_db_vendor = 'risingwave', so the "
            "router doesn't send it to RisingWave.",
            hint="Write `class Meta(MaterializedView.Meta):`.",
            obj=Lost,
            id="django_risingwave.E001",
        ),
        Error(
            "The model is a MaterializedView, but its Meta has no managed = False, so migrate would make a "
            "table of it.",
            hint="Write `class Meta(MaterializedView.Meta):`.",
            obj=Lost,
            id="django_risingwave.E002",
        ),
    ]


@isolate_apps("django_risingwave")
def test_a_table_with_a_meta_of_its_own() -> None:
    class Lost(RisingWaveModel):
        class Meta:
            app_label = "django_risingwave"

    assert [(error.id, error.hint) for error in check(Lost)] == [
        ("django_risingwave.E001", "Write `class Meta(RisingWaveModel.Meta):`.")
    ]


@isolate_apps("django_risingwave")
def test_models_that_took_over_their_bases_meta_are_right() -> None:
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


def test_the_check_is_registered_and_this_projects_models_pass() -> None:
    registered: set[object] = set(registry.registry.get_checks())
    assert checks.check_models in registered
    assert checks.check_models() == []
    assert checks.check_models([apps.get_app_config("live")]) == []
