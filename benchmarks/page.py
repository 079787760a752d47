"""Measure the CPU that an open page costs its viewer: python -m benchmarks.page.

The demo's shop takes 20 orders a second, and Chromium shows the page in 1280 by 720 pixels without a GPU. The
figure is the CPU time of all of Chromium's processes, user and system, from /proc, in per cent of one core.

To compare with another commit, check it out with `git worktree add`, copy this file into its benchmarks/, and
run it there too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from benchmarks.figures import spread
from benchmarks.processes import CHROMIUM, DEADLINE_SECONDS, ROOT, daphne
from benchmarks.standin import migrated_standin, prepare_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

#: Before the first measurement: Chromium compiles scripts and fills its caches.
WARM_UP_SECONDS = 10
ORDERS_PER_SECOND = 20
ORDERS_BEFORE = 100_000
PAGES: tuple[tuple[str, Literal["no-preference", "reduce"]], ...] = (
    ("in motion", "no-preference"),
    ("with reduced motion", "reduce"),
)
TICKS = os.sysconf("SC_CLK_TCK")


def chromium_processes() -> list[int]:
    """Return the process ids of Chromium below this process."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # It has ended meanwhile.
        names[int(folder.name)] = name
        parents[int(folder.name)] = int(rest.split()[1])

    def descends(process: int) -> bool:
        return process == os.getpid() or (process in parents and descends(parents[process]))

    return [process for process, name in names.items() if name.startswith("chrom") and descends(process)]


def cpu_seconds(processes: list[int]) -> float:
    """Return the user and system time of these processes together."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


@contextmanager
def orders() -> Iterator[None]:
    """Insert orders for the duration of the block."""
    command = ["manage.py", "generate_orders", "--rate", str(ORDERS_PER_SECOND), "--seed", "2"]
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each page; default: 5")
    parser.add_argument("--seconds", type=float, default=20, help="of a measurement; default: 20")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(migrated_standin())
        prepare_site(folder, orders=ORDERS_BEFORE)
        site = stack.enter_context(daphne({}, folder / "log"))
        stack.enter_context(orders())
        playwright = stack.enter_context(sync_playwright())
        # Chromium's sandbox doesn't work for root.
        flags = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        print("| page | n | % of a core, median (9 in 10) |")
        print("|---|---:|---:|")
        for name, reduced_motion in PAGES:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            page = browser.new_page(viewport={"width": 1280, "height": 720}, reduced_motion=reduced_motion)
            page.goto(site.url)
            page.wait_for_selector("#badge[data-state=live]")
            time.sleep(WARM_UP_SECONDS)
            processes = chromium_processes()
            figures = []
            for _ in range(options.repeats):
                before, begun = cpu_seconds(processes), time.monotonic()
                time.sleep(options.seconds)
                passed = time.monotonic() - begun
                figures.append((cpu_seconds(processes) - before) / passed * 100)
            print(f"| {name} | {len(figures)} | {spread(figures, 1)} |", flush=True)
            browser.close()


if __name__ == "__main__":
    main()
