"""Measure the time from an order's commit to the changed page in Chromium: python -m benchmarks.latency.

Daphne, the stand-in and Chromium run on this machine and share its clock. The page notes when a new value of
the first state is in the document (MutationObserver), and when the browser is about to paint it
(requestAnimationFrame).

With RISINGWAVE_URL and DATABASE_URL it is those servers instead. There must be no orders, and the inserted
ones stay.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from benchmarks.browser import chromium
from benchmarks.figures import quantile
from benchmarks.processes import daphne
from benchmarks.standin import migrated_standin, prepare_site, use_given_servers

if TYPE_CHECKING:
    from playwright.sync_api import Page

WATCH = """() => {
  window.seen = new Map();
  const cards = document.getElementById('cards');
  const note = () => {
    const value = document.querySelector('#ranking-states-by-turnover .value')?.textContent;
    if (!value || seen.has(value)) return;
    const times = {dom: performance.timeOrigin + performance.now()};
    seen.set(value, times);
    requestAnimationFrame(() => { times.paint = performance.timeOrigin + performance.now(); });
  };
  const all = {subtree: true, childList: true, characterData: true, attributes: true};
  new MutationObserver(note).observe(cards, all);
}"""


class Orders:
    """Orders of a state that always ranks first. Its turnover after an order identifies the order."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        self.turnover = 1_000_000

    def insert(self) -> tuple[str, float]:
        """Commit an order. Return the turnover as the page shows it, and the time of the commit in ms."""
        self.turnover += 1
        with self.connection.cursor() as cursor:
            price = self.turnover if self.turnover == 1_000_001 else 1
            cursor.execute(
                "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, 1, 1, %s, 'Ohio')",
                [price],
            )
        return f"${self.turnover:,}", time.time() * 1000


def measure(page: Page, orders: Orders, repeats: int) -> list[tuple[float, float]]:
    """Insert after a quiet second. Return the ms to the document and to the painting, for each order."""
    figures = []
    for _ in range(repeats):
        page.wait_for_timeout(1_000 + random.uniform(0, 2_000))
        value, committed = orders.insert()
        page.wait_for_function("value => window.seen.get(value)?.paint", arg=value)
        times = page.evaluate("value => window.seen.get(value)", value)
        figures.append((times["dom"] - committed, times["paint"] - committed))
    return figures


def measure_under_load(page: Page, orders: Orders, seconds: float, rate: float) -> list[tuple[float, float]]:
    """Insert constantly. For each value shown, return the ms since the commit of its oldest order."""
    committed: dict[str, float] = {}
    until = time.monotonic() + seconds

    def insert() -> None:
        while time.monotonic() < until:
            value, moment = orders.insert()
            committed[value] = moment
            time.sleep(1 / rate)

    thread = threading.Thread(target=insert)
    thread.start()
    page.wait_for_timeout(seconds * 1000 + 1000)
    thread.join()
    seen = page.evaluate("() => Object.fromEntries(window.seen)")
    values = sorted(set(seen) & set(committed), key=lambda value: committed[value])
    ordered = sorted(committed, key=lambda value: committed[value])
    figures = []
    for before, after in pairwise(values):
        oldest = committed[ordered[ordered.index(before) + 1]]
        figures.append((seen[after]["dom"] - oldest, seen[after]["paint"] - oldest))
    return figures


def row(name: str, figures: list[tuple[float, float]]) -> str:
    """Return one line of the table: p50, p95 and maximum of both."""
    cells = []
    for times in zip(*figures, strict=True):
        cells += [statistics.median(times), quantile(times, 0.95), max(times)]
    return f"| {name} | {len(figures)} | " + " | ".join(f"{cell:.0f}" for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=60, help="orders after a quiet second; default: 60")
    parser.add_argument("--rate", type=float, default=100, help="inserts/s under load; default: 100")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if "RISINGWAVE_URL" in os.environ:
            use_given_servers()
        else:
            stack.enter_context(migrated_standin())
        prepare_site(folder)
        orders = Orders(os.environ["RISINGWAVE_URL"])
        stack.enter_context(closing(orders.connection))
        site = stack.enter_context(daphne({}, folder / "log"))
        browser = stack.enter_context(chromium())
        print(f"Chromium {browser.version}\n")
        print("| from the commit, ms | n | in the document p50 | p95 | max | painted p50 | p95 | max |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        orders.insert()
        for name, pushed in (("pushed", True), ("polled every 2 s", False)):
            page = browser.new_page()
            if not pushed:
                page.route_web_socket("**", lambda socket: socket.close(code=1011))
            page.goto(site.url)
            page.wait_for_selector(f"#badge[data-state={'live' if pushed else 'polling'}]")
            page.evaluate(WATCH)
            print(row(f"{name}, after a quiet second", measure(page, orders, options.repeats)), flush=True)
            under_load = measure_under_load(page, orders, options.repeats / 2, options.rate)
            print(row(f"{name}, {options.rate:.0f} inserts/s", under_load), flush=True)
            page.close()


if __name__ == "__main__":
    main()
