"""The SQL of one view, as the server has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django_risingwave.streaming.inspecting import created_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django_risingwave.base import DatabaseWrapper

#: The kinds whose SQL has no passwords. Those of sources, sinks and tables with a connector may have some.
_KINDS = ("materialized view", "view")
_RISINGWAVE = """
    SELECT relation.definition
    FROM rw_catalog.rw_relations AS relation
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE relation.name = %s AND relation.relation_type IN ('materialized view', 'view')
        AND schema.name = {schema}
"""
_POSTGRESQL = """
    SELECT 'CREATE VIEW ' || quote_ident(viewname) || ' AS ' || trim(definition, '; ')
    FROM pg_catalog.pg_views WHERE viewname = %s AND schemaname = {schema}
    UNION ALL
    SELECT 'CREATE MATERIALIZED VIEW ' || quote_ident(matviewname) || ' AS ' || trim(definition, '; ')
    FROM pg_catalog.pg_matviews WHERE matviewname = %s AND schemaname = {schema}
"""


def view_sql(connection: DatabaseWrapper, name: str, schema: str | None = None) -> str | None:
    """Return the statement that creates a view, or None if no view in the schema has this name.

    The schema is the current one by default. On the stand-in, the SQL of a view that it created is that of
    RisingWave, which it recorded. Raises django.db.Error.
    """
    names = [name] if schema is None else [name, schema]
    place = "current_schema()" if schema is None else "%s"
    with connection.cursor() as cursor:
        standin = connection.standin
        if standin is None:
            cursor.execute(_RISINGWAVE.format(schema=place), names)
        elif recorded := _recorded(standin.get_definitions(cursor), cursor, name, schema):
            return recorded
        else:
            cursor.execute(_POSTGRESQL.format(schema=place), names * 2)
        row = cursor.fetchone()
    return row[0] if row else None


def _recorded(recorded: Mapping[str, str], cursor: Any, name: str, schema: str | None) -> str | None:
    """Return the statement of a view that the stand-in has created: it does so in the current schema."""
    cursor.execute("SELECT current_schema()", [])
    if schema is not None and cursor.fetchone() != (schema,):
        return None
    statement = recorded.get(name, "")
    return statement if created_sql.kind(statement) in _KINDS else None
