"""What reads and inserts cost as the orders grow in number: python -m benchmarks.cost.

Times are the client's, over a unix socket: what the server does, its triggers included, and the way there
and back. The last column is the alternative, the same four rankings from the raw table.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import django
from django.db import connections

from benchmarks.server import manage, migrated_standin, spread
from demo.shop.generator.orders import generate, insert_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What there would be without materialized views.
AGGREGATES = (
    "SELECT state, sum((qty * price)::numeric) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    "SELECT itemid, avg(qty) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    "SELECT itemid, sum(qty) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    "SELECT itemid, sum((qty * price)::numeric) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
)
#: Numbers of orders that are inserted to be measured, and deleted again.
MEASURED = 2_000_000_000


def execute_next(cursor: Any, statements: Iterator[str]) -> None:
    cursor.execute(next(statements))


def timed(repeats: int, action: Callable[[], object]) -> str:
    """Milliseconds that it takes."""
    figures = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        figures.append((time.perf_counter() - began) * 1000)
    return spread(figures)


def measure(cursor: Any, repeats: int) -> list[str]:
    """Milliseconds of: four reads, an insert of 1,000, an insert of one, four aggregates."""
    from live.rankings import RANKINGS  # noqa: PLC0415 - its models need django.setup()

    reads = [ranking.queryset().query.sql_with_params() for ranking in RANKINGS.values()]
    orders = generate(1, MEASURED)

    def read() -> None:
        for sql, parameters in reads:
            cursor.execute(sql, parameters)
            cursor.fetchall()

    def aggregate() -> None:
        for sql in AGGREGATES:
            cursor.execute(sql)
            cursor.fetchall()

    cells = [timed(repeats, read)]
    for lines, times in ((1_000, repeats // 10), (1, repeats)):
        statements = [insert_statement(islice(orders, lines)) for _ in range(times)]
        cells.append(timed(times, partial(execute_next, cursor, iter(statements))))
    cursor.execute("DELETE FROM orders WHERE orderid >= %s", [MEASURED])
    return [*cells, timed(max(repeats // 20, 3), aggregate)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000, 5_000_000])
    options = parser.parse_args()
    with migrated_standin():
        django.setup()
        print("| orders | all four rankings, top 5 | insert of 1,000 | insert of 1 | from the raw table |")
        print("|---:|---:|---:|---:|---:|")
        present = 0
        for size in options.sizes:
            manage("generate_orders", "--count", str(size - present), "--seed", str(size), "--verbosity", "0")
            present = size
            with connections["risingwave"].cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
                cells = measure(cursor, options.repeats)
            print(f"| {size:,} | {' | '.join(cells)} |", flush=True)
        print("\nms, median (9 in 10)")


if __name__ == "__main__":
    main()
