"""What the stand-in knows of what it has created: its record of definitions, and PostgreSQL's catalog."""

# ruff: noqa: S608 - names and literals are quoted here

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from django_risingwave.standin.connectors import SOURCE
from django_risingwave.standin.expiring import FLOORS
from django_risingwave.standin.functions import DEFINITIONS
from django_risingwave.standin.sql import literal, quote
from django_risingwave.streaming.definitions import (
    LeadingRowsDefinition,
    MaterializedViewDefinition,
    TotalsDefinition,
)
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from django_risingwave.streaming.definitions import Definition

#: The definitions that recorded() returns, by the name that the record has for them.
CLASSES: dict[str, type[Definition]] = {
    kind.__name__: kind for kind in (LeadingRowsDefinition, TotalsDefinition, ViewDefinition)
}

# A view that takes a materialized view's place refuses writes.
_IS_OURS = "EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = {} AND tgname = 'refuse_write')"
_RELATION_KINDS = f"""
    SELECT relname, CASE
        WHEN relkind = 'm' OR {_IS_OURS.format("pg_class.oid")} THEN 'materialized view'
        WHEN relkind = 'v' THEN 'view'
        WHEN EXISTS (
            SELECT FROM pg_catalog.pg_constraint WHERE conrelid = pg_class.oid AND conname = '{SOURCE}'
        ) THEN 'source'
        ELSE 'table'
    END
    FROM pg_catalog.pg_class
    WHERE relkind IN ('f', 'm', 'p', 'r', 'v') AND pg_catalog.pg_table_is_visible(oid)
"""
_READABLE = f"""/* standin.catalog */
    SELECT nspname, relname, CASE
        WHEN relkind = 'm' OR {_IS_OURS.format("pg_class.oid")} THEN 'materialized view'
        WHEN relkind = 'v' THEN 'view'
        ELSE 'table'
    END
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('f', 'm', 'p', 'r', 'v') AND NOT relispartition
        AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'standin', 'standin_changes')
        AND has_schema_privilege(pg_namespace.oid, 'USAGE') AND has_table_privilege(pg_class.oid, 'SELECT')
    ORDER BY nspname, relname
"""
# With the type that a domain is made of, and an enum's as text.
_COLUMNS = """/* standin.catalog */
    SELECT attname, CASE
        WHEN typtype = 'e' THEN 25
        WHEN typtype = 'd' THEN typbasetype
        ELSE atttypid
    END::int
    FROM pg_catalog.pg_attribute
        JOIN pg_catalog.pg_class ON pg_class.oid = attrelid
        JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
        JOIN pg_catalog.pg_type ON pg_type.oid = atttypid
    WHERE nspname = %s AND relname = %s AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
"""
_ANNOUNCED = f"""/* standin.catalog */
    SELECT relname FROM pg_catalog.pg_class
    WHERE relname = ANY (%s) AND pg_catalog.pg_table_is_visible(oid) AND {_IS_OURS.format("pg_class.oid")}
"""
# What reads a relation, and what reads that: `depth` is the number of views on the way. A summary's table and
# its view "<name>.query", both in the schema `standin`, count as the view itself.
_READERS = f"""/* standin.catalog */
    WITH RECURSIVE reads (name, relation, depth) AS (
        SELECT name, to_regclass(quote_ident(name))::oid, 0 FROM unnest(%s::text[]) AS name
        UNION
        SELECT reader.relname::text COLLATE "default", reader.oid, depth + 1
        FROM reads
        JOIN pg_catalog.pg_depend ON refobjid = relation AND refclassid = 'pg_catalog.pg_class'::regclass
        JOIN pg_catalog.pg_rewrite ON pg_rewrite.oid = objid AND classid = 'pg_catalog.pg_rewrite'::regclass
        JOIN pg_catalog.pg_class AS query ON query.oid = ev_class AND query.oid <> relation
        JOIN pg_catalog.pg_class AS reader ON reader.oid = CASE
            WHEN query.relnamespace = to_regnamespace('standin') THEN (
                SELECT view.oid FROM pg_catalog.pg_class AS view
                WHERE view.relname || '.query' = query.relname AND view.relkind = 'v'
                    AND {_IS_OURS.format("view.oid")}
            )
            ELSE query.oid
        END
    )
    SELECT name, max(depth), CASE
        WHEN bool_or(relkind = 'm' OR {_IS_OURS.format("relation")}) THEN 'materialized view' ELSE 'view'
    END
    FROM reads JOIN pg_catalog.pg_class ON pg_class.oid = relation
    WHERE depth > 0 AND relkind IN ('m', 'v')
    GROUP BY name ORDER BY 2, 3, 1
"""
# The functions of time, as PostgreSQL writes them outside of strings.
_MOVING = """/* standin.catalog */
    WITH RECURSIVE reads (name, relation) AS (
        SELECT name, to_regclass(%s || quote_ident(name))::oid FROM unnest(%s::text[]) AS name
        UNION
        SELECT name, refobjid
        FROM reads
        JOIN pg_catalog.pg_rewrite ON ev_class = relation
        JOIN pg_catalog.pg_depend ON objid = pg_rewrite.oid AND classid = 'pg_catalog.pg_rewrite'::regclass
        -- A summary from which rows leave tells of it, and has its "<name>.query" for the time without ticks.
        JOIN pg_catalog.pg_class AS read ON read.oid = refobjid
        WHERE refclassid = 'pg_catalog.pg_class'::regclass
            AND NOT (read.relnamespace::regnamespace::text = 'standin' AND read.relkind = 'v')
    )
    SELECT DISTINCT name
    FROM reads JOIN pg_catalog.pg_class ON pg_class.oid = relation
    WHERE relkind = 'v'
        AND regexp_replace(pg_catalog.pg_get_viewdef(relation), $$'(''|[^'])*'$$, '', 'g') ~
            '\\m(now|(clock|statement|transaction)_timestamp)\\(|\\mCURRENT_(DATE|TIME)|\\mLOCALTIME'
"""


