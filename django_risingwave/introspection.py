"""Introspection of tables and views. On RisingWave it reads rw_catalog, the server's own catalog.

RisingWave's pg_catalog isn't enough for Django's queries: every column counts as nullable, system schemas
count as visible, and pg_index can't be unnested as Django does.
https://docs.risingwave.com/sql/system-catalogs/rw-catalog
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.introspection import (
    DatabaseIntrospection as PostgreSQLDatabaseIntrospection,
)
from django.db.backends.postgresql.introspection import FieldInfo, TableInfo
from django.db.models import Index

if TYPE_CHECKING:
    from collections.abc import Collection

    from django_risingwave.base import DatabaseWrapper

_TABLES = """
    SELECT relation.name, relation.relation_type
    FROM rw_catalog.rw_relations AS relation
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE schema.name = current_schema()
        AND relation.relation_type IN ('table', 'materialized view', 'view', 'source')
    ORDER BY relation.name, relation.relation_type
"""
_TABLES_AND_SINKS = _TABLES.replace("'source'", "'source', 'sink'")
# src/frontend/src/catalog/system_catalog/rw_catalog/rw_secrets.rs at v3.0.3
_SECRETS = """
    SELECT secret.name
    FROM rw_catalog.rw_secrets AS secret
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = secret.schema_id
    WHERE schema.name = current_schema()
"""
_NULLABLE = """
    SELECT column_name, is_nullable = 'YES'
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = %s
"""
_COLUMNS = """
    SELECT col.position, col.name, col.is_primary_key, col.is_hidden
    FROM rw_catalog.rw_columns AS col
    JOIN rw_catalog.rw_relations AS relation ON relation.id = col.relation_id
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE schema.name = current_schema() AND relation.name = %s
        AND relation.relation_type IN ('table', 'materialized view')
    ORDER BY col.position
"""
_INDEXES = """
    SELECT idx.name, idx.key_columns
    FROM rw_catalog.rw_indexes AS idx
    JOIN rw_catalog.rw_relations AS relation ON relation.id = idx.primary_table_id
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE schema.name = current_schema() AND relation.name = %s
    ORDER BY idx.name
"""
_INDEX_DEFINITIONS = """
    SELECT idx.name, idx.definition
    FROM rw_catalog.rw_indexes AS idx
    JOIN rw_catalog.rw_relations AS relation ON relation.id = idx.primary_table_id
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE schema.name = current_schema() AND relation.name = %s
    ORDER BY idx.name
"""
# Indexes aren't among them: they are dropped with their table.
_DEPENDENTS = """
    SELECT dependent.name, dependent.relation_type
    FROM rw_catalog.rw_depend AS dependency
    JOIN rw_catalog.rw_relations AS dependent ON dependent.id = dependency.objid
    JOIN rw_catalog.rw_relations AS relation ON relation.id = dependency.refobjid
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    WHERE schema.name = current_schema() AND relation.name = %s AND relation.relation_type = 'table'
        AND dependent.relation_type <> 'index'
    ORDER BY dependent.relation_type, dependent.name
"""
# A subscription depends on one relation, its source. The catalog lists those that the user may read:
# rw_subscriptions.rs and rw_depend.rs in src/frontend/src/catalog/system_catalog/rw_catalog at v3.0.3.
_SUBSCRIPTIONS = """
    SELECT relation.name, subscription.name
    FROM rw_catalog.rw_subscriptions AS subscription
    JOIN rw_catalog.rw_depend AS dependency ON dependency.objid = subscription.id
    JOIN rw_catalog.rw_relations AS relation ON relation.id = dependency.refobjid
    JOIN rw_catalog.rw_schemas AS schema
        ON schema.id = relation.schema_id AND schema.id = subscription.schema_id
    WHERE schema.name = current_schema()
    ORDER BY relation.name, subscription.name
