"""The definition that a model of a source or of a table with a connector declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django_risingwave.connections import get_connection
from django_risingwave.fields import RowIdField
from django_risingwave.streaming.connectors.definitions import (
    ConnectorDefinition,
    ConnectorTableDefinition,
    SourceDefinition,
    needs_key,
)
from django_risingwave.streaming.declaring.declarations import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model

_Definition = TypeVar("_Definition", bound=ConnectorDefinition)

_OPTIONAL = ("format", "encode", "encode_options", "include", "watermark")


def source_definition(model: type[Model], stream: Any) -> SourceDefinition | None:
    """Return the definition of a source, or None if others keep it. Raises DeclarationError."""
    if not hasattr(stream, "connector"):
        return None
    arguments = _arguments(model, stream, _OPTIONAL)
    if any(isinstance(field, RowIdField) for field in model._meta.local_concrete_fields):
        raise DeclarationError(
            model,
            "a source keeps no rows, so it has no row ids.",
            "Set primary_key=True on another field, or declare a CompositePrimaryKey, such as one of the "
            "columns for partition and offset.",
        )
    if needs_key(arguments.get("format", "PLAIN")):
        # Otherwise RisingWave keeps no key, and the model's only tells Django what identifies a row.
        arguments["primary_key"] = _key(model)
    return _define(model, SourceDefinition, arguments)


def table_definition(model: type[Model], stream: Any) -> ConnectorTableDefinition | None:
    """Return the definition of a table with a connector, or None if others keep it.

    Raises DeclarationError.
    """
    if not hasattr(stream, "connector"):
        return None
    arguments = _arguments(model, stream, (*_OPTIONAL, "append_only", "on_conflict"))
    return _define(model, ConnectorTableDefinition, {**arguments, "primary_key": _key(model)})


def _arguments(model: type[Model], stream: Any, names: tuple[str, ...]) -> dict[str, Any]:
    given = {name: getattr(stream, name) for name in names if hasattr(stream, name)}
    return {"connector": stream.connector, "columns": dict(_columns(model)), **given}


def _define(model: type[Model], definition: type[_Definition], arguments: dict[str, Any]) -> _Definition:
    try:
        return definition(model._meta.db_table, **arguments)
    except (AttributeError, TypeError, ValueError) as error:
        raise DeclarationError(model, str(error), "") from error


def _columns(model: type[Model]) -> Iterator[tuple[str, str]]:
    connection = get_connection()
    for field in model._meta.local_concrete_fields:
        if isinstance(field, RowIdField):
            continue
        if field.generated or field.has_db_default():
            computed = "a GeneratedField" if field.generated else "db_default"
            raise DeclarationError(
                model,
                f"{field.name} has its value from the connector, so it can't be or have {computed}.",
                "Compute the value in a view over the model.",
            )
        if field.auto_created:
            raise DeclarationError(
                model,
                f"the model declares no primary key, and messages have no column {field.column!r}, which "
                "Django adds to such a model.",
                "Set primary_key=True on the field that identifies a row, or declare a CompositePrimaryKey.",
            )
        column_type = field.db_type(connection)
        assert field.column is not None  # noqa: S101 - the field is concrete
        assert column_type is not None  # noqa: S101
        yield field.column, column_type


def _key(model: type[Model]) -> list[str]:
    fields: Any = model._meta.pk_fields
    return [field.column for field in fields if not isinstance(field, RowIdField)]
