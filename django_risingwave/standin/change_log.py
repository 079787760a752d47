"""The tables of the stand-in's subscriptions, and the functions that log the changes of tables and views.

All of it is in the schema `standin_changes`. A subscription costs nothing before its first cursor: then its
log begins, and the tables that its relation reads get triggers.

Each transaction that changes the relation is an epoch, with a timestamp of its own. Transactions that write
to these tables take turns, by the lock of the summaries, so that epochs are committed in the order of their
timestamps. A row is logged as jsonb, which outlives changes of the relation's columns.
"""

# ruff: noqa: S608 - names are quoted here

from __future__ import annotations

from django_risingwave.standin.functions import WRITERS_LOCK_KEY

_NOW = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

#: Creates all of it, where it is missing.
LOGGING = rf"""
CREATE SCHEMA IF NOT EXISTS standin_changes;

CREATE TABLE IF NOT EXISTS standin_changes.subscriptions (
    id integer GENERATED ALWAYS AS IDENTITY,
    name text PRIMARY KEY,
    source_schema text NOT NULL,
    source_name text NOT NULL,
    -- An interval as the definition writes it.
    retention text NOT NULL,
    -- The columns that identify a row. NULL: an update is logged as Delete and Insert.
    key text[],
    is_logged boolean NOT NULL DEFAULT false,
    -- Whether triggers note the rows that change. Otherwise the whole view is compared with its copy.
    notes_rows boolean NOT NULL DEFAULT false,
    -- The last entry of the log that is no longer kept.
    pruned_to bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS standin_changes.log (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription text NOT NULL,
    rw_timestamp bigint NOT NULL,
    op text NOT NULL,
    "row" jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS log_by_number ON standin_changes.log (subscription, number);
CREATE INDEX IF NOT EXISTS log_by_timestamp ON standin_changes.log (subscription, rw_timestamp);
-- The rows of a view as they were logged last, and how many of each.
CREATE TABLE IF NOT EXISTS standin_changes.copies (
    subscription text NOT NULL, "row" jsonb NOT NULL, count bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS copies_by_subscription ON standin_changes.copies (subscription);
-- The rows that the current transaction has changed, by their key: before it and now.
CREATE TABLE IF NOT EXISTS standin_changes.noted (
    subscription text NOT NULL, key_hash bigint NOT NULL, key jsonb NOT NULL, before jsonb, after jsonb,
    PRIMARY KEY (subscription, key_hash)
);
-- Subscriptions whose relation may have changed in the current transaction.
CREATE TABLE IF NOT EXISTS standin_changes.pending (subscription text PRIMARY KEY);
-- One row: the last epoch.
CREATE TABLE IF NOT EXISTS standin_changes.epochs (transaction xid8, rw_timestamp bigint NOT NULL);
INSERT INTO standin_changes.epochs SELECT NULL, 0 WHERE NOT EXISTS (SELECT FROM standin_changes.epochs);

-- The timestamp of the current transaction, which must hold the lock. Drops what is older than the retention.
CREATE OR REPLACE FUNCTION standin_changes.epoch() RETURNS bigint LANGUAGE plpgsql AS $function$
DECLARE
    epoch bigint;
BEGIN
    SELECT rw_timestamp INTO epoch FROM standin_changes.epochs WHERE transaction = pg_current_xact_id();
    IF NOT FOUND THEN
        UPDATE standin_changes.epochs
        SET transaction = pg_current_xact_id(), rw_timestamp = greatest(rw_timestamp + 1, {_NOW})
        RETURNING rw_timestamp INTO epoch;
        WITH pruned AS (
            DELETE FROM standin_changes.log USING standin_changes.subscriptions
            WHERE subscription = name
                AND rw_timestamp < {_NOW} - floor(extract(epoch FROM retention::interval) * 1000)::bigint
            RETURNING name, number
        )
        UPDATE standin_changes.subscriptions AS subscription SET pruned_to = last.number
        FROM (SELECT name, max(number) AS number FROM pruned GROUP BY name) AS last
        WHERE last.name = subscription.name;
    END IF;
    RETURN epoch;
END
$function$;

CREATE OR REPLACE FUNCTION standin_changes.lock_writers() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock({WRITERS_LOCK_KEY});
    RETURN NULL;
END
$function$;

-- Logs a change of a row of a table. Whoever writes to the table needs no rights here.
CREATE OR REPLACE FUNCTION standin_changes.log_row() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    has_key boolean := TG_OP <> 'UPDATE' OR TG_ARGV[1]::boolean;
BEGIN
    -- Where rows are replicated, only this trigger runs.
    PERFORM pg_advisory_xact_lock({WRITERS_LOCK_KEY});
    IF TG_OP = 'UPDATE' THEN
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO standin_changes.log (subscription, rw_timestamp, op, "row")
        VALUES (
            TG_ARGV[0], standin_changes.epoch(),
            CASE WHEN TG_OP = 'UPDATE' AND has_key THEN 'UpdateDelete' ELSE 'Delete' END, to_jsonb(OLD)
        );
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO standin_changes.log (subscription, rw_timestamp, op, "row")
        VALUES (
            TG_ARGV[0], standin_changes.epoch(),
            CASE WHEN TG_OP = 'UPDATE' AND has_key THEN 'UpdateInsert' ELSE 'Insert' END, to_jsonb(NEW)
        );
    END IF;
    RETURN NULL;
END
$function$;

-- Notes the rows that a statement changes, of a relation that is the SELECT in the second argument over the
-- table. The third one is the key of its row r. What has changed is logged when the transaction is committed.
CREATE OR REPLACE FUNCTION standin_changes.note_rows() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $function$
DECLARE
    note text := $query$
        INSERT INTO standin_changes.noted (subscription, key_hash, key, before, after)
        SELECT %L, hashtextextended(key::text, 0), key, %s, %s
        FROM (SELECT %s AS key, to_jsonb(r) AS "row" FROM (%s FROM %s) AS r) AS rows
        ON CONFLICT (subscription, key_hash) DO UPDATE SET after = excluded.after
    $query$;
    old_rows text := CASE TG_OP WHEN 'TRUNCATE' THEN TG_RELID::regclass::text ELSE 'old_rows' END;
BEGIN
    PERFORM pg_advisory_xact_lock({WRITERS_LOCK_KEY});
    IF TG_OP <> 'INSERT' THEN
        EXECUTE format(note, TG_ARGV[0], '"row"', 'NULL', TG_ARGV[2], TG_ARGV[1], old_rows);
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        EXECUTE format(note, TG_ARGV[0], 'NULL', '"row"', TG_ARGV[2], TG_ARGV[1], 'new_rows');
    END IF;
    INSERT INTO standin_changes.pending VALUES (TG_ARGV[0]) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$function$;

-- Logs that a table without a key is emptied.
CREATE OR REPLACE FUNCTION standin_changes.log_truncate() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock({WRITERS_LOCK_KEY});
    EXECUTE format(
        'INSERT INTO standin_changes.log (subscription, rw_timestamp, op, "row") '
        'SELECT %L, (SELECT standin_changes.epoch()), ''Delete'', to_jsonb(r) FROM %s AS r',
        TG_ARGV[0], TG_RELID::regclass
    );
    RETURN NULL;
END
$function$;

-- Notes that a view may have changed. What has is found once, when the transaction is committed.
CREATE OR REPLACE FUNCTION standin_changes.mark() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock({WRITERS_LOCK_KEY});
    INSERT INTO standin_changes.pending VALUES (TG_ARGV[0]) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$function$;

-- Logs in what a view differs from its copy. Needs the lock.
CREATE OR REPLACE FUNCTION standin_changes.log_view(name text) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $function$
#variable_conflict use_variable
DECLARE
    view regclass;
    key_columns text[];
BEGIN
    SELECT to_regclass(format('%I.%I', source_schema, source_name)), subscription.key
    INTO view, key_columns
    FROM standin_changes.subscriptions AS subscription WHERE subscription.name = name;
    IF view IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format($query$
        WITH present AS (SELECT to_jsonb(r) AS "row", count(*) AS count FROM %s AS r GROUP BY 1),
        kept AS (SELECT "row", count FROM standin_changes.copies WHERE subscription = $1),
        changed AS MATERIALIZED (
            SELECT "row", coalesce(present.count, 0) AS count,
                coalesce(present.count, 0) - coalesce(kept.count, 0) AS difference,
                (SELECT jsonb_agg("row" -> part) FROM unnest($2) AS part) AS key
            FROM present FULL JOIN kept USING ("row")
            WHERE present.count IS DISTINCT FROM kept.count
        ),
        forgotten AS (
            DELETE FROM standin_changes.copies AS copy USING changed
            WHERE copy.subscription = $1 AND copy."row" = changed."row"
        ),
        remembered AS (
            INSERT INTO standin_changes.copies SELECT $1, "row", count FROM changed WHERE count > 0
        ),
        updated AS (
            SELECT key FROM changed WHERE key IS NOT NULL
            GROUP BY key HAVING count(*) = 2 AND min(difference) = -1 AND max(difference) = 1
        )
        INSERT INTO standin_changes.log (subscription, rw_timestamp, op, "row")
        SELECT $1, (SELECT standin_changes.epoch()),
            CASE WHEN updated.key IS NULL THEN '' ELSE 'Update' END
                || CASE WHEN difference < 0 THEN 'Delete' ELSE 'Insert' END,
            "row"
        FROM changed LEFT JOIN updated USING (key), generate_series(1, abs(difference))
        ORDER BY changed.key, difference, "row"
    $query$, view) USING name, key_columns;
END
$function$;

CREATE OR REPLACE FUNCTION standin_changes.log_pending() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF (SELECT NOT notes_rows FROM standin_changes.subscriptions WHERE name = NEW.subscription) THEN
        PERFORM standin_changes.log_view(NEW.subscription);
    ELSE
        WITH noted AS (
            DELETE FROM standin_changes.noted WHERE subscription = NEW.subscription RETURNING *
        )
        INSERT INTO standin_changes.log (subscription, rw_timestamp, op, "row")
        SELECT subscription, (SELECT standin_changes.epoch()),
            CASE WHEN before IS NULL OR after IS NULL THEN '' ELSE 'Update' END || action, "row"
        FROM noted CROSS JOIN LATERAL (VALUES ('Delete', before), ('Insert', after)) AS part (action, "row")
        WHERE before IS DISTINCT FROM after AND "row" IS NOT NULL
        ORDER BY key, action;
    END IF;
    DELETE FROM standin_changes.pending WHERE subscription = NEW.subscription;
    RETURN NULL;
END
$function$;
DO $do$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'standin_changes.pending'::regclass) THEN
        CREATE CONSTRAINT TRIGGER log_pending AFTER INSERT ON standin_changes.pending
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION standin_changes.log_pending();
        ALTER TABLE standin_changes.pending ENABLE ALWAYS TRIGGER log_pending;
    END IF;
END $do$;
"""