"""


class DatabaseIntrospection(PostgreSQLDatabaseIntrospection):
    """Describes tables, materialized views, views and sources of the current schema."""

    connection: DatabaseWrapper

    def get_relation_kinds(self, cursor: Any) -> dict[str, str]:
        """Return {name: "table", "materialized view", "view" or "source"}."""
        if standin := self.connection.standin:
            return standin.get_relation_kinds(cursor)
        cursor.execute(_TABLES, [])
        # A table with a connector is also listed as a source; "table" sorts later and wins.
        return dict(cursor.fetchall())

    def get_object_kinds(self, cursor: Any) -> dict[str, str]:
        """Return the kind of each relation, subscription and sink by name, such as "table" or "sink"."""
        subscriptions = dict.fromkeys(self.get_subscription_sources(cursor), "subscription")
        if standin := self.connection.standin:
            sinks = dict.fromkeys(standin.get_sinks(cursor), "sink")
            return subscriptions | sinks | standin.get_relation_kinds(cursor)
        cursor.execute(_TABLES_AND_SINKS, [])
        return subscriptions | dict(cursor.fetchall())

    def django_table_names(self, only_existing: bool = False, include_views: bool = True) -> list[str]:  # noqa: FBT001, FBT002 - Django's signature
        """Add the stand-in's tables in place of sources and of tables with a connector: flush empties them.

        On RisingWave a connector would not bring their rows again.
        """
        names: list[str] = super().django_table_names(only_existing, include_views)
        standin = self.connection.standin if only_existing else None
        if standin is None:
            return names
        with self.connection.cursor() as cursor:
            return [*names, *standin.get_connected_tables(cursor)]

    def get_secrets(self, cursor: Any) -> set[str]:
        """Return the names of the secrets, which relations may have too. The stand-in has none."""
        if not self.connection.is_risingwave:
            return set()
        cursor.execute(_SECRETS, [])
        return {name for (name,) in cursor.fetchall()}

    def get_readable(self, cursor: Any, names: Collection[str]) -> set[str]:
        """Return those of these existing relations that the user may SELECT from. Works on both servers."""
        if not names:
            return set()
        privileges = ", ".join(["has_table_privilege(%s, 'SELECT')"] * len(names))
        # Both servers read the text as a name in SQL: without quotes, RisingWave refuses 2024_sales.
        # See resolve_regclass_inner() in src/frontend/src/expr/function_impl/cast_regclass.rs at v3.0.3.
        quoted = [self.connection.ops.quote_name(name) for name in names]
        cursor.execute(f"SELECT {privileges}", quoted)
        return {name for name, allowed in zip(names, cursor.fetchone(), strict=True) if allowed}

    def get_subscriptions(self, cursor: Any) -> dict[str, str]:
        """Return a subscription's name by its table or materialized view."""
        return {source: name for name, source in self.get_subscription_sources(cursor).items()}

    def get_subscription_sources(self, cursor: Any) -> dict[str, str]:
        """Return the table or materialized view of each subscription, by the subscription's name."""
        if standin := self.connection.standin:
            return standin.get_subscription_sources(cursor)
        cursor.execute(_SUBSCRIPTIONS, [])
        return {name: source for source, name in cursor.fetchall()}

    def get_dependents(self, cursor: Any, table_name: str) -> dict[str, str]:
        """Return the kind of each object that uses a table, by name: "materialized view", "sink" and so on.

        Only those that use it directly; indexes aren't counted.
        """
        if standin := self.connection.standin:
            return standin.get_dependents(cursor, table_name)
        cursor.execute(_DEPENDENTS, [table_name])
        return dict(cursor.fetchall())

    def get_index_definitions(self, cursor: Any, table_name: str) -> dict[str, str]:
        """Return the CREATE INDEX of each index of a table or materialized view, by name. RisingWave only."""
        cursor.execute(_INDEX_DEFINITIONS, [table_name])
        return dict(cursor.fetchall())

    def get_table_list(self, cursor: Any) -> Any:
        """Return tables and sources ("t"), views and materialized views ("v")."""
        if not self.connection.is_risingwave:
            return super().get_table_list(cursor)
        return [
            TableInfo(name, "v" if kind.endswith("view") else "t", "")
            for name, kind in self.get_relation_kinds(cursor).items()
        ]

    def get_table_description(self, cursor: Any, table_name: str) -> Any:
        """Return the columns of `SELECT *`, which leaves out `_row_id`."""
        if not self.connection.is_risingwave:
            return super().get_table_description(cursor, table_name)
        cursor.execute(_NULLABLE, [table_name])
        nullable = dict(cursor.fetchall())
        # RisingWave allows a nullable primary key; Django doesn't.
        key = self.get_primary_key_columns(cursor, table_name) or ()
        cursor.execute(f"SELECT * FROM {self.connection.ops.quote_name(table_name)} LIMIT 1")  # noqa: S608 - quoted
        return [
            FieldInfo(
                name=column.name,
                type_code=column.type_code,
                display_size=None,
                internal_size=column.internal_size,
                precision=None,
                scale=None,
                null_ok=nullable.get(column.name, True) and column.name not in key,
                default=None,
                collation=None,
                is_autofield=False,
                comment="",
            )
            for column in cursor.description
        ]

    def get_column_names(self, cursor: Any, table_name: str) -> set[str]:
        """Return the names of a relation's columns, without a query of the relation, which a source answers.

        Works on both servers.
        """
        cursor.execute(_NULLABLE, [table_name])
        return {name for name, _ in cursor.fetchall()}

    def get_sequences(self, cursor: Any, table_name: str, table_fields: Any = ()) -> Any:
        """Return nothing on RisingWave, which has no sequences."""
        return super().get_sequences(cursor, table_name) if not self.connection.is_risingwave else []

    def get_relations(self, cursor: Any, table_name: str) -> Any:
        """Return nothing on RisingWave, which has no foreign keys."""
        return super().get_relations(cursor, table_name) if not self.connection.is_risingwave else {}

    def get_constraints(self, cursor: Any, table_name: str) -> Any:
        """Return the primary key and the indexes: RisingWave has no other constraints.

        A key with a hidden column isn't declared: it is `_row_id`, or that of a materialized view which
        doesn't select all columns that identify its rows.
        """
        if not self.connection.is_risingwave:
            return super().get_constraints(cursor, table_name)
        cursor.execute(_COLUMNS, [table_name])
        columns = cursor.fetchall()
        names = {position: name for position, name, _, _ in columns}
        constraints = {}
        key = [(name, is_hidden) for _, name, is_primary_key, is_hidden in columns if is_primary_key]
        if key and not any(is_hidden for _, is_hidden in key):
            constraints[f"{table_name}_pkey"] = _constraint(
                [name for name, _ in key], primary_key=True, unique=True
            )
        cursor.execute(_INDEXES, [table_name])
        for index, positions in cursor.fetchall():
            # Position 0 stands for an expression.
            keys = [names[position] for position in positions if position in names]
            constraints[index] = _constraint(keys, index=True, type=Index.suffix)
        return constraints


def _constraint(columns: list[str], **facts: Any) -> dict[str, Any]:
    return {
        "columns": columns,
        "primary_key": False,
        "unique": False,
        "foreign_key": None,
        "check": False,
        "index": False,
        "definition": None,
        "options": None,
    } | facts