def get_relation_kinds(cursor: Any) -> dict[str, str]:
    """Return "table", "materialized view", "view" or "source" by name."""
    cursor.execute(_RELATION_KINDS, [])
    return dict(cursor.fetchall())


def get_readable_relations(cursor: Any) -> list[tuple[str, str, str]]:
    """Return the schema, the name and the kind of each relation that the session may read."""
    cursor.execute(_READABLE, [])
    rows: list[tuple[str, str, str]] = cursor.fetchall()
    return rows


def get_columns(cursor: Any, schema: str, name: str) -> list[tuple[str, int]]:
    """Return the name and the oid of the type of each column; none if the relation doesn't exist."""
    cursor.execute(_COLUMNS, [schema, name])
    rows: list[tuple[str, int]] = cursor.fetchall()
    return rows


def get_announced(cursor: Any, relations: Iterable[str]) -> frozenset[str]:
    """Return those of the relations whose changes are notified: those that the stand-in has created."""
    cursor.execute(_ANNOUNCED, [list(relations)])
    return frozenset(name for (name,) in cursor.fetchall())


def get_readers(cursor: Any, relations: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Return the depth and the kind of each view that reads one of the relations, directly or through others.

    The depth is 1 for a view that reads them directly. Views come after those that they read. Relations that
    don't exist are left out.
    """
    cursor.execute(_READERS, [list(relations)])
    return {name: (depth, kind) for name, depth, kind in cursor.fetchall()}


def get_definitions(cursor: Any) -> dict[str, Definition]:
    """Return the definition of each object that the stand-in has recorded, by its name."""
    return {
        name: CLASSES[kind](**json.loads(arguments))
        for name, kind, arguments in _recorded(cursor, "name, class, arguments::text")
        if kind in CLASSES
    }


def get_names(cursor: Any, kind: type[Definition]) -> list[str]:
    """Return the names of the recorded objects of a kind."""
    return [name for name, recorded in _recorded(cursor, "name, class") if recorded == kind.__name__]


def get_statements(cursor: Any) -> dict[str, str]:
    """Return the statement that creates each recorded object on RisingWave, by its name."""
    return dict(_recorded(cursor, "name, sql"))


def get_moving(cursor: Any, relations: Collection[str], schema: str = "") -> frozenset[str]:
    """Return those of the relations that are, or read, a view with the present time in its SELECT.

    Without a schema, they are those that the session's search_path finds.
    """
    cursor.execute(_MOVING, [f"{quote(schema)}." if schema else "", list(relations)])
    return frozenset(name for (name,) in cursor.fetchall())


def _recorded(cursor: Any, columns: str) -> list[Any]:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [DEFINITIONS])
    if cursor.fetchone() == (False,):
        return []
    cursor.execute(f"SELECT {columns} FROM {DEFINITIONS} ORDER BY name", [])
    rows: list[Any] = cursor.fetchall()
    return rows


def record_sql(definition: Definition) -> str:
    """Return the statement that records a definition."""
    arguments = {field.name: getattr(definition, field.name) for field in fields(definition)}
    values = (
        literal(definition.name),
        literal(type(definition).__name__),
        # Values of options may be objects, which only their text is kept of: nothing is made of it again.
        literal(json.dumps(arguments, default=str)),
        literal(definition.create_sql(quote)),
    )
    return f"INSERT INTO {DEFINITIONS} (name, class, arguments, sql) VALUES ({', '.join(values)});"


def forget_sql(name: str) -> str:
    """Return the statement that undoes record_sql()."""
    return f"DELETE FROM {DEFINITIONS} WHERE name = {literal(name)};"


def as_view(definition: MaterializedViewDefinition) -> ViewDefinition:
    """Return the view of the same SELECT."""
    return ViewDefinition(definition.name, definition.query(quote, quote(definition.source)))


def rename_view_sql(cursor: Any, schema: str, old: str, new: str) -> list[str]:
    """Return the statements that rename a view and what the stand-in keeps for it, without its triggers."""
    cursor.execute("SELECT relkind FROM pg_catalog.pg_class WHERE oid = to_regclass(%s)", [_kept(old)])
    row = cursor.fetchone()
    statements = [
        f"DROP FUNCTION IF EXISTS {_kept(old)}() CASCADE;",
        f"DROP FUNCTION IF EXISTS {_kept(old + '.expire')}();",
        f"ALTER VIEW {quote(schema)}.{quote(old)} RENAME TO {quote(new)};",
        f"ALTER VIEW IF EXISTS {_kept(old + '.query')} RENAME TO {quote(new + '.query')};",
    ]
    if row is not None:
        kind = "INDEX" if row[0] == "i" else "TABLE"
        statements.append(f"ALTER {kind} {_kept(old)} RENAME TO {quote(new)};")
    return statements


def drop_view_sql(cursor: Any, schema: str, name: str) -> str:
    """Return the statements that drop a view, what keeps it up to date, and its record."""
    cursor.execute("SELECT relkind FROM pg_catalog.pg_class WHERE oid = to_regclass(%s)", [_kept(name)])
    row = cursor.fetchone()
    # The order of writers: first the source, whose triggers the function has, then the summary.
    statements = [
        f"DROP FUNCTION IF EXISTS {_kept(name)}() CASCADE;",
        f"DROP FUNCTION IF EXISTS {_kept(name + '.expire')}();",
        f"DELETE FROM {FLOORS} WHERE summary = to_regclass({literal(_kept(name))});",
        f"DROP VIEW {quote(schema)}.{quote(name)};",
        f"DROP VIEW IF EXISTS {_kept(name + '.query')};",
    ]
    if row is not None:
        statements.append(f"DROP {'INDEX' if row[0] == 'i' else 'TABLE'} {_kept(name)};")
    return "\n".join([*statements, forget_sql(name)])


def _kept(name: str) -> str:
    """Return the name of what the stand-in keeps for a view."""
    return f"standin.{quote(name)}"
