"""What the stand-in keeps in the schema `standin` beside views: its record of definitions, its functions."""

# ruff: noqa: S608 - names and literals are constants

from __future__ import annotations

from django_risingwave.standin.expiring import DROP_INDEXES, FLOORS, setup_sql
from django_risingwave.standin.sql import literal, quote

#: The channel of pg_notify(): the payload has the names of views whose rows changed, one on each line.
CHANNEL = "risingwave_changes"

#: The key of an advisory lock. A BEFORE trigger takes it at a transaction's first write to the source of a
#: summary, before any row lock, and the transaction holds it until its end. Without it, two transactions that
#: change the same groups or the same rows of the source in different orders deadlock. All sources share one
#: lock: with one each, transactions that write to two sources in different orders would deadlock.
WRITERS_LOCK_KEY = 0x52495349

#: The definitions of what the stand-in has created. No table or view of a model has such a name.
DEFINITIONS = f"standin.{quote('*.definitions')}"

#: Whether a subscription of logical replication fills the table with this oid. Its worker fires only triggers
#: that are ENABLE ALWAYS, and for INSERT, UPDATE and DELETE only those FOR EACH ROW.
IS_MIRRORED = "EXISTS (SELECT FROM pg_catalog.pg_subscription_rel WHERE srrelid = {})"

_NOTIFY = f"PERFORM pg_notify({literal(CHANNEL)}, names) FROM unnest(TG_ARGV) AS names"

