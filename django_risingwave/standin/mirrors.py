"""Mirrors on the stand-in: PostgreSQL's own logical replication takes the place of RisingWave's connector.

One subscription for each PostgreSQL database feeds all of its mirrors, in the order of its transactions. A
published table and its copy must have the same name and schema.
https://www.postgresql.org/docs/18/logical-replication.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.db import connections

from django_risingwave.standin.catalog import forget_sql, record_sql
from django_risingwave.standin.functions import CLEANUP, SETUP
from django_risingwave.standin.sql import literal, quote
from django_risingwave.streaming.connectors.hidden_values import execute
from django_risingwave.streaming.publisher import MirrorError, Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.mirrors import MirrorDefinition

#: What stands for the address of the other database, which may have a password.
_ADDRESS = "${ADDRESS}"
#: Seconds until what is committed must be applied.
APPLIED_SECONDS = 30
#: Seconds between two looks at how far the replication is.
_POLL_SECONDS = 0.01

_SUBSCRIPTIONS = """
    SELECT subname FROM pg_catalog.pg_subscription
    WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""
# "r" is a table whose rows have been copied: https://www.postgresql.org/docs/18/catalog-pg-subscription-rel.html
_COPIED = """
    SELECT srsubstate = 'r', s.sync_error_count
    FROM pg_catalog.pg_subscription_rel
    JOIN pg_catalog.pg_stat_subscription_stats AS s ON subid = srsubid
    WHERE srrelid = to_regclass(%s)
"""
# Only some roles may see how far the reader is: https://www.postgresql.org/docs/18/monitoring-stats.html
_APPLIED = """
    SELECT coalesce(replay_lsn, confirmed_flush_lsn) >= %s::pg_lsn
    FROM pg_catalog.pg_replication_slots
    LEFT JOIN pg_catalog.pg_stat_replication ON pid = active_pid
    WHERE slot_name = %s
"""


