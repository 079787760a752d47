"""The relations of all schemas that a session may read, and their columns.

For programs that let people choose what to read. A name comes from the catalog and is written into SQL by the
driver's own sql.Identifier, whatever characters it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.psycopg_any import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django_risingwave.base import DatabaseWrapper

#: Relations whose privileges one query asks for.
RELATIONS_PER_QUERY = 200

# RisingWave 2.8.0 has all of its relations in rw_catalog, those of the system with kinds of their own.
_RISINGWAVE_RELATIONS = """
    SELECT schema.name, relation.name, relation.relation_type
    FROM rw_catalog.rw_relations AS relation
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE schema.name NOT IN ('information_schema', 'pg_catalog', 'rw_catalog')
        AND relation.relation_type IN ('materialized view', 'table', 'view')
    ORDER BY schema.name, relation.name
"""
_RISINGWAVE_COLUMNS = """
    SELECT col.name, col.type_oid
    FROM rw_catalog.rw_columns AS col
    JOIN rw_catalog.rw_relations AS relation ON relation.id = col.relation_id
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE schema.name = %s AND relation.name = %s AND NOT col.is_hidden
        AND relation.relation_type IN ('materialized view', 'table', 'view')
    ORDER BY col.position
"""


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A table, view or materialized view, by its names in the catalog."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column, with the oid of its type: of an enum that of text, of a domain that of its base type."""

    name: str
    type_oid: int


def identifier(connection: DatabaseWrapper, *names: str) -> str:
    """Return names from the catalog as SQL: `"public"."orders"`. The driver escapes them.

    Django's quote_name() takes a name that begins and ends with a quotation mark for SQL. The connection must
    be open.
    """
    text: str = sql.Identifier(*names).as_string(connection.connection)
    return text


def find_relations(connection: DatabaseWrapper) -> dict[Relation, str]:
    """Return the kind of each relation that the session may read: "materialized view", "table" or "view".

    Those of the system are left out, and those that the stand-in keeps for itself. Raises django.db.Error.
    """
    with connection.cursor() as cursor:
        if standin := connection.standin:
            return {
                Relation(schema, name): kind for schema, name, kind in standin.get_readable_relations(cursor)
            }
        cursor.execute(_RISINGWAVE_RELATIONS, [])
        kinds = {Relation(schema, name): kind for schema, name, kind in cursor.fetchall()}
        return {relation: kinds[relation] for relation in _readable(connection, cursor, kinds)}


def find_columns(connection: DatabaseWrapper, relation: Relation) -> list[Column]:
    """Return the columns of a relation, in their order; none if it doesn't exist. Raises django.db.Error."""
    with connection.cursor() as cursor:
        if standin := connection.standin:
            rows = standin.get_columns(cursor, relation.schema, relation.name)
        else:
            cursor.execute(_RISINGWAVE_COLUMNS, [relation.schema, relation.name])
            rows = cursor.fetchall()
    return [Column(name, type_oid) for name, type_oid in rows]


def may_create_in_current_schema(connection: DatabaseWrapper) -> bool:
    """Return whether the session may create relations where it looks for them first."""
    with connection.cursor() as cursor:
        # NULL if there is no such schema.
        cursor.execute("SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')", [])
        ((may,),) = cursor.fetchall()
        return bool(may)


def _readable(connection: DatabaseWrapper, cursor: Any, relations: Iterable[Relation]) -> Iterator[Relation]:
    # RisingWave has has_table_privilege() for names that are literals: 2.8.0 answers it.
    ordered = list(relations)
    for start in range(0, len(ordered), RELATIONS_PER_QUERY):
        chunk = ordered[start : start + RELATIONS_PER_QUERY]
        names = [identifier(connection, relation.schema, relation.name) for relation in chunk]
        privileges = ", ".join(["has_table_privilege(%s, 'SELECT')"] * len(chunk))
        cursor.execute(f"SELECT {privileges}", names)
        answers = cursor.fetchone()
        yield from (relation for relation, allowed in zip(chunk, answers, strict=True) if allowed)
