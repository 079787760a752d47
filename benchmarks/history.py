"""Measure what the history takes on disk: python -m benchmarks.history.

Each minute of two days, all rankings of the demo in all their windows are claimed, recorded and thinned as a
process of the site does it. The second day is the figure. Autovacuum, which has no time for it here, is
replaced by a VACUUM in each minute in which its default settings would have started one.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import django
from django.db import connections

from benchmarks.standin import migrated_standin, prepare_site

if TYPE_CHECKING:
    from live.snapshots import Totals, Values

MINUTES_PER_DAY = 24 * 60
#: When autovacuum begins with a table: dead rows, and their part of all rows.
#: https://www.postgresql.org/docs/18/runtime-config-vacuum.html
VACUUM_THRESHOLD, VACUUM_SCALE_FACTOR = 50, 0.2


def grown(values: Values, random: Random) -> Values:
    """Return rows like these as they may be a minute later: each value of as many digits, none as it was."""
    later: list[tuple[Any, float | None]] = []
    for key, value in values:
        if value is None or value == int(value):
            later.append((key, value and value + random.randrange(1, 50)))
        else:
            digits = len(repr(value).partition(".")[2])
            later.append((key, round(value * random.uniform(1, 1.001), digits)))
    return tuple(later)


def vacuum_if_due(table: str) -> bool:
    """Do what autovacuum would do now, and return whether it would do something."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT n_dead_tup > %s + %s * n_live_tup FROM pg_stat_user_tables WHERE relname = %s",
            [VACUUM_THRESHOLD, VACUUM_SCALE_FACTOR, table],
        )
        (is_due,) = cursor.fetchone()
        if is_due:
            cursor.execute(f"VACUUM ANALYZE {table}")
        return bool(is_due)


def sizes(table: str) -> tuple[int, int, int]:
    """Return the bytes of the table, those of its indexes, and its records."""
    with connections["default"].cursor() as cursor:
        cursor.execute(f"SELECT pg_table_size('{table}'), pg_indexes_size('{table}'), count(*) FROM {table}")
        heap, indexes, count = cursor.fetchone()
        return heap, indexes, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=2, help="simulated days; default: 2")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, migrated_standin():
        prepare_site(Path(folder), orders=100_000)
        django.setup()
        from live.feeding.sources import find_sources  # noqa: PLC0415 - as above
        from live.history import records  # noqa: PLC0415 - as above
        from live.models import Record  # noqa: PLC0415 - its app needs django.setup()
        from live.rankings import variants  # noqa: PLC0415 - as above

        table = Record._meta.db_table
        rankings = variants()
        sources = find_sources("risingwave", rankings)
        known: dict[str, tuple[Values, Totals | None]] = {
            ranking.id: (sources[ranking.id].rows(), sources[ranking.id].totals()) for ranking in rankings
        }
        with connections["default"].cursor() as cursor:
            # It takes less time and the same space.
            cursor.execute("SET synchronous_commit = off")
        random = Random(1)
        now, thinned_at, vacuums = records.floor(datetime.now(UTC)), None, 0
        print("| day | MB a day for each ranking and window | its rows | its indexes | records |")
        print("|---|---:|---:|---:|---:|")
        for minute in range(1, options.days * MINUTES_PER_DAY + 1):
            now += records.MINUTE
            for ranking in rankings:
                values, totals = known[ranking.id]
                values = grown(values, random)
                known[ranking.id] = values, totals
                if records.claim(ranking, now):
                    records.fill(ranking, now, values, totals, random.randrange(10, 100) / 10)
            if thinned_at is None or now - thinned_at >= records.QUARTER_HOUR:
                records.thin(now, thinned_at)
                thinned_at = now
            vacuums += vacuum_if_due(table)
            if minute % MINUTES_PER_DAY == 0:
                heap, indexes, count = sizes(table)
                each = [f"{size / len(rankings) / 1e6:.2f}" for size in (heap + indexes, heap, indexes)]
                print(f"| {minute // MINUTES_PER_DAY} | {' | '.join(each)} | {count:,} |", flush=True)
        print(f"\n{len(rankings)} rankings and windows, {vacuums} times VACUUM.")


if __name__ == "__main__":
    main()
