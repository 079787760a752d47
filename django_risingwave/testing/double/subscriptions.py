"""Subscriptions and their cursors, which PostgreSQL doesn't have."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    #: Whether the next FETCH returns the existing rows instead.
    is_full: bool
    #: How many times FETCH was called. From the second on, the first has been answered.
    fetches: int = 0
    declared_at: float = field(default_factory=time.monotonic)


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
        if name in self.cursors:
            return fields(b"E", refusal("Catalog error", f"cursor `{name}` already exists"))
        if subscription not in self.double.subscriptions:
            return fields(b"E", missing("subscription", subscription))
        now = milliseconds()
        since = {"FULL": now, "SINCE now()": now, "SINCE begin()": 0}.get(begin)
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
        if cursor.subscription not in double.subscriptions:
            return fields(b"E", refusal(f"Item not found: subscription {cursor.subscription} not found"))
        if cursor.is_full:
            cursor.is_full = False
            columns = "*, 'Insert'::varchar AS op, NULL::bigint AS rw_timestamp"
            return f"SELECT {columns} FROM {cursor.view} LIMIT {limit}"
        until = time.monotonic() + int(timeout or 0)
        with double.changed:
            while True:
                if cursor.declared_at <= double.expired_at:
                    return fields(b"E", refusal(f"internal error: {EXPIRED}"))
                epochs = [epoch for epoch in double.changes[cursor.view] if epoch >= cursor.since]
                left = until - time.monotonic()
                if epochs or left <= 0:
                    break
                double.changed.wait(left)
        epochs = epochs[:limit]
        if epochs:
            cursor.since = epochs[-1] + 1
        return f"""
            SELECT changed.*, 'Insert'::varchar AS op, epoch.rw_timestamp
            FROM unnest(ARRAY{epochs}::bigint[]) AS epoch (rw_timestamp)
            LEFT JOIN LATERAL (SELECT * FROM {cursor.view} LIMIT 1) AS changed ON true
        """

    def _close(self, name: str) -> bytes | None:
        return complete("CLOSE_CURSOR") if self.cursors.pop(name, None) else None


def milliseconds() -> int:
    """Return the time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
