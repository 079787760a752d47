"""Subscriptions on the stand-in, and cursors over their logs, which triggers keep (change_log.py)."""

# ruff: noqa: S608 - names are quoted here

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import OperationalError, ProgrammingError

from django_risingwave.fields import ROW_ID
from django_risingwave.standin.catalog import get_moving
from django_risingwave.standin.change_log import LOGGING
from django_risingwave.standin.change_triggers import TRIGGERS
from django_risingwave.standin.functions import WRITERS_LOCK_KEY
from django_risingwave.standin.sql import join, literal, quote
from django_risingwave.streaming.definitions import SubscriptionDefinition

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

# Seconds between two comparisons of a view that changes with the time: RisingWave's default between two
# checkpoints, at which such rows come and go there.
_MOVING_SECONDS = 1.0

_LOCK = f"SELECT pg_advisory_xact_lock({WRITERS_LOCK_KEY}) /* standin_changes.lock */"
_NOW = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
# No earlier timestamp than that of the next epoch.
_NEXT = f"greatest({_NOW}, rw_timestamp + 1)"
_FIND = """
    SELECT source_schema, source_name, pruned_to,
        floor(extract(epoch FROM retention::interval) * 1000)::bigint
    FROM standin_changes.subscriptions WHERE name = %s
"""


def create_sql(definition: SubscriptionDefinition, schema: str) -> str:
    """Return the SQL that notes a subscription. Its log begins with the first cursor."""
    values = join(map(literal, (definition.name, schema, definition.source, definition.retention)))
    source = literal(f"{quote(schema)}.{quote(definition.source)}")
    return f"""{LOGGING}{TRIGGERS}
-- Fails if there is no such relation.
SELECT {source}::regclass;
INSERT INTO standin_changes.subscriptions (name, source_schema, source_name, retention) VALUES ({values});
"""


def drop_sql(definition: SubscriptionDefinition) -> str:
    """Return the SQL that undoes create_sql(), also where earlier versions have created nothing."""
    name = literal(definition.name)
    return f"""
DO $do$ BEGIN
    IF to_regclass('standin_changes.subscriptions') IS NOT NULL THEN
        PERFORM standin_changes.end_log({name});
        DELETE FROM standin_changes.log WHERE subscription = {name};
        DELETE FROM standin_changes.subscriptions WHERE name = {name};
        IF NOT EXISTS (SELECT FROM standin_changes.subscriptions) THEN
            SET LOCAL client_min_messages = warning;
            DROP SCHEMA standin_changes CASCADE;
        END IF;
    END IF;
END $do$;
"""


def renew_sql(relations: list[str]) -> str:
    """Return the SQL that lets the logs of views go on that were replaced: they may read other tables.

    What the new view has otherwise than the old one isn't logged, as after RisingWave's swap.
    """
    return f"""
DO $do$ DECLARE
    subscription text;
    key_columns text[];
BEGIN
    IF to_regclass('standin_changes.subscriptions') IS NOT NULL THEN
        FOR subscription, key_columns IN
            SELECT name, key FROM standin_changes.subscriptions
            WHERE is_logged AND source_name = ANY (ARRAY[{join(map(literal, relations))}]::text[])
        LOOP
            PERFORM standin_changes.end_log(subscription);
            PERFORM standin_changes.begin_log(subscription, key_columns);
        END LOOP;
    END IF;
END $do$;
"""


def rename_sql(old: str, new: str) -> str:
    """Return the SQL that lets the subscriptions of a renamed relation go on."""
    return f"""
DO $do$ BEGIN
    IF to_regclass('standin_changes.subscriptions') IS NOT NULL THEN
        UPDATE standin_changes.subscriptions SET source_name = {literal(new)}
        WHERE source_name = {literal(old)};
    END IF;
END $do$;
{renew_sql([new])}"""


def get_subscription_sources(cursor: Any) -> dict[str, str]:
    """Return the relation of each subscription of the current schema, by the subscription's name."""
    cursor.execute("SELECT to_regclass('standin_changes.subscriptions') IS NOT NULL")
    if cursor.fetchone() != (True,):
        return {}
    cursor.execute(
        "SELECT name, source_name FROM standin_changes.subscriptions "
        "WHERE source_schema = current_schema() ORDER BY name"
    )
    return dict(cursor.fetchall())


def get_definitions(cursor: Any) -> dict[str, str]:
    """Return RisingWave's CREATE statement of each subscription of the current schema, by name."""
    sources = get_subscription_sources(cursor)
    if not sources:
        return {}
    cursor.execute("SELECT name, retention FROM standin_changes.subscriptions")
    return {
        name: SubscriptionDefinition(name, sources[name], retention).create_sql(quote)
        for name, retention in cursor.fetchall()
        if name in sources
    }


