"""The admin of read-only models and of naive datetimes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.sites import all_sites
from django.contrib.admin.views.main import ChangeList
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.db.models import JSONField

from django_risingwave.fields import NaiveDateTimeField
from django_risingwave.models import ReadOnlyModel
from django_risingwave.routers import is_risingwave_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.apps import AppConfig
    from django.db.models import Model
    from django.http import HttpRequest

    _ModelAdmin = admin.ModelAdmin[Model]
else:
    # Only the stubs' class is generic.
    _ModelAdmin = admin.ModelAdmin

_PERMISSIONS = ("has_add_permission", "has_change_permission", "has_delete_permission")


class ReadOnlyAdmin(_ModelAdmin):
    """Lists and shows instances to users with the permission to view them, and refuses every change.

    An example::

        @admin.register(StateTurnover)
        class StateTurnoverAdmin(ReadOnlyAdmin):
            list_display = ["state", "turnover"]

    There are no buttons to add, save or delete, also for superusers, and no action to delete. Columns of a
    JSONField can't be sorted.
    """

    def get_sortable_by(self, request: HttpRequest) -> Any:
        json = _json_fields(self.model)
        return [name for name in super().get_sortable_by(request) if name not in json]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ReadOnlyChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyChangeList(ChangeList):
    """A list that ignores an order by a JSON column in the parameter `o`.

    Django takes any column from `o`, also one that sortable_by leaves out. RisingWave 2.8.0 doesn't order
    JSON as PostgreSQL does, so the query would raise NotSupportedError.
    """

    def get_ordering_field(self, field_name: Any) -> Any:
        return None if field_name in _json_fields(self.model) else super().get_ordering_field(field_name)


class NaiveDateTimeListFilter(admin.DateFieldListFilter):
    """A filter by date of a NaiveDateTimeField, whose values have no time zone as Django's filter adds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.links = tuple(
            (title, {lookup: _without_time_zone(value) for lookup, value in lookups.items()})
            for title, lookups in self.links
        )


def _without_time_zone(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


admin.FieldListFilter.register(
    lambda field: isinstance(field, NaiveDateTimeField), NaiveDateTimeListFilter, take_priority=True
)


def check_admin(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn about what the admin offers for models on RisingWave, though it would raise an error."""
    return [
        warning
        for site in all_sites
        for model, model_admin in site._registry.items()
        if is_risingwave_model(model) and (app_configs is None or model._meta.app_config in app_configs)
        for warning in (*_check_changes(model, model_admin), *_check_order(model, model_admin))
    ]


def _check_changes(model: type[Model], model_admin: _ModelAdmin) -> Iterator[CheckMessage]:
    if issubclass(model, ReadOnlyModel) and any(
        getattr(type(model_admin), name) is getattr(admin.ModelAdmin, name) for name in _PERMISSIONS
    ):
        yield CheckWarning(
            f"{model._meta.label} is read-only, but {type(model_admin).__name__} offers to change it, which "
            "would raise ReadOnlyError.",
            hint="Derive the class from django_risingwave.admin.ReadOnlyAdmin.",
            obj=type(model_admin),
            id="django_risingwave.W002",
        )


def _check_order(model: type[Model], model_admin: _ModelAdmin) -> Iterator[CheckMessage]:
    if type(model_admin).get_sortable_by is not admin.ModelAdmin.get_sortable_by:
        return
    columns: Any = model_admin.list_display if model_admin.sortable_by is None else model_admin.sortable_by
    json = _json_fields(model)
    for name in columns:
        if name in json and name in model_admin.list_display:
            yield CheckWarning(
                f"{type(model_admin).__name__} offers to sort {model._meta.label} by the JSONField {name}, "
                "which would raise NotSupportedError: RisingWave doesn't order JSON as PostgreSQL does.",
                hint=f"List the other columns in sortable_by. Or show {name} by a method with "
                f'@admin.display(ordering=Cast(KT("{name}__key"), FloatField())).',
                obj=type(model_admin),
                id="django_risingwave.W003",
            )


def _json_fields(model: type[Model]) -> set[str]:
    return {field.name for field in model._meta.get_fields() if isinstance(field, JSONField)}
