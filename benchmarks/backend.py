"""Compare django_risingwave with Django's PostgreSQL backend, on one server: python -m benchmarks.backend.

Each repeat measures both backends, one right after the other, and they take turns at going first. The ratio
is the median over these pairs, with a 95 % confidence interval from 10,000 resamples of the pairs.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.utils import timezone

from benchmarks.standin import migrated_standin

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import Model

#: The aliases of the two backends, on the same database.
OURS, DJANGOS = "risingwave", "plain"
ROWS = 1_000_000
TABLE = "benchmark_rows"


def make_model() -> type[Model]:
    """Return a model with common fields. Both backends read and write its table."""
    from django.db import models  # noqa: PLC0415 - not before django.setup()

    class Row(models.Model):
        """A row."""

        id = models.BigIntegerField(primary_key=True)
        name = models.CharField(max_length=100)
        quantity = models.IntegerField()
        price = models.FloatField()
        at = models.DateTimeField()

        class Meta:
            app_label = "benchmarks"
            managed = False
            db_table = TABLE

        def __str__(self) -> str:
            return self.name

    return Row


def make_table() -> None:
    """Create the table with ROWS rows."""
    from django.db import connections  # noqa: PLC0415

    with connections[DJANGOS].cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, name varchar NOT NULL, quantity integer NOT NULL,"
            " price double precision NOT NULL, at timestamptz NOT NULL)"
        )
        cursor.execute(
            f"INSERT INTO {TABLE} SELECT i, 'row ' || i, i % 100, i / 7.0, now()"
            f" FROM generate_series(1, {ROWS}) AS i"
        )
        cursor.execute(f"VACUUM ANALYZE {TABLE}")


def seconds(action: Callable[[], object]) -> float:
    """Return how long the action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def compare(
    name: str, repeats: int, action: Callable[[str], object], clean: Callable[[], object] = lambda: None
) -> str:
    """Return one line of the table. `clean` undoes the action, and isn't timed."""
    pairs = []
    for alias in (OURS, DJANGOS):
        action(alias)
        clean()
    for repeat in range(repeats):
        order = (OURS, DJANGOS) if repeat % 2 else (DJANGOS, OURS)
        took = {}
        for alias in order:
            took[alias] = seconds(partial(action, alias))
            clean()
        pairs.append((took[OURS], took[DJANGOS]))
    ratios = [ours / djangos for ours, djangos in pairs]
    resampled = sorted(statistics.median(random.choices(ratios, k=repeats)) for _ in range(10_000))
    ours, djangos = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
    ratio = f"{statistics.median(ratios):.3f} ({resampled[250]:.3f} – {resampled[9749]:.3f})"
    return f"| {name} | {repeats} | {djangos:,.2f} | {ours:,.2f} | {ratio} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40, help="pairs of each action; default: 40")
    options = parser.parse_args()
    with migrated_standin():
        settings.DATABASES[DJANGOS] = settings.DATABASES[OURS] | {
            "ENGINE": "django.db.backends.postgresql",
            "OPTIONS": {
                k: v for k, v in settings.DATABASES[OURS]["OPTIONS"].items() if k != "implicit_flush"
            },
        }
        settings.DATABASE_ROUTERS = []
        django.setup()
        row = make_model()
        make_table()
        rows = row._default_manager

        def get(alias: str) -> None:
            for key in range(1, 501):
                rows.using(alias).get(pk=key)

        def page(alias: str) -> None:
            for start in range(0, 100_000, 2_000):
                list(rows.using(alias).filter(id__gt=start).order_by("id")[:100])

        new_rows = [
            row(id=ROWS + i, name=f"row {i}", quantity=i, price=i / 7, at=timezone.now())
            for i in range(1, 10_001)
        ]

        def bulk_create(alias: str) -> None:
            rows.using(alias).bulk_create(new_rows)

        def delete() -> None:
            rows.using(DJANGOS).filter(id__gt=ROWS)._raw_delete(DJANGOS)

        def iterate(alias: str) -> None:
            for _ in rows.using(alias).iterator():
                pass

        print("| | n | Django's backend, ms | this backend, ms | ratio (95 %) |")
        print("|---|---:|---:|---:|---:|")
        print(compare("500 × get(pk=…)", options.repeats, get), flush=True)
        print(compare("50 pages of 100 rows", options.repeats, page), flush=True)
        print(compare("bulk_create of 10,000 rows", options.repeats, bulk_create, delete), flush=True)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(compare(f"iterator() over {ROWS:,} rows", max(options.repeats, 30), iterate), flush=True)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"\nThe iterators raised the peak memory by {grown / 1024:.1f} MiB.")


if __name__ == "__main__":
    main()