class LogCursor:
    """A cursor over a subscription's log, with the statements and errors of RisingWave's."""

    def __init__(self, connection: DatabaseWrapper, subscription: str) -> None:
        self._connection = connection
        self._subscription = subscription
        self._source = ""
        self._since = 0
        #: The number of the last entry of the log that was fetched.
        self._number = 0
        self._has_snapshot = False
        self._moves = False
        self._compared_at = 0.0

    def declare(self, begin: str) -> int | None:
        """Begin at "SINCE now()", "SINCE begin()", "SINCE <milliseconds>" or "FULL".

        Return a timestamp that includes all changes of a cursor SINCE now() or FULL, and no others.
        """
        with self._connection.cursor() as cursor:
            retention = self._find(cursor)
            if self._has_snapshot:
                cursor.execute('CLOSE "standin_changes.snapshot"')
                self._has_snapshot = False
            key = _key_columns(self._source_name)
            cursor.execute("SELECT standin_changes.begin_log(%s, %s::text[])", [self._subscription, key])
            self._moves = bool(get_moving(cursor, [self._source_name], self._schema))
            self._since = self._number = 0
            if begin == "SINCE begin()":
                self._number = self._pruned_to
            elif begin in ("SINCE now()", "FULL"):
                return self._begin_now(cursor, is_full=begin == "FULL")
            else:
                self._begin_since(cursor, int(begin.removeprefix("SINCE ")), retention)
            return None

    def _begin_now(self, cursor: Any, *, is_full: bool) -> int:
        """Wait for the transactions that write; then no change is missed, and none is told twice."""
        cursor.execute("BEGIN")
        try:
            cursor.execute(_LOCK)
            if self._moves:
                cursor.execute("SELECT standin_changes.log_view(%s)", [self._subscription])
            if is_full:
                cursor.execute(
                    'DECLARE "standin_changes.snapshot" CURSOR WITH HOLD FOR SELECT *, '
                    f"'Insert'::varchar AS op, NULL::bigint AS rw_timestamp FROM {self._source}"
                )
            cursor.execute(
                f"SELECT {_NEXT}, (SELECT coalesce(max(number), 0) FROM standin_changes.log "
                "WHERE subscription = %s) FROM standin_changes.epochs",
                [self._subscription],
            )
            ((began_at, last),) = cursor.fetchall()
            self._number = max(last, self._pruned_to)
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")
        self._has_snapshot = is_full
        return int(began_at)

    def _begin_since(self, cursor: Any, since: int, retention: int) -> None:
        cursor.execute(f"SELECT greatest({_NOW}, rw_timestamp), {_NOW} FROM standin_changes.epochs")
        ((last, now),) = cursor.fetchall()
        # In RisingWave's words: src/frontend/src/handler/declare_cursor.rs at v3.0.3.
        if since > last:
            raise ProgrammingError("rw_timestamp is too large, need to be less than the current unix_millis")
        if since < now - retention:
            raise ProgrammingError(
                "rw_timestamp is too small, need to be large than the current unix_millis - subscription's "
                "retention time"
            )
        self._since, self._number = since, self._pruned_to

    def fetch(self, size: int) -> tuple[list[str], list[Any]]:
        """Return the names of the columns and the next rows, at most `size`. Doesn't wait."""
        with self._connection.cursor() as cursor:
            self._find(cursor)
            if self._has_snapshot:
                cursor.execute(f'FETCH {size:d} FROM "standin_changes.snapshot"')
                rows = cursor.fetchall()
                columns = [column[0] for column in cursor.description]
                if len(rows) < size:
                    cursor.execute('CLOSE "standin_changes.snapshot"')
                    self._has_snapshot = False
                if rows:
                    return _shown(columns, rows)
            if self._number < self._pruned_to:
                raise OperationalError(
                    f"No data found for rw_timestamp of subscription {self._subscription}: changes may have "
                    "been recycled, please recreate cursor"
                )
            if time.monotonic() >= self._compared_at + _MOVING_SECONDS:
                self._compared_at = time.monotonic()
                if standin := self._connection.standin:
                    standin.expire()
                if self._moves:
                    # Not while a transaction writes: its commit compares too.
                    cursor.execute(
                        f"SELECT CASE WHEN pg_try_advisory_xact_lock({WRITERS_LOCK_KEY}) "
                        "THEN standin_changes.log_view(%s)::text END",
                        [self._subscription],
                    )
            cursor.execute(
                f"""
                SELECT changed.*, entry.op::varchar AS op, entry.rw_timestamp, entry.number
                FROM (
                    SELECT * FROM standin_changes.log
                    WHERE subscription = %s AND number > %s AND rw_timestamp >= %s
                    ORDER BY number LIMIT %s
                ) AS entry
                CROSS JOIN LATERAL jsonb_populate_record(NULL::{self._source}, entry."row") AS changed
                ORDER BY entry.number
                """,
                [self._subscription, self._number, self._since, size],
            )
            rows = cursor.fetchall()
            columns = [column[0] for column in cursor.description[:-1]]
            if rows:
                self._number = rows[-1][-1]
            return _shown(columns, [row[:-1] for row in rows])

    def read_time(self) -> int | None:
        """Return a time whose earlier changes can all be fetched; None while a transaction writes."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {_NEXT} FROM standin_changes.epochs "
                f"WHERE pg_try_advisory_xact_lock({WRITERS_LOCK_KEY})"
            )
            found = cursor.fetchone()
            return None if found is None else int(found[0])

    def _find(self, cursor: Any) -> int:
        """Read what is known of the subscription, and return its retention in milliseconds."""
        cursor.execute("SELECT to_regclass('standin_changes.subscriptions') IS NOT NULL")
        found = None
        if cursor.fetchone() == (True,):
            cursor.execute(_FIND, [self._subscription])
            found = cursor.fetchone()
        if found is None:
            raise ProgrammingError(f"subscription not found: {self._subscription}")
        self._schema: str
        self._source_name: str
        self._schema, self._source_name, self._pruned_to, retention = found
        self._source = f"{quote(self._schema)}.{quote(self._source_name)}"
        return int(retention)


def _shown(columns: list[str], rows: list[Any]) -> tuple[list[str], list[Any]]:
    """Leave out a hidden key, as RisingWave does."""
    if ROW_ID not in columns:
        return columns, rows
    hidden = columns.index(ROW_ID)
    return [c for c in columns if c != ROW_ID], [(*row[:hidden], *row[hidden + 1 :]) for row in rows]


def _key_columns(table: str) -> list[str] | None:
    """Return the primary key of the model over a view: PostgreSQL doesn't know what identifies a row."""
    for model in apps.get_models():
        if model._meta.db_table == table:
            return [str(field.column) for field in model._meta.pk_fields]
    return None
