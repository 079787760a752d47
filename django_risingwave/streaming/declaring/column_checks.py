"""Compare a view's SELECT with the fields of its model, before the view is created.

RisingWave would create a view that the model can't read, and the first query would be the first to tell.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import DatabaseError, OperationalError

from django_risingwave.columns.types import TYPES, base_type, holds
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from django.db.models import Model

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.columns.types import ColumnType
    from django_risingwave.streaming.definitions import Definition

logger = logging.getLogger(__name__)

#: The name that both servers give to a column whose expression has none.
_NAMELESS = "?column?"
# What may follow the SELECT of a view, but not a subquery.
_AFTER_SELECT = re.compile(r"(\s+EMIT\s+ON\s+WINDOW\s+CLOSE)?[\s;]*\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Mismatch:
    """A field without a column that fits it."""

    field: Any
    #: The column's type in SQL that the field needs.
    wanted: str
    #: The type of the column, or None if there is no such column.
    found: ColumnType | None

    def __str__(self) -> str:
        """Return what is wrong, without a full stop."""
        name, column, kind = self.field.name, self.field.column, type(self.field).__name__
        if self.found is None:
            return f'field "{name}" has no column "{column}"'
        return f'field "{name}" is {_a(kind)}, but the column "{column}" is {_a(str(self.found))}'


def check_columns(connection: DatabaseWrapper, model: type[Model], definition: Definition) -> None:
    """Raise FieldError, with all findings, unless the fields of the model fit the definition's SELECT.

    Columns without a field are allowed, and logged. A definition without a SELECT is left alone. So is a
    SELECT that the server refuses as a query: its CREATE says what is wrong, if anything is. Sends one query,
    which reads no rows.
    """
    columns = _read_columns(connection, definition)
    if columns is None:
        return
    name = f"{definition.kind.capitalize()} {definition.name}"
    findings = [
        *_ambiguous(columns),
        *(f"{each}. {_remedy(each, columns)}" for each in mismatches(connection, model, dict(columns))),
    ]
    if findings:
        raise FieldError("\n".join(f"{name}: {finding}" for finding in findings))
    fields = {field.column for field in model._meta.local_concrete_fields}
    if others := [column for column, _ in columns if column not in fields]:
        logger.warning("%s: model %s has no field for %s", name, model._meta.label, _listed(others))


def mismatches(
    connection: DatabaseWrapper, model: type[Model], columns: Mapping[str, int]
) -> Iterator[Mismatch]:
    """Yield each field of the model without a column that fits. The columns are given by name, as oids."""
    for field in model._meta.local_concrete_fields:
        wanted = field.db_type(connection)
        if field.column is None or wanted is None:
            continue
        oid = columns.get(field.column)
        found = TYPES.get(oid) if oid is not None else None
        if oid is None or (found is not None and not holds(wanted, found)):
            yield Mismatch(field, wanted, found)


def _read_columns(connection: DatabaseWrapper, definition: Definition) -> Sequence[tuple[str, int]] | None:
    """Return the names and oids of the SELECT's columns, or None if there is no SELECT, or no answer."""
    if not isinstance(definition, ViewDefinition):
        return None
    standin = connection.standin
    query = standin.select_sql(definition) if standin else definition.query
    # A line of its own, so that a comment at its end doesn't hide what follows.
    sql = f"SELECT * FROM (\n{_AFTER_SELECT.sub('', query, count=1)}\n) AS q LIMIT 0"  # noqa: S608 - the project's own SQL
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return [(column[0], column[1]) for column in cursor.description]
    except OperationalError:
        raise
    except DatabaseError as error:
        logger.debug("%s %s: its columns can't be checked (%s)", definition.kind, definition.name, error)
        return None


def _ambiguous(columns: Sequence[tuple[str, int]]) -> Iterator[str]:
    for name, count in Counter(name for name, _ in columns).items():
        if name == _NAMELESS:
            yield "a column of the query has no name. Give it one with AS."
        elif count > 1:
            yield f'{count} columns of the query are named "{name}". Rename the others with AS.'


def _remedy(mismatch: Mismatch, columns: Sequence[tuple[str, int]]) -> str:
    if mismatch.found is None:
        return (
            f"The query's columns are {_listed(name for name, _ in columns)}. Name one of them with "
            f'AS "{mismatch.field.column}", or remove the field.'
        )
    wanted = base_type(mismatch.wanted)
    cast = f"(…)::{wanted}{'[]' if mismatch.wanted.endswith('[]') else ''}"
    return f"Cast it in the query, {cast}, or use {_a(mismatch.found.field_name)}."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOaeio' else 'a'} {noun}"