#: Creates the schema, the record and the functions, or brings them up to date.
SETUP = f"""CREATE SCHEMA IF NOT EXISTS standin;
-- manage.py check, as any user, compares them with the models.
GRANT USAGE ON SCHEMA standin TO PUBLIC;
CREATE TABLE IF NOT EXISTS {DEFINITIONS} (
    name text PRIMARY KEY,
    class text NOT NULL,
    arguments jsonb NOT NULL,
    sql text NOT NULL
);
GRANT SELECT ON {DEFINITIONS} TO PUBLIC;
{setup_sql(WRITERS_LOCK_KEY)}
CREATE OR REPLACE FUNCTION standin.lock_writers() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock({WRITERS_LOCK_KEY});
    IF TG_LEVEL = 'STATEMENT' THEN
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$function$;

CREATE OR REPLACE FUNCTION standin.refuse_write() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'cannot change materialized view "%"', TG_TABLE_NAME;
END
$function$;

CREATE OR REPLACE FUNCTION standin.notify_changes() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF TG_LEVEL = 'STATEMENT' AND TG_OP IN ('INSERT', 'UPDATE') THEN
        {_NOTIFY} WHERE EXISTS (SELECT FROM new_rows);
    ELSIF TG_LEVEL = 'STATEMENT' AND TG_OP = 'DELETE' THEN
        {_NOTIFY} WHERE EXISTS (SELECT FROM old_rows);
    ELSE
        {_NOTIFY};
    END IF;
    RETURN NULL;
END
$function$;

-- Let each table notify of the views that read it, directly or through other views. A summary notifies of its
-- own view by itself, and then of the views and the totals over it, by this.
CREATE OR REPLACE FUNCTION standin.refresh_triggers() RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    place record;
    event text;
    for_each_row boolean;
BEGIN
    FOR place IN
        WITH RECURSIVE reads AS (
            SELECT relname::text AS name, tgrelid AS relation, false AS is_kept
            FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
            WHERE tgfoid = 'standin.refuse_write()'::regprocedure
            UNION
            SELECT left(relname, -length('.query')), oid, true
            FROM pg_class
            WHERE relnamespace = 'standin'::regnamespace AND relkind = 'v' AND relname LIKE '%.query'
            UNION
            SELECT name, refobjid, is_kept
            FROM reads
            JOIN pg_rewrite ON ev_class = relation
            JOIN pg_depend ON objid = pg_rewrite.oid AND classid = 'pg_rewrite'::regclass
            -- A summary from which rows leave as time passes also reads its "<name>.query".
            JOIN pg_class AS read ON read.oid = refobjid
            WHERE refclassid = 'pg_class'::regclass
                AND NOT (read.relnamespace = 'standin'::regnamespace AND read.relkind = 'v')
        ), payloads AS (
            SELECT relation, payload, string_agg(name, E'\\n' ORDER BY name) AS names
            FROM (
                -- 100 names of 63 bytes are less than the 8,000 bytes of a payload.
                SELECT relation, name, row_number() OVER (PARTITION BY relation ORDER BY name) / 100
                    AS payload
                FROM reads JOIN pg_class ON pg_class.oid = relation
                WHERE relkind IN ('r', 'p', 'm', 'f')
                    AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
                    AND NOT (relnamespace = 'standin'::regnamespace AND relname = name)
                    AND NOT (relnamespace <> 'standin'::regnamespace AND is_kept)
                GROUP BY relation, name
            ) AS named
            GROUP BY relation, payload
        ), wanted AS (
            SELECT
                relation,
                string_agg(quote_literal(names), ', ' ORDER BY payload) AS arguments,
                string_agg(convert_to(names, 'UTF8') || '\\x00', '' ORDER BY payload) AS stored,
                {IS_MIRRORED.format("relation")} AS is_mirrored,
                bool_or(relnamespace = 'standin'::regnamespace) AS is_ours,
                bool_or(relkind NOT IN ('r', 'p')) AS has_no_triggers,
                min(names) AS views
            FROM payloads JOIN pg_class ON pg_class.oid = relation
            GROUP BY relation
        ), present AS (
            SELECT tgrelid AS relation, tgargs, tgtype & 1 = 1 AS is_row
            FROM pg_trigger
            WHERE tgfoid = 'standin.notify_changes()'::regprocedure AND tgname = 'standin_notify_insert'
        )
        SELECT relation::regclass AS name, wanted.*
        FROM wanted FULL JOIN present USING (relation)
        WHERE tgargs IS DISTINCT FROM stored OR is_row IS DISTINCT FROM is_mirrored
    LOOP
        IF place.has_no_triggers THEN
            RAISE feature_not_supported USING MESSAGE = format(
                'The stand-in can''t notice changes of %s, which %s reads: it has no triggers.',
                place.name, place.views
            );
        END IF;
        FOREACH event IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
            IF place.arguments IS NULL THEN
                EXECUTE format('DROP TRIGGER standin_notify_%s ON %s', event, place.name);
                CONTINUE;
            END IF;
            for_each_row := place.is_mirrored AND event <> 'truncate';
            EXECUTE format(
                'CREATE OR REPLACE TRIGGER standin_notify_%s AFTER %s ON %s %s FOR EACH %s '
                'EXECUTE FUNCTION standin.notify_changes(%s)',
                event, event, place.name,
                CASE
                    WHEN for_each_row OR event = 'truncate' THEN ''
                    WHEN event = 'delete' THEN 'REFERENCING OLD TABLE AS old_rows'
                    ELSE 'REFERENCING NEW TABLE AS new_rows'
                END,
                CASE WHEN for_each_row THEN 'ROW' ELSE 'STATEMENT' END,
                place.arguments
            );
            IF place.is_mirrored OR place.is_ours THEN
                EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER standin_notify_%s', place.name, event);
            END IF;
        END LOOP;
    END LOOP;
    -- Writers to a table without a summary need no lock.
    FOR place IN
        SELECT tgrelid::regclass AS name FROM pg_trigger AS lock
        WHERE tgfoid = 'standin.lock_writers()'::regprocedure AND NOT EXISTS (
            SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
            WHERE tgrelid = lock.tgrelid AND pronamespace = 'standin'::regnamespace
                AND proname NOT IN ('lock_writers', 'notify_changes')
        )
    LOOP
        EXECUTE format('DROP TRIGGER standin_lock ON %s', place.name);
    END LOOP;
{DROP_INDEXES}END
$function$;
"""

#: Adapts the triggers that notify to the views that exist now.
REFRESH = "SELECT standin.refresh_triggers();"

#: Drops the schema when nothing is recorded and it has no other table or view.
CLEANUP = f"""DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM {DEFINITIONS}) AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_class
        WHERE relnamespace = 'standin'::regnamespace AND relkind IN ('r', 'v')
            AND pg_class.oid NOT IN ({literal(DEFINITIONS)}::regclass, {literal(FLOORS)}::regclass)
    ) THEN
        DROP SCHEMA standin CASCADE;
    END IF;
END
$do$;
"""
