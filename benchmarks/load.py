"""Order lines a second, in bulk into the stand-in with its triggers: python -m benchmarks.load."""

from __future__ import annotations

import argparse
import time

from benchmarks.server import manage, migrated_standin, spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--count", type=int, default=500_000)
    options = parser.parse_args()
    with migrated_standin():
        print("| manage.py generate_orders, its start included | n | order lines/s, median (9 in 10) |")
        print("|---|---:|---:|")
        for batch in (100, 1_000, 10_000, 50_000):
            rates = []
            for _ in range(options.repeats):
                began = time.perf_counter()
                manage(
                    "generate_orders",
                    "--count",
                    str(options.count),
                    "--batch",
                    str(batch),
                    "--verbosity",
                    "0",
                )
                rates.append(options.count / (time.perf_counter() - began))
            command = f"--count {options.count} --batch {batch}"
            print(f"| {command} | {len(rates)} | {spread(rates, 0)} |", flush=True)


if __name__ == "__main__":
    main()
