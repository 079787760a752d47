"""The functions that begin and end the log of a subscription, by creating and dropping triggers."""

# ruff: noqa: S608 - names are quoted here

from __future__ import annotations

from django_risingwave.standin.functions import WRITERS_LOCK_KEY

# The tables that a relation reads, directly or through views: itself, if it is a table.
_TABLES = """
    WITH RECURSIVE relations (oid) AS (
        SELECT source::oid
        UNION
        SELECT refobjid
        FROM relations
        JOIN pg_rewrite AS rule ON rule.ev_class = relations.oid
        JOIN pg_depend AS dependency ON dependency.objid = rule.oid
            AND classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass
        -- Not the "<name>.query" of a summary from which rows leave as time passes.
        JOIN pg_class AS read ON read.oid = refobjid
            AND NOT (read.relkind = 'v' AND read.relnamespace::regnamespace::text = 'standin')
    )
    SELECT oid::regclass FROM relations JOIN pg_class USING (oid) WHERE relkind IN ('r', 'p') ORDER BY oid
"""

#: Creates both functions.
TRIGGERS = rf"""
-- Ends a log, without dropping what it has.
CREATE OR REPLACE FUNCTION standin_changes.end_log(subscription text) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    found_table regclass;
    found_trigger name;
BEGIN
    FOR found_table, found_trigger IN
        SELECT tgrelid, tgname FROM pg_trigger, standin_changes.subscriptions AS ended
        WHERE ended.name = end_log.subscription AND tgparentid = 0
            AND tgname ~ format('^standin_changes_%s_', ended.id)
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found_trigger, found_table);
    END LOOP;
    DELETE FROM standin_changes.copies WHERE copies.subscription = end_log.subscription;
    UPDATE standin_changes.subscriptions SET is_logged = false WHERE name = end_log.subscription;
END
$function$;

-- Begins a log, if it hasn't begun. key_columns: what identifies a row if PostgreSQL doesn't know.
CREATE OR REPLACE FUNCTION standin_changes.begin_log(subscription text, key_columns text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    found_row standin_changes.subscriptions;
    source regclass;
    is_view boolean;
    summary regclass;
    keyed regclass;
    selected text := 'SELECT *';
    key_sql text;
    read_table regclass;
    place text;
    transition record;
BEGIN
    SELECT * INTO found_row FROM standin_changes.subscriptions AS s WHERE s.name = begin_log.subscription;
    source := format('%I.%I', found_row.source_schema, found_row.source_name)::regclass;
    IF found_row.is_logged THEN
        RETURN;
    END IF;
    -- In the order of writers: their table, the lock, and then the tables of summaries.
    FOR read_table IN {_TABLES} LOOP
        IF read_table::text NOT LIKE 'standin.%' THEN
            EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', read_table);
        END IF;
    END LOOP;
    PERFORM pg_advisory_xact_lock({WRITERS_LOCK_KEY});
    SELECT * INTO found_row FROM standin_changes.subscriptions AS s
    WHERE s.name = begin_log.subscription FOR UPDATE;
    IF found_row.is_logged THEN
        RETURN;
    END IF;

    -- A table has a primary key. A summary has the view's name, and a unique index on the grouping columns.
    SELECT relkind IN ('v', 'm') INTO is_view FROM pg_class WHERE oid = source;
    summary := to_regclass(format('standin.%I', found_row.source_name));
    keyed := CASE WHEN is_view THEN summary ELSE source END;
    key_columns := coalesce(
        (SELECT array_agg(attname::text ORDER BY array_position(indkey::int2[], attnum))
        FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
        WHERE indrelid = keyed AND CASE WHEN is_view THEN indisunique ELSE indisprimary END),
        CASE WHEN is_view THEN key_columns END
    );
    -- The second form is that of leading rows over a summary from which rows leave as time passes.
    IF is_view AND (
        pg_get_viewdef(source) ~ '\mLIMIT\M[^()]*$'
        OR pg_get_viewdef(source) ~ '\mLIMIT\M.*\mstandin\.is_fresh\('
    ) THEN
        -- RisingWave 2.8.0 tells no updates of a view with ORDER BY ... LIMIT.
        key_columns := NULL;
    END IF;
    IF is_view THEN
        -- Columns over the summary, if the view is no more than that.
        selected := substring(pg_get_viewdef(source) FROM
            '^(.*)\s+FROM ' || regexp_replace(summary::text, '(\W)', '\\\1', 'g') || ';$');
        IF selected ~ '\mFROM\M' THEN
            selected := NULL;
        END IF;
    END IF;
    SELECT 'jsonb_build_array(' || string_agg(format('r.%I', key_column), ', ') || ')'
    INTO key_sql FROM unnest(key_columns) AS key_column;

    place := format('standin_changes_%s_', found_row.id);
    FOR read_table IN {_TABLES} LOOP
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION standin_changes.lock_writers()', place || 'lock', read_table
        );
        IF key_sql IS NOT NULL AND selected IS NOT NULL THEN
            FOR transition IN
                SELECT * FROM (VALUES
                    ('insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS new_rows'),
                    ('update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
                    ('delete', 'AFTER DELETE', 'REFERENCING OLD TABLE AS old_rows'),
                    ('truncate', 'BEFORE TRUNCATE', '')
                ) AS transitions (event, timing, tables)
            LOOP
                EXECUTE format(
                    'CREATE TRIGGER %I %s ON %s %s FOR EACH STATEMENT '
                    'EXECUTE FUNCTION standin_changes.note_rows(%L, %L, %L)',
                    place || transition.event, transition.timing, read_table, transition.tables,
                    subscription, selected, key_sql
                );
                IF transition.event = 'truncate' OR read_table = summary THEN
                    EXECUTE format(
                        'ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', read_table, place || transition.event
                    );
                END IF;
            END LOOP;
        ELSIF is_view THEN
            EXECUTE format(
                'CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s '
                'FOR EACH STATEMENT EXECUTE FUNCTION standin_changes.mark(%L)',
                place || 'mark', read_table, subscription
            );
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', read_table, place || 'mark');
        END IF;
        -- Rows that are replicated fire row triggers and TRUNCATE's, and statements' on their summaries.
        EXECUTE format(
            'CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s '
            'FOR EACH ROW EXECUTE FUNCTION standin_changes.%I(%L, %L)',
            place || 'row', read_table, CASE WHEN is_view THEN 'mark' ELSE 'log_row' END, subscription,
            key_columns IS NOT NULL
        );
        IF is_view OR key_sql IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER %I', read_table, place || 'row');
        ELSE
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', read_table, place || 'row');
            EXECUTE format(
                'CREATE TRIGGER %I BEFORE TRUNCATE ON %s '
                'FOR EACH STATEMENT EXECUTE FUNCTION standin_changes.log_truncate(%L)',
                place || 'truncate', read_table, subscription
            );
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', read_table, place || 'truncate');
        END IF;
    END LOOP;
    UPDATE standin_changes.subscriptions AS s
    SET is_logged = true, key = key_columns,
        notes_rows = key_sql IS NOT NULL AND selected IS NOT NULL
    WHERE s.name = begin_log.subscription RETURNING * INTO found_row;
    IF is_view AND NOT found_row.notes_rows THEN
        -- The copy is filled by a first comparison, which is not logged.
        PERFORM standin_changes.log_view(subscription);
        DELETE FROM standin_changes.log
        WHERE log.subscription = begin_log.subscription
            AND rw_timestamp = (SELECT rw_timestamp FROM standin_changes.epochs
                                WHERE transaction = pg_current_xact_id());
    END IF;
END
$function$;

-- Some run SQL of their arguments with the rights of their owner.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA standin_changes FROM PUBLIC;
"""
