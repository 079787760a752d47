"""Subscriptions and their cursors, which PostgreSQL doesn't have."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django_risingwave.testing.double.catalog import with_attached
from django_risingwave.testing.double.errors import existing, missing, refusal, used
from django_risingwave.testing.double.messages import complete, fields

if TYPE_CHECKING:
    from django_risingwave.testing.double.server import Double

EXPIRED = "The cursor has exceeded its maximum lifetime, please recreate it (close then declare cursor)."
TOO_LARGE = "rw_timestamp is too large, need to be less than the current unix_millis"
TOO_SMALL = (
    "rw_timestamp is too small, need to be large than the current unix_millis - subscription's retention time"
)
_UNIT_SECONDS = {
    "s": 1,
    "h": 3600,
    "d": 86_400,
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
}

_NAME = r'"?(\w+)"?'
_SINCE = r"(FULL|SINCE (?:now\(\)|begin\(\)|\d+))"
_STATEMENTS = {
    "create": rf"CREATE SUBSCRIPTION {_NAME} FROM {_NAME} WITH \(retention = '(\d+)( ?)(\w+?)(s?)'\)",
    "drop": rf"DROP SUBSCRIPTION (?:IF EXISTS )?{_NAME}",
    "drop_source": rf"DROP (?:TABLE|MATERIALIZED VIEW) (?:IF EXISTS )?{_NAME}( CASCADE)?",
    "find": r"(.*\brw_catalog\.rw_(?:subscriptions|depend|relations|indexes)\b.*)",
    "declare": rf"DECLARE {_NAME} SUBSCRIPTION CURSOR FOR {_NAME} {_SINCE}",
    "fetch": rf"FETCH (NEXT|\d+) FROM {_NAME}(?: WITH \(timeout = '(\d+)s'\))?",
    "close": rf"CLOSE {_NAME}",
    "read_time": r"SELECT extract\(epoch FROM now\(\)\)",
    "drop_database": r'DROP DATABASE (?:IF EXISTS )?"?([\w-]+)"?',
}
_PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in _STATEMENTS.items()}


@dataclass
class Cursor:
    """A cursor over the changes of a view."""

    subscription: str
    view: str
    #: The next FETCH returns changes of this timestamp and later, in milliseconds since 1970.
    since: int
    #: Whether the next FETCH returns existing rows instead.
    is_full: bool
    #: How many of the existing rows, or of the changes of `since`, were returned.
    returned: int = 0
    #: How many FETCHes return nothing, as the one does that reaches an ALTER TABLE.
    empty_fetches: int = 0
    #: How many times FETCH was called. From the second on, the first has been answered.
    fetches: int = 0
    declared_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Told:
    """A change in an epoch."""

    epoch: int
    op: str = "Insert"
    #: Its values by column; None: those of any row of the view.
    row: dict[str, Any] | None = None


class Subscriptions:
    """The subscriptions as one session knows them, with its cursors."""

    def __init__(self, double: Double) -> None:
        self.double = double
        #: The session's database.
        self.database = ""
        self.cursors: dict[str, Cursor] = {}

    def translate(self, sql: str) -> str | bytes | None:
        """Return the statement that PostgreSQL is sent instead, or the answer, or None for others."""
        for name, pattern in _PATTERNS.items():
            if match := pattern.fullmatch(sql):
                translated: str | bytes | None = getattr(self, f"_{name}")(*match.groups())
                return translated
        return None

    def _create(self, name: str, source: str, count: str, space: str, unit: str, plural: str) -> bytes:
        if name in self.double.subscriptions:
            return fields(b"E", existing("subscription", name))
        self.double.subscriptions[name] = source
        self.double.retentions[name] = int(count) * _UNIT_SECONDS[unit]
        self.double.retention_texts[name] = f"{count}{space}{unit}{plural}"
        self.double.homes[name] = self.database
        return complete("CREATE_SUBSCRIPTION")

    def _drop(self, name: str) -> bytes:
        if self.double.subscriptions.pop(name, None) is None:
            return fields(b"E", missing("subscription", name))
        return complete("DROP_SUBSCRIPTION")

    def _drop_source(self, source: str, cascade: str | None) -> bytes | None:
        """Refuse it, or forget its subscriptions. The stand-in drops the relation, and knows of its views."""
        found = [
            name
            for name, relation in self.double.subscriptions.items()
            if relation == source and self.double.homes.get(name) == self.database
        ]
        if found and not cascade:
            return fields(b"E", used(f"subscription public.{name}" for name in found))
        for name in found:
            del self.double.subscriptions[name]
        return None

    def _drop_database(self, database: str) -> None:
        """Forget its subscriptions. The stand-in drops the database."""
        for name in [name for name, home in self.double.homes.items() if home == database]:
            self.double.subscriptions.pop(name, None)

    def _find(self, sql: str) -> str:
        return with_attached(sql, self.double)

    def _declare(self, name: str, subscription: str, begin: str) -> bytes:
        if self.double.faults:
            return fields(b"E", refusal(self.double.faults.pop(0)))
        if name in self.cursors:
            return fields(b"E", refusal("Catalog error", f"cursor `{name}` already exists"))
        if subscription not in self.double.subscriptions:
            return fields(b"E", missing("subscription", subscription))
        now = milliseconds()
        # now() leaves out the current epoch. The existing rows don't have its changes, which come after them.
        since = {"FULL": self.double.epoch, "SINCE now()": now, "SINCE begin()": 0}.get(begin)
        if since is None:
            since = int(begin.removeprefix("SINCE "))
            if since > now:
                return fields(b"E", refusal("Catalog error", TOO_LARGE))
            if since < now - 1_000 * self.double.retentions.get(subscription, now):
                return fields(b"E", refusal("Catalog error", TOO_SMALL))
        view = self.double.subscriptions[subscription]
        self.cursors[name] = Cursor(subscription, view, since, is_full=begin == "FULL")
        return complete("DECLARE_CURSOR")

    def _fetch(self, size: str, name: str, timeout: str | None) -> str | bytes | None:
        if name not in self.cursors:
            return None
        cursor, double = self.cursors[name], self.double
        limit = 1 if size == "NEXT" else int(size)
        cursor.fetches += 1
        if double.faults:
            return fields(b"E", refusal(double.faults.pop(0)))
        if cursor.subscription not in double.subscriptions:
            return fields(b"E", refusal(f"Item not found: subscription {cursor.subscription} not found"))
        if cursor.is_full:
            return self._snapshot(cursor, limit)
        until = time.monotonic() + int(timeout or 0)
        with double.changed:
            while True:
                if cursor.declared_at <= double.expired_at:
                    return fields(b"E", refusal(f"internal error: {EXPIRED}"))
                changes = self._changes(cursor)
                left = until - time.monotonic()
                if changes or left <= 0:
                    break
                double.changed.wait(left)
        if cursor.empty_fetches:
            cursor.empty_fetches -= 1
            changes = []
        changes = changes[:limit]
        for change in changes:
            cursor.returned = cursor.returned + 1 if change.epoch == cursor.since else 1
            cursor.since = change.epoch
        return _select(cursor.view, changes)

    def _snapshot(self, cursor: Cursor, limit: int) -> str:
        offset = cursor.returned
        cursor.returned += limit
        # Only PostgreSQL knows how many rows there are. The last of these FETCHes returns all that are left.
        cursor.is_full = cursor.fetches < self.double.snapshot_fetches.get(cursor.view, 1)
        if not cursor.is_full:
            cursor.returned, limit = 0, 1_000_000
        columns = "*, 'Insert'::varchar AS op, NULL::bigint AS rw_timestamp"
        return f"SELECT {columns} FROM {cursor.view} ORDER BY 1 LIMIT {limit} OFFSET {offset}"

    def _changes(self, cursor: Cursor) -> list[Told]:
        """Return the changes that the cursor hasn't returned yet."""
        told = [
            change
            for epoch in self.double.changes[cursor.view]
            if epoch >= cursor.since
            for change in self.double.told.get((cursor.view, epoch), [Told(epoch)])
        ]
        return told[cursor.returned :] if told and told[0].epoch == cursor.since else told

    def _read_time(self) -> str:
        """Answer now(): the time of the last epoch, not the clock's."""
        return f"SELECT {self.double.epoch / 1000:.3f}::numeric AS extract"

    def _close(self, name: str) -> bytes | None:
        return complete("CLOSE_CURSOR") if self.cursors.pop(name, None) else None


def _select(view: str, changes: list[Told]) -> str:
    """Return the SQL of changes. Of one without a given row, any row of the view takes the place."""
    epochs = [change.epoch for change in changes]
    ops = [change.op for change in changes]
    rows = ", ".join(
        "NULL" if change.row is None else "'{}'".format(json.dumps(change.row).replace("'", "''"))
        for change in changes
    )
    return f"""
        SELECT changed.*, told.op, told.rw_timestamp
        FROM unnest(ARRAY{epochs}::bigint[], ARRAY{ops}::varchar[], ARRAY[{rows}]::jsonb[])
            WITH ORDINALITY AS told (rw_timestamp, op, given, number)
        LEFT JOIN LATERAL (
            SELECT * FROM (SELECT * FROM {view} LIMIT 1) AS first WHERE told.given IS NULL
            UNION ALL
            SELECT * FROM jsonb_populate_record(NULL::{view}, told.given) WHERE told.given IS NOT NULL
        ) AS changed ON true
        ORDER BY told.number
    """


def milliseconds() -> int:
    """Return the time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
