"""Measure from a COMMIT in PostgreSQL to the mirror on the stand-in: python -m benchmarks.mirrors.

The clients read without a pause, on the machine of the servers: the embedded PostgreSQL holds both databases.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings

from benchmarks.figures import quantile
from django_risingwave import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERY = "SELECT item, sum(quantity) AS quantity FROM orders GROUP BY item"
READS = {
    "in the mirror": "SELECT quantity FROM orders WHERE id = 1",
    "in a view that is kept up to date": "SELECT quantity FROM kept WHERE item = 1",
    "in a view that is computed when it is read": "SELECT quantity FROM computed WHERE item = 1",
}


@contextmanager
def databases(rows: int) -> Iterator[None]:
    """Configure Django with a table of `rows` rows in PostgreSQL, its mirror, and two views of it."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "postgres"
        server = embedded.start(data, ["shop", "risingwave"])
        try:
            address = {"HOST": embedded.socket_folder(data), "USER": embedded.USER}
            settings.configure(
                DATABASES={
                    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", **address},
                    "risingwave": {"ENGINE": "django_risingwave", "NAME": "risingwave", **address},
                },
                INSTALLED_APPS=["django_risingwave"],
            )
            django.setup()
            prepare(rows)
            yield
        finally:
            server.stop()


def prepare(rows: int) -> None:
    """Create the table, the mirror and the views, and print how long the copy took."""
    from django.db import connections  # noqa: PLC0415 - the settings come first

    from django_risingwave.connections import get_connection  # noqa: PLC0415
    from django_risingwave.streaming.mirrors import MirrorDefinition  # noqa: PLC0415
    from django_risingwave.streaming.views import ViewDefinition  # noqa: PLC0415

    with connections["default"].cursor() as cursor:
        cursor.execute("CREATE TABLE orders (id bigint PRIMARY KEY, item integer, quantity integer)")
        cursor.execute("INSERT INTO orders SELECT n, mod(n, 50), 1 FROM generate_series(1, %s) AS n", [rows])
    columns = {"id": "bigint", "item": "integer", "quantity": "integer"}
    started = time.perf_counter()
    with get_connection().schema_editor() as editor:
        editor.create_streaming_object(MirrorDefinition("orders", columns, ["id"]))
    print(f"copied {rows:,} rows in {time.perf_counter() - started:.1f} s")
    with get_connection().schema_editor() as editor:
        editor.create_streaming_object(ViewDefinition("kept", QUERY))
        # DISTINCT keeps the stand-in from keeping it.
        editor.create_streaming_object(ViewDefinition("computed", QUERY.replace("SELECT", "SELECT DISTINCT")))


def measure(changes: int) -> dict[str, list[float]]:
    """Return the milliseconds until each read has seen each change."""
    from django.db import connections  # noqa: PLC0415 - the settings come first

    seen: dict[str, list[float]] = {where: [] for where in READS}
    with connections["default"].cursor() as orders, connections["risingwave"].cursor() as mirror:
        for where, read in READS.items():
            for _ in range(changes):
                before = value(mirror, read)
                orders.execute("UPDATE orders SET quantity = quantity + 1 WHERE id = 1")
                committed = time.perf_counter()
                while value(mirror, read) == before:
                    pass
                seen[where].append(1_000 * (time.perf_counter() - committed))
    return seen


def value(cursor: Any, read: str) -> Any:
    """Return the only value of a query."""
    cursor.execute(read)
    return cursor.fetchone()[0]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=200)
    arguments = parser.parse_args()
    with databases(arguments.rows):
        for where, found in measure(arguments.changes).items():
            p50, p95, longest = quantile(found, 0.5), quantile(found, 0.95), max(found)
            print(f"{where}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, max {longest:.1f} ms")


if __name__ == "__main__":
    main()
