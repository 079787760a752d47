"""What a CREATE statement says, in the words of a server's catalog: what kind of object, of what, with what.

RisingWave 2.8.0 keeps the statement in a normalized form, such as `CREATE MATERIALIZED VIEW totals AS SELECT
sum(CAST((qty * price) AS NUMERIC)) AS total FROM orders`. The SELECT is cut out of it, and never rewritten.
"""

from __future__ import annotations

import re

from django_risingwave.streaming.identifiers import NAME, unquoted
from django_risingwave.streaming.reading_sql import UnreadableSQLError, relations_read

_QUALIFIED = rf"{NAME}(?:\.{NAME})*"
_KIND = re.compile(r"\s*CREATE\s+(?:UNIQUE\s+)?(MATERIALIZED\s+VIEW|\w+)", re.IGNORECASE)
_VIEW = re.compile(
    rf"\s*CREATE\s+(?:MATERIALIZED\s+)?VIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_QUALIFIED})"
    r"\s*(?P<columns>\([^()]*\))?(?:\s+WITH\s*\([^()]*\))?\s+AS\s+(?P<select>.*?)[\s;]*\Z",
    re.IGNORECASE | re.DOTALL,
)
# What a subscription, a sink or an index stands on.
_SOURCE = re.compile(
    rf"\s*CREATE\s+(?:(?:SUBSCRIPTION|SINK)\s+{_QUALIFIED}\s+FROM|(?:UNIQUE\s+)?INDEX\s+{_QUALIFIED}\s+ON)"
    rf"\s+({_QUALIFIED})",
    re.IGNORECASE,
)
# A table of another database, which RisingWave follows by change data capture.
_MIRROR = re.compile(rf"\s*CREATE\s+TABLE\s.*\)\s*FROM\s+{_QUALIFIED}\s+TABLE\s+'", re.IGNORECASE | re.DOTALL)
_RETENTION = re.compile(r"\bretention\s*=\s*'([^']*)'", re.IGNORECASE)


def kind(sql: str) -> str:
    """Return what the statement creates, such as "materialized view"."""
    match = _KIND.match(sql)
    return " ".join(match[1].lower().split()) if match else ""


def select(sql: str) -> str | None:
    """Return the SELECT of a view, or None if the statement creates something else.

    Names that the statement gives to the view's columns become those of the SELECT's.
    """
    match = _VIEW.match(sql)
    if match is None:
        return None
    if columns := match["columns"]:
        return f"SELECT * FROM ({match['select']}) AS {match['name'].split('.')[-1]} {columns}"  # noqa: S608 - the server's
    return match["select"]


def sources(sql: str) -> frozenset[str]:
    """Return the names of the relations that the object reads or stands on. Empty if it can't be told."""
    if match := _SOURCE.match(sql):
        return frozenset({unquoted(match[1])})
    query = select(sql)
    if query is None:
        return frozenset()
    try:
        return relations_read(query)
    except UnreadableSQLError:
        return frozenset()


def retention(sql: str) -> str | None:
    """Return how long a subscription keeps changes, such as "1 day"."""
    match = _RETENTION.search(sql)
    return match[1] if match else None


def is_mirror(sql: str) -> bool:
    """Return whether the statement creates a table that follows one of another database."""
    return _MIRROR.match(sql) is not None
