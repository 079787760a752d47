"""Measure what time windows cost the stand-in: python -m benchmarks.windows.

The table has seven days of orders. They are inserted one by one at the demo's rate, while a listener hears of
changes, lets rows leave, and reads the leading rows and the totals of each changed ranking once a second. The
figures are the CPU time of PostgreSQL's processes: first with the rankings of all orders only, and then with
two of them in four windows each.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

import django
import psutil
from django.db import connections

from benchmarks.figures import spread
from benchmarks.standin import manage, migrated_standin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from live.rankings import Ranking

INSERT = "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, %s, 2, 9.5, %s)"
# Without the triggers, which would only make this slower.
FILL = """
    INSERT INTO orders (orderid, itemid, qty, price, state, placed_at)
    SELECT 1, 1 + n %% 42, 1 + n %% 7, (n * 7919::bigint %% 100003) / 100.0, 'State ' || n %% 50,
        now() - n * interval '1 second' / %s
    FROM generate_series(0, %s) AS n
"""
DAY_SECONDS = 24 * 60 * 60


def server_processes(alias: str) -> list[psutil.Process]:
    """Return the processes of the server: the postmaster and its children."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        postmaster = psutil.Process(cursor.fetchone()[0]).parent()
    assert postmaster is not None
    return [postmaster, *postmaster.children()]


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """Return the CPU time that the processes have used so far."""
    times = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


def measure(rankings: list[Ranking], rate: float, seconds: float) -> tuple[float, list[float], int]:
    """Return the share of a core that the server uses, the times of inserts in ms, the number of reads."""
    from django_risingwave.streaming.changes import ChangeListener  # noqa: PLC0415 - needs django.setup()
    from django_risingwave.streaming.selectable_event import SelectableEvent  # noqa: PLC0415 - as above
    from live.feeding.sources import find_sources  # noqa: PLC0415 - as above

    sources = {source.relation: source for source in find_sources("risingwave", rankings).values()}
    inserts, reads, changed = [], 0, set(sources)
    writer = connections.create_connection("risingwave")
    with (
        closing(ChangeListener("risingwave", list(sources))) as listener,
        closing(SelectableEvent()) as wake,
        writer.cursor() as cursor,
    ):
        listener.start()
        listener.wait(5, wake)
        processes = server_processes("risingwave")
        began_at, used = time.monotonic(), cpu_seconds(processes)
        read_at = began_at
        for number in range(int(rate * seconds)):
            sent_at = time.perf_counter()
            cursor.execute(INSERT, [1 + number % 42, f"State {number % 50}"])
            inserts.append((time.perf_counter() - sent_at) * 1_000)
            while (left := began_at + number / rate - time.monotonic()) > 0:
                changed |= listener.wait(left, wake)
            if time.monotonic() >= read_at + 1:
                read_at = time.monotonic()
                for relation in changed:
                    sources[relation].rows()
                    sources[relation].totals()
                reads += len(changed)
                changed = set()
        share = (cpu_seconds(processes) - used) / (time.monotonic() - began_at)
    writer.close()
    return share, inserts, reads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20, help="order lines per second; default: 20")
    parser.add_argument("--days", type=float, default=7.1, help="days of orders in the table; default: 7.1")
    parser.add_argument("--seconds", type=float, default=60, help="seconds of each measurement; default: 60")
    options = parser.parse_args()
    with migrated_standin():
        manage("migrate", "demo_shop", "0015", "--database", "risingwave", "--verbosity", "0")
        django.setup()
        from live.rankings import RANKINGS  # noqa: PLC0415 - its models need django.setup()

        orders = int(options.days * DAY_SECONDS * options.rate)
        with connections["risingwave"].cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(FILL, [options.rate, orders])
            cursor.execute("RESET session_replication_role")
            cursor.execute("VACUUM ANALYZE")
        plain = list(RANKINGS.values())
        windowed = [variant for ranking in plain for variant in ranking.variants.values()]
        print(f"{orders:,} orders in {options.days:g} days, {options.rate:g} inserted a second\n")
        print("| rankings | CPU of PostgreSQL, % of a core | an insert, ms | reads |")
        print("|---|---:|---:|---:|", flush=True)
        shares = []
        for name, rankings in (("all time", plain), ("and their windows", windowed)):
            if rankings is windowed:
                began_at = time.monotonic()
                manage("migrate", "demo_shop", "--database", "risingwave", "--verbosity", "0")
                created = time.monotonic() - began_at
            share, inserts, reads = measure(rankings, options.rate, options.seconds)
            shares.append(share)
            print(
                f"| {len(rankings)}: {name} | {share * 100:.1f} | {spread(inserts)} | {reads} |", flush=True
            )
        print(f"\nWindows: {(shares[1] - shares[0]) * 100:.1f} % of a core. Created in {created:.1f} s.")
        connections.close_all()


if __name__ == "__main__":
    os.environ.setdefault("LIVE_HISTORY", "false")
    main()