class Mirrors:
    """The mirrors in a database that is a stand-in."""

    def __init__(self, connection: DatabaseWrapper, schema: str) -> None:
        self.connection, self.schema = connection, schema

    def create(self, mirror: MirrorDefinition, editor: DatabaseSchemaEditor) -> None:
        """Create the table, and wait until it has the rows of its source. Raises MirrorError."""
        create_table = f"CREATE TABLE {quote(mirror.name)} ({mirror.columns_sql(quote)})"
        if editor.collect_sql:
            editor.execute(create_table, None)
            return
        if mirror.schema != self.schema:
            raise MirrorError(
                f"The stand-in creates tables in schema {self.schema!r}, but a mirror of "
                f"{mirror.source_table} must be in {mirror.schema!r}. Set the search_path of "
                f"DATABASES[{self.connection.alias!r}]."
            )
        publisher = Publisher(mirror.using, self.connection)
        publisher.publish(mirror, only_columns=True)
        editor.execute("\n".join([SETUP, f"{create_table};", record_sql(mirror)]), None)
        try:
            self._subscribe(publisher)
            self._wait_for_copy(mirror)
        except BaseException:
            # Else the migration, run again, would skip a table that follows nothing.
            self.drop(mirror, editor)
            raise

    def drop(self, mirror: MirrorDefinition, editor: DatabaseSchemaEditor) -> None:
        """Drop the table, and with the last mirror of its database the subscription, slot and publication.

        The publication loses the table first: the reader can't apply changes of a table that doesn't exist.
        """
        drop_table = f"DROP TABLE {quote(mirror.name)}"
        if editor.collect_sql:
            editor.execute(drop_table, None)
            return
        # Refuse it before anything changes if a view reads the table.
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"DO $do$ BEGIN {drop_table}; RAISE USING ERRCODE = 'TR000'; "
                "EXCEPTION WHEN SQLSTATE 'TR000' THEN NULL; END $do$"
            )
        publisher = Publisher(mirror.using, self.connection)
        is_last = publisher.withdraw(mirror)
        if publisher.name in self._subscriptions():
            if is_last:
                self._unsubscribe(publisher.name)
            else:
                self._wait_until_applied(publisher, time.monotonic() + APPLIED_SECONDS)
                self._execute(f"ALTER SUBSCRIPTION {quote(publisher.name)} REFRESH PUBLICATION")
        if is_last:
            publisher.drop()
        editor.execute("\n".join([SETUP, f"{drop_table};", forget_sql(mirror.name), CLEANUP]), None)

    def copy_again(self, mirror: MirrorDefinition, editor: DatabaseSchemaEditor) -> None:
        """Publish the mirror's present columns, and copy the rows anew. Meanwhile it has few rows."""
        publisher = Publisher(mirror.using, self.connection)
        publisher.withdraw(mirror)
        self._wait_until_applied(publisher, time.monotonic() + APPLIED_SECONDS)
        self._subscribe(publisher)
        empty = f"TRUNCATE {quote(mirror.name)};"
        editor.execute("\n".join([SETUP, empty, forget_sql(mirror.name), record_sql(mirror)]), None)
        publisher.publish(mirror, only_columns=True)
        self._subscribe(publisher)
        self._wait_for_copy(mirror)

    def drop_subscriptions(self) -> None:
        """Drop all subscriptions and their slots, so that the databases can be dropped."""
        for name in self._subscriptions():
            self._unsubscribe(name)

    def wait_until_applied(self, seconds: float) -> None:
        """Wait until the tables have what is committed in their sources now. Raises TimeoutError."""
        until = time.monotonic() + seconds
        names = self._subscriptions()
        for publisher in self._publishers():
            if publisher.name in names:
                self._wait_until_applied(publisher, until)

    # Parts -----------------------------------------------------------------------------------------------

    def _publishers(self) -> Iterator[Publisher]:
        for alias in connections:
            if connections[alias].vendor == "postgresql":
                yield Publisher(alias, self.connection)

    def _subscriptions(self) -> set[str]:
        with self.connection.cursor() as cursor:
            cursor.execute(_SUBSCRIPTIONS)
            return {name for (name,) in cursor.fetchall()}

    def _subscribe(self, publisher: Publisher) -> None:
        """Let the subscription read all published tables. There is one already if there are other mirrors."""
        name = quote(publisher.name)
        if publisher.name in self._subscriptions():
            self._execute(f"ALTER SUBSCRIPTION {name} REFRESH PUBLICATION")
            return
        with publisher.cursor() as cursor:
            # On one server, CREATE SUBSCRIPTION would wait for itself if it made the slot.
            cursor.execute("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", [publisher.name])
            if cursor.fetchone() is None:
                cursor.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [publisher.name])
            address = _connection_string(publisher.address(cursor))
        execute(
            self.connection,
            f"CREATE SUBSCRIPTION {name} CONNECTION '{_ADDRESS}' PUBLICATION {name} "
            f"WITH (create_slot = false, slot_name = {literal(publisher.name)})",
            {_ADDRESS: address},
        )

    def _unsubscribe(self, name: str) -> None:
        # It drops the slot too.
        self._execute(f"DROP SUBSCRIPTION {quote(name)}")

    def _execute(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)

    def _wait_for_copy(self, mirror: MirrorDefinition) -> None:
        """Wait until the table has the rows of its source, however many they are. Raises MirrorError."""
        errors = None
        while True:
            with self.connection.cursor() as cursor:
                cursor.execute(_COPIED, [quote(mirror.name)])
                copied, count = cursor.fetchone() or (False, 0)
            if copied:
                return
            errors = count if errors is None else errors
            if count > errors:
                raise MirrorError(
                    f"The rows of table {mirror.source_table} can't be copied. The log of PostgreSQL has the "
                    "reason; its address for the stand-in is OPTIONS['mirrored_databases']."
                )
            time.sleep(_POLL_SECONDS)

    def _wait_until_applied(self, publisher: Publisher, until: float) -> None:
        with publisher.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_lsn()::text")
            ((position,),) = cursor.fetchall()
            while True:
                cursor.execute(_APPLIED, [position, publisher.name])
                if cursor.fetchone() == (True,):
                    return
                if time.monotonic() > until:
                    raise TimeoutError(
                        f"The mirrors of database {publisher.using!r} don't have its last changes. The log "
                        "of PostgreSQL says why its subscription doesn't apply them."
                    )
                time.sleep(_POLL_SECONDS)


def _connection_string(address: dict[str, str]) -> str:
    """Return the address as libpq reads it: https://www.postgresql.org/docs/18/libpq-connect.html."""
    keywords: dict[str, Any] = {
        "host": address["HOST"],
        "port": address["PORT"],
        "dbname": address["NAME"],
        "user": address["USER"],
        "password": address["PASSWORD"],
    }
    escaped = {key: value.replace("\\", "\\\\").replace("'", "\\'") for key, value in keywords.items()}
    return " ".join(f"{key}='{value}'" for key, value in escaped.items() if value)
