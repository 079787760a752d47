"""Whether an object on the server is the declared one, as far as their statements tell."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from django_risingwave.streaming.connectors.sql import SecretName, hides_value, read_connector, variable
from django_risingwave.streaming.inspecting import created_sql
from django_risingwave.streaming.reading_sql import UnreadableSQLError, canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from django.db.models import Model

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.connectors.sql import Connector
    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.inspecting.catalog import CatalogObject


def compare_definitions(
    connection: DatabaseWrapper, model: type[Model], definition: Definition, found: CatalogObject
) -> Iterator[CheckMessage]:
    """Yield what differs between a definition of the model and the object on the server.

    SELECTs are compared in a form that doesn't depend on how they are written, connectors option by option.
    """
    ours, theirs = definition.create_sql(connection.ops.quote_name), found.definition
    selects = created_sql.select(ours), created_sql.select(theirs)
    connectors = read_connector(ours), read_connector(theirs)
    if selects[0] and selects[1] and not _are_equal(selects[0], selects[1]):
        both = f"Declared:\n{_indented(selects[0])}\nOn the server:\n{_indented(selects[1])}"
        read = definition.relations_read()
        # The server knows better than its text what a view reads.
        if found.sources and read != found.sources:
            yield Error(
                f"The {found.kind} {found.name} reads {_listed(found.sources)} instead of {_listed(read)}. "
                + both,
                hint=f"Run `manage.py migrate --database {connection.alias}`, or change the declaration.",
                obj=model,
                id="django_risingwave.E026",
            )
        else:
            yield _another(connection, model, found, f". {both}")
    elif connectors[0] and connectors[1]:
        for different in _differences(connectors[0], connectors[1]):
            yield _another(connection, model, found, f": {different}.")


def _another(
    connection: DatabaseWrapper, model: type[Model], found: CatalogObject, difference: str
) -> CheckMessage:
    return CheckWarning(
        f"The {found.kind} {found.name} may have another definition{difference}",
        hint="If both mean the same, silence this warning. Otherwise change the declaration, or run "
        f"`manage.py migrate --database {connection.alias}`.",
        obj=model,
        id="django_risingwave.W021",
    )


def _are_equal(ours: str, theirs: str) -> bool:
    try:
        return canonical(ours) == canonical(theirs)
    except UnreadableSQLError:
        return ours.split() == theirs.split()


def _differences(ours: Connector, theirs: Connector) -> Iterator[str]:
    yield from _different_options(ours.options, theirs.options)
    yield from _different_options(ours.encode_options, theirs.encode_options)
    for field in fields(ours):
        mine, other = getattr(ours, field.name), getattr(theirs, field.name)
        if field.name in ("options", "encode_options") or mine == other:
            continue
        if field.name != "query" or not (mine and other and _are_equal(mine, other)):
            yield f"{field.name} ({other!r} instead of {mine!r})"


def _different_options(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs, without the values of secrets. Values from the environment aren't known here."""
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        if mine == other or (mine is not None and other is not None and variable(mine)):
            continue
        is_hidden = isinstance(other, SecretName) or any(hides_value(name, value) for value in (mine, other))
        yield f"option {name}" if is_hidden else f"option {name} ({other!r} instead of {mine!r})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _indented(sql: str) -> str:
    return "\n".join(f"    {line.strip()}" for line in sql.strip().splitlines())
