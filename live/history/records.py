"""The table of records: who writes a minute, and which records are kept. PostgreSQL only."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, router

from live.conf import live_settings
from live.json_field import compact
from live.models import Record
from live.users import deadlines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper

    from live.rankings import Ranking
    from live.snapshots import Totals, Values

#: Time between two records of the last LIVE_HISTORY_DAYS, and between two older ones.
MINUTE, QUARTER_HOUR = timedelta(minutes=1), timedelta(minutes=15)
#: Rows that one DELETE removes: it takes about 20 ms, in which it locks nothing that anybody waits for.
ROWS_PER_DELETE = 2_000


def connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to the database of the records."""
    return connections[router.db_for_write(Record)]


@contextmanager
def cursor() -> Iterator[CursorWrapper]:
    """Connect if needed, and open a cursor for one statement, which may take QUERY_TIMEOUT_SECONDS."""
    wrapper = connection()
    wrapper.ensure_connection()
    with deadlines.within(wrapper, live_settings.QUERY_TIMEOUT_SECONDS), wrapper.cursor() as opened:
        yield opened


def table_name() -> str:
    """Return the quoted name of the table."""
    return connection().ops.quote_name(Record._meta.db_table)


def floor(moment: datetime, step: timedelta = MINUTE) -> datetime:
    """Return the last whole minute, or multiple of another step since 1970, in UTC."""
    seconds = step.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def grid(moment: datetime, now: datetime) -> timedelta:
    """Return the time between the records that are kept of this moment."""
    is_recent = now - moment <= timedelta(days=live_settings.HISTORY_DAYS)
    return MINUTE if is_recent else QUARTER_HOUR


def whole_since(now: datetime) -> datetime:
    """Return from when on all records are kept: a quarter of an hour stays whole until all of it is old."""
    return floor(now - timedelta(days=live_settings.HISTORY_DAYS), QUARTER_HOUR)


def claim(ranking: Ranking, minute: datetime) -> bool:
    """Insert the minute's empty record; return False if another process has done so. Raises Error.

    Who gets it reads the ranking and fills it. A record that is never filled is a gap.
    """
    with cursor() as opened:
        opened.execute(
            f"INSERT INTO {table_name()} (ranking, at) VALUES (%s, %s) ON CONFLICT DO NOTHING",  # noqa: S608
            [ranking.id, minute],
        )
        return bool(opened.rowcount)


def fill(
    ranking: Ranking, minute: datetime, values: Values, totals: Totals | None, milliseconds: float
) -> Record:
    """Write into the minute's record what was read. Raises Error, TypeError for keys that aren't JSON."""
    record = Record(
        ranking=ranking.id,
        at=minute,
        # What the database will return: a date, for one, is a string there.
        rows=json.loads(json.dumps([*chain.from_iterable(values)], cls=DjangoJSONEncoder, allow_nan=False)),
        keys=None if totals is None else totals.keys,
        total=None if totals is None else totals.sum,
        milliseconds=milliseconds,
    )
    with cursor() as opened:
        opened.execute(
            f"UPDATE {table_name()} SET rows = %s, keys = %s, total = %s, milliseconds = %s"  # noqa: S608
            " WHERE ranking = %s AND at = %s",
            [compact(record.rows), record.keys, record.total, milliseconds, ranking.id, minute],
        )
    return record


def insert(written: Sequence[tuple[str, datetime, str, int | None, float | None]]) -> None:
    """Insert records of a ranking, a minute, rows as JSON, keys and total. Those that exist stay.

    Raises Error.
    """
    with cursor() as opened:
        opened.execute(
            f"INSERT INTO {table_name()} (ranking, at, rows, keys, total)"  # noqa: S608
            " SELECT ranking, at, rows::json, keys, total"
            " FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::bigint[], %s::float8[])"
            " AS written (ranking, at, rows, keys, total) ON CONFLICT DO NOTHING",
            [list(column) for column in zip(*written, strict=True)],
        )


def thin(now: datetime, thinned_at: datetime | None = None) -> int:
    """Delete the records that aren't kept any more; return how many. Raises Error.

    Of records older than LIVE_HISTORY_DAYS the first of each quarter of an hour stays, until
    LIVE_HISTORY_QUARTER_DAYS. `thinned_at` is when this was done last. Several processes may do it at once.
    """
    deleted = _delete("at < %s", [now - timedelta(days=live_settings.HISTORY_QUARTER_DAYS)])
    until = whole_since(now)
    since = until - (now - thinned_at) - QUARTER_HOUR if thinned_at else datetime(1970, 1, 1, tzinfo=UTC)
    first_of_quarter = (
        f"SELECT FROM {table_name()} AS earlier WHERE earlier.ranking = record.ranking"
        " AND earlier.rows IS NOT NULL AND earlier.at < record.at"
        " AND earlier.at >= date_bin('15 minutes', record.at, TIMESTAMPTZ 'epoch')"
    )
    condition = f"at >= %s AND at < %s AND (rows IS NULL OR EXISTS ({first_of_quarter}))"
    return deleted + _delete(condition, [since, until])


def _delete(condition: str, parameters: Iterable[Any]) -> int:
    sql = (
        f"DELETE FROM {table_name()} WHERE id IN (SELECT id FROM {table_name()} AS record"  # noqa: S608
        f" WHERE {condition} LIMIT {ROWS_PER_DELETE} FOR UPDATE SKIP LOCKED)"
    )
    total, deleted = 0, ROWS_PER_DELETE
    while deleted == ROWS_PER_DELETE:
        with cursor() as opened:
            opened.execute(sql, list(parameters))
            deleted = opened.rowcount
        total += deleted
    return total
