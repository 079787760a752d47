"""Measure reads of a top 5 and its totals as the number of keys grows: python -m benchmarks.ranked_reads.

The times are those of the ORM, over a unix socket. Beside them are the queries that read the whole view: the
top 5 with a cast, which no index serves, and the totals.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import django
from django.db import connections

from benchmarks.figures import spread
from benchmarks.standin import migrated_standin

if TYPE_CHECKING:
    from collections.abc import Callable

RANKING = "products-by-turnover"
#: One order line for each item. A million new keys at once take less memory in several statements.
INSERT = (
    "INSERT INTO orders (orderid, itemid, qty, price, state)"
    " SELECT 1, n, 1 + n %% 7, (n * 7919::bigint %% 100003) / 100.0, 'Ohio' FROM generate_series(%s, %s) AS n"
)
LINES_PER_STATEMENT = 100_000
WHOLE_VIEW = (
    "SELECT itemid, turnover::double precision FROM item_turnover"
    " ORDER BY 2 DESC NULLS LAST, itemid ASC NULLS LAST LIMIT 5"
)
TOTALS_OF_VIEW = "SELECT count(*), sum(turnover) FROM item_turnover"


def milliseconds(repeats: int, action: Callable[[], object]) -> list[float]:
    """Time the action `repeats` times, in ms."""
    figures = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        figures.append((time.perf_counter() - began) * 1000)
    return figures


def query(sql: str) -> Callable[[], object]:
    """Return a function that executes the SQL."""

    def execute() -> None:
        with connections["risingwave"].cursor() as cursor:
            cursor.execute(sql)
            cursor.fetchall()

    return execute


def insert(first: int, last: int) -> None:
    """Insert a line of each of these items."""
    with connections["risingwave"].cursor() as cursor:
        for begin in range(first, last + 1, LINES_PER_STATEMENT):
            cursor.execute(INSERT, [begin, min(begin + LINES_PER_STATEMENT - 1, last)])
        cursor.execute("VACUUM ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400, help="reads; default: 400")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[100, 10_000, 1_000_000],
        help="numbers of keys; default: 100 10000 1000000",
    )
    options = parser.parse_args()
    with migrated_standin():
        django.setup()
        from live.feeding.sources import find_sources  # noqa: PLC0415 - as above
        from live.rankings import RANKINGS  # noqa: PLC0415 - its models need django.setup()

        source = find_sources("risingwave", RANKINGS.values())[RANKING]
        few = max(options.repeats // 20, 5)
        print("| keys | top 5 | totals | top 5 of the whole view | totals of the whole view |")
        print("|---:|---:|---:|---:|---:|")
        present, medians = 0, []
        for size in options.sizes:
            insert(present + 1, size)
            present = size
            reads = [milliseconds(options.repeats, read) for read in (source.rows, source.totals)]
            whole = [milliseconds(few, query(sql)) for sql in (WHOLE_VIEW, TOTALS_OF_VIEW)]
            medians.append([statistics.median(figures) for figures in reads])
            print(f"| {size:,} | {' | '.join(map(spread, [*reads, *whole]))} |", flush=True)
        rows, totals = (last / first for first, last in zip(medians[0], medians[-1], strict=True))
        print("\nAll times are in ms: the median (9 in 10).")
        print(f"From the fewest to the most keys: top 5 {rows:.2f} times, totals {totals:.2f} times.")


if __name__ == "__main__":
    main()
