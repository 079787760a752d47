"""Measure how many order lines a second the stand-in loads in bulk: python -m benchmarks.load.

The figures include the start of the command and the triggers that keep the four summaries up to date.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.figures import spread
from benchmarks.standin import manage, migrated_standin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="runs for each batch size; default: 5")
    parser.add_argument("--count", type=int, default=500_000, help="order lines a run; default: 500,000")
    options = parser.parse_args()
    with migrated_standin():
        print("| manage.py generate_orders, including its start | n | order lines/s, median (9 in 10) |")
        print("|---|---:|---:|")
        for batch in (100, 1_000, 10_000, 50_000):
            size = ["--count", str(options.count), "--batch", str(batch)]
            rates = []
            for _ in range(options.repeats):
                began = time.perf_counter()
                manage("generate_orders", *size, "--verbosity", "0")
                rates.append(options.count / (time.perf_counter() - began))
            print(f"| {' '.join(size)} | {len(rates)} | {spread(rates, 0)} |", flush=True)


if __name__ == "__main__":
    main()
