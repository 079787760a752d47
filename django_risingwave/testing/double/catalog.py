"""What RisingWave has and PostgreSQL lacks: the catalog rw_catalog, and notifications of changed views."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.testing.double.attached import catalog_rows

if TYPE_CHECKING:
    from django_risingwave.testing.double.server import Double

#: The comment on a plain view that takes the place of a materialized view.
MATERIALIZED = "materialized view"

# The part of rw_catalog that introspection.py reads, over PostgreSQL's catalog.
RW_CATALOG = f"""
CREATE SCHEMA rw_catalog;
CREATE VIEW rw_catalog.rw_schemas AS SELECT oid AS id, nspname AS name FROM pg_namespace;
CREATE VIEW rw_catalog.rw_relations AS
    SELECT oid AS id, relname AS name, relnamespace AS schema_id, kind AS relation_type,
        relowner AS owner, CASE
        WHEN kind = 'index' THEN replace(pg_get_indexdef(oid), ' USING btree', '')
        WHEN relkind = 'v' THEN format(
            'CREATE %s %I AS %s',
            upper(kind), relname, btrim(regexp_replace(pg_get_viewdef(oid), '\\s+', ' ', 'g'), ' ;')
        )
        -- Of a source, or of a table with a connector: double/connectors.py.
        ELSE coalesce(obj_description(oid, 'pg_class'), '')
    END AS definition, relacl::text[] AS acl
    FROM pg_class,
        LATERAL (SELECT CASE
            WHEN relkind = 'r' AND (
                relname LIKE 'source%' OR obj_description(oid, 'pg_class') LIKE 'CREATE SOURCE %'
            ) THEN 'source'
            WHEN relkind = 'r' THEN 'table'
            WHEN relkind = 'm' OR relkind = 'v' AND (
                obj_description(oid, 'pg_class') = '{MATERIALIZED}'
                OR to_regclass(format('standin.%I', relname)) IS NOT NULL
            ) THEN 'materialized view'
            WHEN relkind = 'v' THEN 'view'
            WHEN relkind = 'i' AND NOT (SELECT indisprimary FROM pg_index WHERE indexrelid = pg_class.oid)
                THEN 'index'
        END) AS kinds (kind)
    WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        AND kind IS NOT NULL;
CREATE VIEW rw_catalog.rw_users AS SELECT oid AS id, rolname AS name, rolsuper AS is_super FROM pg_roles;
CREATE TABLE rw_catalog.rw_ddl_progress (
    ddl_id bigint, ddl_statement text, create_type text, progress text, initialized_at timestamptz,
    is_serverless_backfill boolean, backfill_type text
);
CREATE VIEW rw_catalog.rw_columns AS
    SELECT attrelid AS relation_id, attname AS name, attnum::int AS position, EXISTS (
        SELECT FROM pg_index WHERE indrelid = attrelid AND indisprimary AND attnum = ANY (indkey)
    ) OR EXISTS (
        -- A materialized view is keyed by its grouping columns: here by the first column.
        SELECT FROM rw_catalog.rw_relations
        WHERE id = attrelid AND relation_type = 'materialized view' AND attnum = 1
    ) AS is_primary_key, attname = '_row_id' AS is_hidden,
        -- Types that RisingWave doesn't have: text, text[].
        CASE atttypid WHEN 25 THEN 1043 WHEN 1009 THEN 1015 ELSE atttypid END::int AS type_oid
    FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped;
CREATE VIEW rw_catalog.rw_indexes AS
    SELECT oid AS id, relname AS name, indrelid AS primary_table_id,
        ARRAY(SELECT unnest(indkey)) AS key_columns,
        replace(pg_get_indexdef(indexrelid), ' USING btree', '') AS definition
    FROM pg_index JOIN pg_class ON oid = indexrelid WHERE NOT indisprimary;
