"""Measure reads and inserts as the number of orders grows: python -m benchmarks.cost.

The times are the client's, over a unix socket. They include the triggers that keep the summaries up to date.
The last column is the alternative: the same four rankings aggregated from the table of orders.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import django
from django.db import connections

from benchmarks.figures import spread
from benchmarks.standin import manage, migrated_standin
from demo.shop.generator.orders import generate, insert_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The rankings without materialized views.
AGGREGATES = (
    "SELECT state, sum((qty * price)::numeric) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    "SELECT itemid, avg(qty) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    "SELECT itemid, sum(qty) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    "SELECT itemid, sum((qty * price)::numeric) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
)
#: The first number of the orders that are inserted to be measured; they are deleted afterwards.
FIRST_MEASURED_ORDER = 2_000_000_000


def execute_next(cursor: Any, statements: Iterator[str]) -> None:
    cursor.execute(next(statements))


def milliseconds(repeats: int, action: Callable[[], object]) -> str:
    """Time the action `repeats` times, and return the spread in ms."""
    figures = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        figures.append((time.perf_counter() - began) * 1000)
    return spread(figures)


def measure(cursor: Any, repeats: int) -> list[str]:
    """Return the ms of four reads, an insert of 1,000 lines, an insert of one, and four aggregations."""
    from live.leading import leading_model  # noqa: PLC0415 - its models need django.setup()
    from live.rankings import RANKINGS  # noqa: PLC0415 - its models need django.setup()

    rankings = RANKINGS.values()
    reads = [ranking.queryset(leading_model(ranking)).query.sql_with_params() for ranking in rankings]
    orders = generate(1, FIRST_MEASURED_ORDER)

    def read() -> None:
        for sql, parameters in reads:
            cursor.execute(sql, parameters)
            cursor.fetchall()

    def aggregate() -> None:
        for sql in AGGREGATES:
            cursor.execute(sql)
            cursor.fetchall()

    cells = [milliseconds(repeats, read)]
    for lines, times in ((1_000, repeats // 10), (1, repeats)):
        statements = [insert_statement(islice(orders, lines)) for _ in range(times)]
        cells.append(milliseconds(times, partial(execute_next, cursor, iter(statements))))
    cursor.execute("DELETE FROM orders WHERE orderid >= %s", [FIRST_MEASURED_ORDER])
    return [*cells, milliseconds(max(repeats // 20, 3), aggregate)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400, help="reads and single inserts; default: 400")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[10_000, 1_000_000, 5_000_000],
        help="numbers of orders; default: 10000 1000000 5000000",
    )
    options = parser.parse_args()
    with migrated_standin():
        django.setup()
        print("| orders | all four rankings, top 5 | insert of 1,000 | insert of 1 | from the order table |")
        print("|---:|---:|---:|---:|---:|")
        present = 0
        for size in options.sizes:
            manage("generate_orders", "--count", str(size - present), "--seed", str(size), "--verbosity", "0")
            present = size
            with connections["risingwave"].cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
                cells = measure(cursor, options.repeats)
            print(f"| {size:,} | {' | '.join(cells)} |", flush=True)
        print("\nAll times are in ms: the median (9 in 10).")


if __name__ == "__main__":
    main()
