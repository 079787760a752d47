"""The columns of a mirror: those of a table in PostgreSQL, with the types that RisingWave gives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL

from django_risingwave.fields import DashedUUIDField

if TYPE_CHECKING:
    from collections.abc import Iterable

# The type of a column in RisingWave by that in PostgreSQL, without arguments. The connector accepts no other:
# isDataTypeCompatible() in PostgresValidator.java at v3.0.3. An integer can't become a bigint, for example.
_TYPES = {
    "bigint": "bigint",
    "boolean": "boolean",
    "bytea": "bytea",
    "char": "varchar",
    "citext": "varchar",
    "date": "date",
    "double precision": "double precision",
    "inet": "varchar",
    "integer": "integer",
    "interval": "interval",
    "jsonb": "jsonb",
    "numeric": "numeric",
    "real": "real",
    "smallint": "smallint",
    "text": "varchar",
    "time": "time",
    "timestamp": "timestamp",
    "timestamp with time zone": "timestamp with time zone",
    "timestamptz": "timestamp with time zone",
    "uuid": "varchar",
    "varchar": "varchar",
}
# A mirror's keys come from PostgreSQL.
_WITHOUT_SEQUENCE: dict[str, type[models.Field[Any, Any]]] = {
    "AutoField": models.IntegerField,
    "BigAutoField": models.BigIntegerField,
    "SmallAutoField": models.SmallIntegerField,
    "UUIDField": DashedUUIDField,
}
# What a field says of writes, or of its own column in PostgreSQL.
_LEFT_OUT = frozenset(
    {
        "auto_created",
        "auto_now",
        "auto_now_add",
        "blank",
        "db_collation",
        "db_column",
        "db_comment",
        "db_default",
        "db_index",
        "db_tablespace",
        "default",
        "editable",
        "help_text",
        "null",
        "primary_key",
        "serialize",
        "unique",
        "unique_for_date",
        "unique_for_month",
        "unique_for_year",
    }
)


def source_fields(source: type[models.Model], names: Iterable[str] | None = None) -> list[models.Field]:
    """Return the fields of the model's own table, or the named ones and its primary key.

    Raises ImproperlyConfigured for an unknown name, or one of another table.
    """
    fields = {field.name: field for field in source._meta.local_concrete_fields}
    if names is None:
        return list(fields.values())
    for name in names:
        try:
            known = source._meta.get_field(name)
        except FieldDoesNotExist:
            known = None
        if known not in fields.values():
            raise ImproperlyConfigured(
                f"Stream.fields names {name!r}, which isn't a field of the table of {source._meta.label}. "
                f"Choose from: {', '.join(fields)}."
            )
    return [field for name, field in fields.items() if name in set(names) or field in source._meta.pk_fields]


def mirrored_field(field: models.Field) -> models.Field:
    """Return a field for the same column of a read-only model. A foreign key becomes a field of its key.

    Raises ImproperlyConfigured if the model that a foreign key refers to hasn't been loaded yet.
    """
    origin = _referred(field)
    _, path, positional, keywords = origin.deconstruct()
    kept = {name: value for name, value in keywords.items() if name not in _LEFT_OUT}
    if origin is not field:
        kept.pop("verbose_name", None)
    if field.null:
        kept["null"] = True
    if field.column != field.attname:
        kept["db_column"] = field.column
    if field.primary_key:
        kept["primary_key"] = True
    kind = _WITHOUT_SEQUENCE.get(path.rpartition(".")[2], type(origin))
    return kind(*positional, **kept)


def column_type(field: models.Field) -> str:
    """Return the type of the field's column in RisingWave.

    Raises ImproperlyConfigured, naming the field, if RisingWave can't follow such a column.
    """
    # It is never connected.
    declared = _referred(field).db_type(PostgreSQL({}, "mirrors")) or ""
    if field.generated:
        reason = "is generated, and PostgreSQL doesn't replicate generated columns"
    elif (found := _TYPES.get(re.sub(r"\(.*\)$", "", declared))) is None:
        reason = f"is a {declared!r} in PostgreSQL, which RisingWave can't follow"
    else:
        return found
    raise ImproperlyConfigured(f"{field.model._meta.label}.{field.name} {reason}.")


def unresolved(field: models.Field) -> models.Field | None:
    """Return the foreign key, this one or one that it leads to, whose model hasn't been loaded yet."""
    while field.remote_field is not None:
        if isinstance(field.remote_field.model, str):
            return field
        field = field.target_field  # type: ignore[attr-defined]  # not in the stubs
    return None


def _referred(field: models.Field) -> models.Field:
    """Return the field itself, or the key that a chain of foreign keys ends with."""
    waiting: Any = unresolved(field)
    if waiting:
        raise ImproperlyConfigured(
            f"{field.model._meta.label}.{field.name} refers to {waiting.remote_field.model}, which isn't "
            "loaded yet. Declare the mirror after it."
        )
    while field.remote_field is not None:
        field = field.target_field  # type: ignore[attr-defined]  # not in the stubs
    return field
