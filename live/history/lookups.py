"""Finds records by their time: many with one query."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from live.feeding.sources import finite
from live.history.records import cursor, table_name
from live.snapshots import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from live.snapshots import Values

#: How far from the moment that is asked for a record may be that stands for it. A minute may be missing after
#: a restart.
TOLERANCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Found:
    """A record that has been filled."""

    at: datetime
    #: With the keys as JSON has them: a date is a string.
    values: Values
    totals: Totals | None = None


@dataclass(frozen=True)
class Ends:
    """When the oldest and the newest record of a ranking are of."""

    oldest: datetime
    newest: datetime
    #: How long the read for the newest record took.
    milliseconds: float | None


def ends(rankings: Iterable[str]) -> dict[str, Ends]:
    """Return the ends of the histories of rankings, by Ranking.id; those without one are left out."""
    record = f"SELECT * FROM {table_name()} WHERE ranking = wanted.id AND rows IS NOT NULL ORDER BY at"  # noqa: S608
    sql = (
        "SELECT wanted.id, oldest.at, newest.at, newest.milliseconds"  # noqa: S608
        " FROM unnest(%s::text[]) AS wanted (id)"
        f" CROSS JOIN LATERAL ({record} LIMIT 1) AS oldest"
        f" CROSS JOIN LATERAL ({record} DESC LIMIT 1) AS newest"
    )
    with cursor() as opened:
        opened.execute(sql, [list(rankings)])
        return {id_: Ends(*found) for id_, *found in opened.fetchall()}


def nearest(wanted: Iterable[tuple[str, datetime]]) -> dict[tuple[str, datetime], Found]:
    """Return the record nearest to each moment of a ranking, within TOLERANCE; the earlier of two."""
    order = "abs(extract(epoch FROM record.at - wanted.at)), record.at"
    return _find([(id_, at, at - TOLERANCE, at + TOLERANCE) for id_, at in wanted], order)


def newest(wanted: Iterable[tuple[str, datetime, timedelta]]) -> dict[tuple[str, datetime], Found]:
    """Return each ranking's newest record at or before a moment, less than a span of time before it."""
    just = timedelta(microseconds=1)
    return _find([(id_, at, at - span + just, at) for id_, at, span in wanted], "record.at DESC")


def _find(
    wanted: Sequence[tuple[str, datetime, datetime, datetime]], order: str
) -> dict[tuple[str, datetime], Found]:
    """Return the first record of each ranking, in this order, that is between two moments, by the wanted."""
    if not wanted:
        return {}
    sql = (
        "SELECT wanted.id, wanted.at, found.at, found.rows::text, found.keys, found.total"  # noqa: S608
        " FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])"
        " AS wanted (id, at, since, until)"
        f" CROSS JOIN LATERAL (SELECT * FROM {table_name()} AS record WHERE record.ranking = wanted.id"
        " AND record.at BETWEEN wanted.since AND wanted.until AND record.rows IS NOT NULL"
        f" ORDER BY {order} LIMIT 1) AS found"
    )
    with cursor() as opened:
        opened.execute(sql, [list(column) for column in zip(*wanted, strict=True)])
        return {
            (id_, wanted_at): Found(at, _values(rows), None if keys is None else Totals(keys, total))
            for id_, wanted_at, at, rows, keys, total in opened.fetchall()
        }


def _values(rows: str) -> Values:
    flat: list[Any] = json.loads(rows)
    # PostgreSQL writes 1e308 as an integer of 309 digits.
    return tuple(zip(flat[::2], map(finite, flat[1::2]), strict=True))