CREATE TABLE rw_catalog.rw_subscriptions (id serial, name text, schema_id oid, source_id oid);
CREATE VIEW rw_catalog.rw_depend AS
    SELECT DISTINCT ev_class AS objid, refobjid FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
    WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass AND ev_class <> refobjid
    UNION ALL SELECT id::oid, source_id FROM rw_catalog.rw_subscriptions;
"""

# The views over a table, directly or over other views.
_VIEWS = """
    WITH RECURSIVE relations (oid) AS (
        SELECT TG_RELID
        UNION
        SELECT rule.ev_class
        FROM relations
        JOIN pg_depend AS dependency
            ON refobjid = relations.oid AND refclassid = 'pg_class'::regclass
        JOIN pg_rewrite AS rule ON rule.oid = objid AND classid = 'pg_rewrite'::regclass
    )
    SELECT relname FROM relations JOIN pg_class USING (oid) WHERE relkind = 'v'
"""
# The tables that a view reads, directly or through other views.
_TABLES = """
    WITH RECURSIVE relations (oid) AS (
        SELECT '{view}'::regclass::oid
        UNION
        SELECT refobjid
        FROM relations
        JOIN pg_rewrite AS rule ON rule.ev_class = relations.oid
        JOIN pg_depend AS dependency
            ON objid = rule.oid AND classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass
    )
    SELECT oid::regclass FROM relations JOIN pg_class USING (oid) WHERE relkind = 'r'
"""
#: Creates all of it in the database, once.
SETUP = f"""
DO $setup$ BEGIN
    PERFORM pg_advisory_xact_lock(1);
    IF to_regnamespace('rw_catalog') IS NULL THEN
        {RW_CATALOG}
        CREATE FUNCTION rw_catalog.notify_views() RETURNS trigger LANGUAGE plpgsql AS $function$
        BEGIN
            PERFORM pg_notify('{CHANNEL}', relname) FROM ({_VIEWS}) AS views;
            RETURN NULL;
        END
        $function$;
    END IF;
END $setup$
"""


def with_attached(sql: str, double: Double) -> str:
    """Return SQL that finds subscriptions, sinks and indexes of views in rw_catalog too."""
    rows = catalog_rows(double)
    public = "'public'::regnamespace::oid"
    replacements = {
        "rw_catalog.rw_depend": (
            f"(SELECT * FROM rw_catalog.rw_depend UNION ALL SELECT id::oid, source_id FROM {rows} AS a)"
        ),
        "rw_catalog.rw_relations": (
            f"(SELECT * FROM rw_catalog.rw_relations UNION ALL SELECT id::oid, name, {public}, kind, "
            f"current_user::regrole::oid, definition, NULL::text[] FROM {rows} AS a)"
        ),
        "rw_catalog.rw_subscriptions": (
            f"(SELECT id, name, {public} AS schema_id, source_id FROM {rows} AS a "
            "WHERE kind = 'subscription')"
        ),
        "rw_catalog.rw_indexes": (
            "(SELECT * FROM rw_catalog.rw_indexes UNION ALL SELECT id::oid, name, source_id, '{}'::int2[], "
            f"definition FROM {rows} AS a WHERE kind = 'index')"
        ),
    }
    for name, replacement in replacements.items():
        sql = replacement.join(re.split(rf"{re.escape(name)}\b", sql))
    return sql


def create_view(name: str, query: str) -> str:
    """Return the SQL of a view whose changes are notified."""
    return f"""
    DO $view$ DECLARE source regclass; BEGIN
        CREATE VIEW {name} AS {query};
        COMMENT ON VIEW {name} IS '{MATERIALIZED}';
        FOR source IN {_TABLES.format(view=name)} LOOP
            EXECUTE format(
                'CREATE OR REPLACE TRIGGER notify_views AFTER INSERT OR UPDATE OR DELETE ON %s '
                'FOR EACH STATEMENT EXECUTE FUNCTION rw_catalog.notify_views()', source
            );
        END LOOP;
    END $view$
    """
