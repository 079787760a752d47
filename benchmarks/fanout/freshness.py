"""How old the oldest order is that a card brings, while orders come at a constant rate."""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.fanout.clients import Client, Clients
from benchmarks.fanout.site import STATES_PATH, Orders, seconds_to_last, serve, wait_for_cards
from benchmarks.figures import quantile

if TYPE_CHECKING:
    from pathlib import Path

HEAD = (
    "| from the commit to the last subscriber | subscribers | quiet, p50 / p95, ms "
    "| 100 inserts/s, p50 / p95, ms |"
)
#: Orders a second, each committed by itself.
INSERTS_PER_SECOND = 100


def line(server: str, folder: Path, orders: Orders, count: int, repeats: int) -> str:
    """Return one line of the table."""
    with serve(server, folder) as running, closing(Clients(running.host, STATES_PATH)) as clients:
        first, *_ = clients.open(count)
        seconds_to_last(clients, orders, count)
        quiet = []
        for _ in range(repeats):
            clients.run(1.2)
            quiet.append(seconds_to_last(clients, orders, count) * 1000)
        clients.run(1)
        ages = ages_under_load(clients, first, count, repeats)
    return (
        f"| {server} | {count:,} | {quantile(quiet, 0.5):.0f} / {quantile(quiet, 0.95):.0f}"
        f" | {quantile(ages, 0.5):.0f} / {quantile(ages, 0.95):.0f} |"
    )


def ages_under_load(clients: Clients, first: Client, count: int, repeats: int) -> list[float]:
    """Insert constantly. For each card, return the age in ms of its oldest order at the last subscriber."""
    committed: list[float] = []
    stopped = threading.Event()

    def insert() -> None:
        with closing(Orders(os.environ["RISINGWAVE_URL"], fresh=False)) as orders:
            due = time.monotonic()
            while not stopped.is_set():
                committed.append(orders.insert())
                due += 1 / INSERTS_PER_SECOND
                time.sleep(max(0, due - time.monotonic()))

    turnover, wanted, ages, shown = read_turnover(first), clients.cards, [], 0
    thread = threading.Thread(target=insert)
    thread.start()
    try:
        # The first card brings the first order alone; the feed gathers changes from the second card on.
        for card in range(repeats + 1):
            wanted += count
            wait_for_cards(clients, wanted)
            now, inserted = time.monotonic(), read_turnover(first) - turnover
            if card:
                ages.append((now - committed[shown]) * 1000)
            shown = inserted
    finally:
        stopped.set()
        thread.join()
    return ages


def read_turnover(client: Client) -> int:
    """Return the first state's turnover in the client's newest card. Each order adds one to it."""
    found = re.search(rb"State number 0.*?\$([\d,]+)", client.last, re.DOTALL)
    assert found, client.last
    return int(found[1].replace(b",", b""))
