"""What a server has in the current schema: its objects with their columns, definitions and dependencies.

On RisingWave it takes three queries, however many objects there are, all of rw_catalog. The stand-in's
definitions are those that it recorded when it created the objects, in RisingWave's SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from django_risingwave.streaming.inspecting import created_sql
from django_risingwave.streaming.rebuilding.existing import Existing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django_risingwave.base import DatabaseWrapper

_COLUMNS = """
    SELECT relation.name, col.name, col.type_oid, col.is_primary_key, col.is_hidden
    FROM rw_catalog.rw_columns AS col
    JOIN rw_catalog.rw_relations AS relation ON relation.id = col.relation_id
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE schema.name = current_schema()
    ORDER BY relation.name, col.position
"""
# `_row_id` plays the column that RisingWave hides.
_STANDIN_COLUMNS = """
    SELECT c.relname, a.attname, a.atttypid::int, coalesce(a.attnum = ANY (i.indkey), FALSE),
        a.attname = '_row_id'
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
    WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND c.relnamespace = to_regnamespace(current_schema())
    ORDER BY c.relname, a.attnum
"""
# PostgreSQL's own text of what the stand-in has not created: indexes, and views that others made. Of a view
# that it created before it had a record, PostgreSQL's text says how it is kept up to date, not its SELECT.
_STANDIN_DEFINITIONS = """
    SELECT viewname, 'CREATE VIEW ' || quote_ident(viewname) || ' AS ' || trim(definition, '; ')
    FROM pg_catalog.pg_views WHERE schemaname = current_schema() AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger
        WHERE tgname = 'refuse_write'
            AND tgrelid = to_regclass(quote_ident(schemaname) || '.' || quote_ident(viewname))
    )
    UNION ALL
    SELECT c.relname, replace(pg_get_indexdef(i.indexrelid), ' USING btree', '')
    FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE c.relnamespace = to_regnamespace(current_schema()) AND NOT i.indisprimary
"""


@dataclass(frozen=True)
class CatalogColumn:
    """A column of a relation."""

    name: str
    #: The oid of its type.
    oid: int
    is_key: bool
    #: Whether `SELECT *` leaves it out, as _row_id.
    is_hidden: bool


@dataclass(frozen=True)
class CatalogObject:
    """A relation, or a subscription, sink or index."""

    name: str
    #: "table", "materialized view", "view", "source", "sink", "subscription" or "index".
    kind: str
    #: The statement that creates it, as the server writes it. Empty if it isn't known.
    definition: str
    columns: tuple[CatalogColumn, ...]
    #: The names of what it reads or stands on directly.
    sources: frozenset[str]

    @property
    def shown(self) -> tuple[CatalogColumn, ...]:
        """The columns of `SELECT *`."""
        return tuple(column for column in self.columns if not column.is_hidden)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of its key, or nothing if a hidden column is one of them."""
        keys = [column for column in self.columns if column.is_key]
        return () if any(column.is_hidden for column in keys) else tuple(column.name for column in keys)


class Catalog:
    """All objects of the current schema."""

    def __init__(self, objects: Mapping[str, CatalogObject]) -> None:
        #: By name.
        self.objects = objects

    def attached(self, relation: str) -> Iterator[CatalogObject]:
        """Yield the subscriptions, sinks and indexes on a relation, by kind and name."""
        for found in sorted(self.objects.values(), key=lambda each: (each.kind, each.name)):
            if found.kind in ("index", "sink", "subscription") and relation in found.sources:
                yield found

    def in_order(self) -> list[CatalogObject]:
        """Return the objects so that each comes after those it reads. Otherwise they are ordered by name."""
        graph = {name: sorted(found.sources) for name, found in sorted(self.objects.items())}
        try:
            names = list(TopologicalSorter(graph).static_order())
        except CycleError:
            # A view that is being replaced may read a name of its own.
            names = sorted(self.objects)
        return [self.objects[name] for name in names if name in self.objects]


def read_catalog(connection: DatabaseWrapper) -> Catalog:
    """Return the objects of the current schema that the user may see. Raises django.db.Error."""
    standin = connection.standin
    if standin is None:
        return _read_risingwave(connection)
    with connection.cursor() as cursor:
        return _read_standin(cursor, standin.get_relation_kinds(cursor), standin.get_definitions(cursor))


def _read_risingwave(connection: DatabaseWrapper) -> Catalog:
    existing = Existing(connection)
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [])
        columns = _columns(cursor.fetchall())
    objects: dict[str, CatalogObject] = {}
    # A table with a connector is a source of the same name too.
    for found in sorted(existing.objects.values(), key=lambda each: each.kind):
        if not found.is_in_schema:
            continue
        name = found.name
        read = {other.name for other in existing.found(existing.reads.get(found.id, ()))} - {name}
        if name in objects:
            read |= objects[name].sources
        objects[name] = CatalogObject(
            name, found.kind, found.definition, columns.get(name, ()), frozenset(read)
        )
    return Catalog(objects)


def _read_standin(cursor: Any, kinds: Mapping[str, str], recorded: Mapping[str, str]) -> Catalog:
    cursor.execute(_STANDIN_DEFINITIONS, [])
    definitions = dict(cursor.fetchall()) | dict(recorded)
    cursor.execute(_STANDIN_COLUMNS, [])
    columns = _columns(cursor.fetchall())
    objects = {}
    # The kinds are those of other schemas too, which have the names of the current one's relations at most.
    for name in columns.keys() | definitions.keys():
        definition = definitions.get(name, "")
        kind = created_sql.kind(definition) if name in recorded or name not in kinds else kinds[name]
        objects[name] = CatalogObject(
            name, kind, definition, columns.get(name, ()), created_sql.sources(definition)
        )
    return Catalog(objects)


def _columns(rows: Any) -> dict[str, tuple[CatalogColumn, ...]]:
    columns: dict[str, dict[str, CatalogColumn]] = {}
    for relation, name, *facts in rows:
        # A table with a connector has each column twice: as the table's, and as its source's.
        found = CatalogColumn(name, *facts)
        known = columns.setdefault(relation, {}).get(name)
        if known is None or not known.is_key:
            columns[relation][name] = found
    return {relation: tuple(each.values()) for relation, each in columns.items()}
