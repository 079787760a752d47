"""The SQL of a QuerySet as text, for a materialized view. No server is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import NotSupportedError, router

from django_risingwave.compiler import SQLCompiler
from django_risingwave.connections import get_connection
from django_risingwave.drivers.literals import literal
from django_risingwave.routers import first_risingwave_alias
from django_risingwave.version import ServerVersion

if TYPE_CHECKING:
    from django.db.models import QuerySet

# A version that confirmed the SQL that this backend writes.
_VERSION = ServerVersion(is_risingwave=True, version="2.8.0")


class _ViewCompiler(SQLCompiler):
    """Names each column: as values() and annotate() do, or else by the field's attname."""

    def get_select(self, with_col_aliases: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        select, klass_info, annotations = super().get_select(with_col_aliases)
        named = [
            (column, sql, alias or getattr(getattr(column, "target", None), "attname", None))
            for column, sql, alias in select
        ]
        return named, klass_info, annotations


def compile_queryset(queryset: QuerySet[Any]) -> str:
    """Return the SELECT in RisingWave's SQL, with the parameters written into it.

    Raises NotSupportedError for a query that RisingWave can't answer, or one that can have no rows.
    """
    alias = queryset._db or router.db_for_read(queryset.model)  # type: ignore[attr-defined]
    connection = get_connection(alias or first_risingwave_alias()).copy()
    connection._server_version = _VERSION
    query = queryset.query.clone()
    # A view has no order, except under a LIMIT or DISTINCT ON.
    query.clear_ordering(force=False)
    try:
        sql, parameters = _ViewCompiler(query, connection, connection.alias).as_sql()
    except EmptyResultSet as error:
        raise NotSupportedError(
            "The QuerySet can have no rows, such as that of none(), so it isn't sent to the database."
        ) from error
    text: str = sql % tuple(map(literal, parameters))
    return text
