"""Relations between models of different databases, which Django's ORM neither joins nor deletes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError, connections, models, router
from django.db.models.sql import Query

from django_risingwave.models import ReadOnlyModel
from django_risingwave.routers import VENDOR, is_risingwave_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.apps import AppConfig
    from django.db.models import Model


def check_relations(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Check the relations between models on RisingWave and models in other databases."""
    return [
        error
        for model in apps.get_models()
        if not model._meta.proxy and (app_configs is None or model._meta.app_config in app_configs)
        for error in _check_relations_of(model)
    ]


def _check_relations_of(model: type[Model]) -> Iterator[CheckMessage]:
    meta = model._meta
    for field in (*meta.local_fields, *meta.local_many_to_many, *filter(_is_generic, meta.private_fields)):
        yield from _check_relation(field)


def _check_relation(field: Any) -> Iterator[CheckMessage]:
    model, related = field.model, field.related_model
    # A model that isn't installed is a name: Django's own checks refuse it.
    if related is None or isinstance(related, str):
        return
    alias, related_alias = _alias(model), _alias(related)
    if alias == related_alias or VENDOR not in (_vendor(alias), _vendor(related_alias)):
        return
    where = f"{model._meta.label} is in the database {alias!r} and {related._meta.label} in {related_alias!r}"
    if field.many_to_many:
        yield Error(
            f"{where}, so no query can join them.",
            hint="Replace the ManyToManyField with a model that has the ids of both.",
            obj=field,
            id="django_risingwave.E008",
        )
        return
    if _is_generic(field):
        yield Error(
            f"{where}. This fails: deleting {model._meta.label}, since Django looks for "
            f"{related._meta.label} in {alias!r}; filter({field.name}__…=…), which joins the two.",
            hint=f"Remove the GenericRelation. Filter {related._meta.label} by "
            f"{field.content_type_field_name} and {field.object_id_field_name} instead.",
            obj=field,
            id="django_risingwave.E008",
        )
        return
    fails, remedies = [], []
    if field.remote_field.on_delete is not models.DO_NOTHING:
        fails.append(
            f"deleting {related._meta.label}, since Django looks for {model._meta.label} in {related_alias!r}"
        )
        remedies.append("on_delete=models.DO_NOTHING")
    # A ForeignObject has no db_constraint.
    if getattr(field, "db_constraint", False) and _vendor(alias) != VENDOR:
        fails.append("migrate, which creates a foreign key")
        remedies.append("db_constraint=False")
    if not issubclass(model, ReadOnlyModel) and not _may_assign(model, related):
        fails.append("assigning an instance, which the router refuses")
        remedies.append('DATABASE_ROUTERS = ["django_risingwave.routers.RelationsRouter"]')
    if fails:
        yield Error(
            f"{where}. This fails: {'; '.join(fails)}.",
            hint=f"Store the id in a field such as BigIntegerField. Or set {', '.join(remedies)}; "
            "see docs/backend/relations.md.",
            obj=field,
            id="django_risingwave.E008",
        )


def _is_generic(field: Any) -> bool:
    """Return whether the field is a GenericRelation, which contrib.contenttypes has, if it is installed.

    Django looks at the same method to find what it deletes with an instance.
    """
    return hasattr(field, "bulk_related_objects")


def _alias(model: type[Model]) -> str | None:
    try:
        return router.db_for_write(model)
    except ImproperlyConfigured:
        return None


def _vendor(alias: str | None) -> str | None:
    return connections[alias].vendor if alias else None


def _may_assign(model: type[Model], related: type[Model]) -> bool:
    # from_db() makes instances without computing defaults.
    ours, theirs = (each.from_db(_alias(each), [], []) for each in (model, related))
    return router.allow_relation(theirs, ours)


def check_joins(query: Query) -> None:
    """Raise NotSupportedError if the query joins a model on RisingWave with one in another database.

    The same holds for a subquery of the other model in its filters, though not for one in an annotation.
    """
    for alias, table in query.alias_map.items():
        field: Any = getattr(table, "join_field", None)
        if query.alias_refcount[alias] and getattr(field, "related_model", None) is not None:
            _refuse_others(
                field.model,
                field.related_model,
                f"Use prefetch_related() instead of select_related(), and filter({field.name}__in=[…]) with "
                f'instances or keys instead of filter({field.name}__…="…").',
            )
    for condition in query.where.leaves():
        for side in (getattr(condition, "lhs", None), getattr(condition, "rhs", None)):
            other = getattr(side, "query", side)
            if isinstance(other, Query) and other.model is not None and query.model is not None:
                _refuse_others(query.model, other.model, "Pass a list instead of a QuerySet: list(queryset).")


def _refuse_others(model: type[Model], other: type[Model], remedy: str) -> None:
    if is_risingwave_model(model) != is_risingwave_model(other):
        raise NotSupportedError(
            f"{model._meta.label} and {other._meta.label} are in different databases, so no query can join "
            f"them. {remedy}"
        )
