"""`manage.py check --database risingwave`: how the server differs from the models.

The check runs in that command alone. `migrate` runs Django's checks of databases too, before it changes what
this one would report.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import DatabaseError, connections, router

from django_risingwave.models import MaterializedView, ReadOnlyModel
from django_risingwave.routers import VENDOR, is_risingwave_model
from django_risingwave.streaming.declaring.column_checks import mismatches
from django_risingwave.streaming.declaring.declarations import DeclarationError, declared
from django_risingwave.streaming.inspecting import created_sql
from django_risingwave.streaming.inspecting.catalog import read_catalog
from django_risingwave.streaming.inspecting.compared_definitions import compare_definitions
from django_risingwave.streaming.rebuilding.plan import is_temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.apps import AppConfig
    from django.db.models import Model

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.declaring.declarations import Declaration
    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.inspecting.catalog import Catalog, CatalogObject

_is_asked_for: ContextVar[bool] = ContextVar("_is_asked_for", default=False)


@contextmanager
def asked_for() -> Iterator[None]:
    """Let check_drift() run in the block."""
    token = _is_asked_for.set(True)
    try:
        yield
    finally:
        _is_asked_for.reset(token)


def check_drift(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Compare the models on each of these databases with what its server has. Sends three queries to each."""
    if not _is_asked_for.get():
        return []
    messages: list[CheckMessage] = []
    for alias in databases or ():
        connection: Any = connections[alias]
        if connection.vendor != VENDOR:
            continue
        models = [
            model
            for model in apps.get_models(include_auto_created=True)
            if (app_configs is None or model._meta.app_config in app_configs)
            and not model._meta.proxy
            and not model._meta.swapped
            and is_risingwave_model(model)
            and router.allow_migrate_model(alias, model)
        ]
        try:
            messages += _drift(connection, models)
        except DatabaseError as error:
            messages.append(
                Error(
                    f"The catalog of DATABASES[{alias!r}] can't be read ({str(error).splitlines()[0]}).",
                    hint="Check that the server runs, and the user's rights.",
                    id="django_risingwave.E020",
                )
            )
    return messages


def _drift(connection: DatabaseWrapper, models: Sequence[type[Model]]) -> Iterator[CheckMessage]:
    catalog = read_catalog(connection)
    for model in models:
        try:
            declaration = declared(model)
        except DeclarationError:
            # The models' own check reports it.
            continue
        yield from _compare(connection, catalog, model, declaration)
    for name, found in sorted(catalog.objects.items()):
        if is_temporary_name(name):
            yield CheckWarning(
                f"The {found.kind} {name} is left over from a migration that was interrupted.",
                hint=f"Run `manage.py migrate --database {connection.alias}` again, which finishes it.",
                id="django_risingwave.W022",
            )


def _compare(
    connection: DatabaseWrapper, catalog: Catalog, model: type[Model], declaration: Declaration
) -> Iterator[CheckMessage]:
    table, definition = model._meta.db_table, declaration.definition
    kinds = _kinds(model, definition)
    found = catalog.objects.get(table)
    if found is None:
        yield _missing(connection, model, kinds[0], is_ours=bool(definition) or model._meta.managed)
        return
    if found.kind not in kinds:
        yield Error(
            f"{table} is a {found.kind}, but the model needs a {kinds[0]}.",
            hint="Correct db_table, or the model's base class.",
            obj=model,
            id="django_risingwave.E022",
        )
        return
    # RisingWave 2.8.0 lists _row_id among the columns, but no other hidden one can be a field's.
    columns = {column.name: column.oid for column in found.columns}
    for mismatch in mismatches(connection, model, columns):
        yield Error(
            f"{found.kind.capitalize()} {table}: {mismatch}.",
            hint=f"Correct the field, or run `manage.py migrate --database {connection.alias}`.",
            obj=model,
            id="django_risingwave.E023",
        )
    if definition is not None:
        yield from compare_definitions(connection, model, definition, found)
    for attached in declaration.attached.values():
        yield from _compare_attached(connection, catalog, model, attached)
    if model._meta.managed or definition is not None:
        yield from _compare_indexes(connection, catalog, model, found)


def _kinds(model: type[Model], definition: Definition | None) -> Sequence[str]:
    """Return the kinds of relations that the model may have, the best one first."""
    if definition is not None:
        return (definition.kind.lower(),)
    if issubclass(model, MaterializedView):
        return ("materialized view", "view")
    if issubclass(model, ReadOnlyModel):
        return ("table", "materialized view", "view", "source")
    return ("table",)


def _missing(connection: DatabaseWrapper, model: type[Model], kind: str, *, is_ours: bool) -> CheckMessage:
    text = f"There is no {kind} {model._meta.db_table} in DATABASES[{connection.alias!r}]."
    if is_ours:
        hint = f"Run `manage.py migrate --database {connection.alias}`."
        return Error(text, hint=hint, obj=model, id="django_risingwave.E021")
    hint = "No migration creates it: create it, or correct the model's db_table."
    return CheckWarning(text, hint=hint, obj=model, id="django_risingwave.W020")


def _compare_attached(
    connection: DatabaseWrapper, catalog: Catalog, model: type[Model], attached: Definition
) -> Iterator[CheckMessage]:
    kind, source = attached.kind.lower(), getattr(attached, "source", None)
    found = catalog.objects.get(attached.name)
    if source is None:
        # A secret, which isn't in the catalog of relations.
        return
    if found is None or found.kind != kind:
        difference = f"There is no {kind} {attached.name} on {source}."
    elif found.sources and source not in found.sources:
        difference = (
            f"The {kind} {attached.name} is on {', '.join(sorted(found.sources))} instead of {source}."
        )
    elif (retention := getattr(attached, "retention", None)) and _differs(retention, found):
        kept = created_sql.retention(found.definition)
        difference = f"The {kind} {attached.name} keeps changes for {kept} instead of {retention}."
    else:
        yield from compare_definitions(connection, model, attached, found)
        return
    yield Error(
        difference,
        hint=f"Run `manage.py migrate --database {connection.alias}`. If it does nothing, drop the {kind} "
        "and create it again.",
        obj=model,
        id="django_risingwave.E024",
    )


def _differs(retention: str, found: CatalogObject) -> bool:
    kept = created_sql.retention(found.definition)
    return kept is not None and kept.lower().split() != retention.lower().split()


def _compare_indexes(
    connection: DatabaseWrapper, catalog: Catalog, model: type[Model], found: CatalogObject
) -> Iterator[CheckMessage]:
    if not connection.is_risingwave and found.kind != "table":
        # The stand-in's views have no indexes.
        return
    existing = {index.name for index in catalog.attached(found.name) if index.kind == "index"}
    for index in model._meta.indexes:
        if index.name not in existing:
            yield Error(
                f"There is no index {index.name} on {found.name}.",
                hint=f"Run `manage.py migrate --database {connection.alias}`.",
                obj=model,
                id="django_risingwave.E025",
            )
