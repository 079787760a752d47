"""Measure from an order on RisingWave to the frame that shows it: python -m benchmarks.hearing.

Each order changes all rankings. For each of them the benchmark notes when a SELECT sees the change (visible),
when a ChangeListener beside the dashboard's learns of it (told), and when a WebSocket client has its frame.

The server is a double of RisingWave, in front of a stand-in of its own. With RISINGWAVE_URL and DATABASE_URL
it is those servers, which need the tables and views of the demo; the orders stay there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import django
import psycopg2
from websockets.sync.client import connect

from benchmarks.figures import quantile
from benchmarks.processes import DEADLINE_SECONDS, ROOT, Server, daphne
from benchmarks.standin import migrated_standin, prepare_site, use_given_servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live.feeding.sources import Source

#: Seconds between two reads that find out whether a change is visible: the error of that figure.
LOOK_SECONDS = 0.005
STEPS = ("visible", "told", "frame")


@dataclass
class Moments:
    """When the client had inserted an order, and when each step had reached each ranking, in seconds."""

    inserted: float
    #: By step and slug.
    reached: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))

    def note(self, step: str, slug: str, moment: float) -> None:
        """Note the first time that a step reaches a ranking."""
        self.reached[step].setdefault(slug, moment)

    def are_complete(self, slugs: set[str]) -> bool:
        """Return whether each step has reached each ranking."""
        return all(self.reached[step].keys() == slugs for step in STEPS)


class Watchers:
    """Threads that note when the rankings change, at each of the steps."""

    def __init__(self, site: Server, sources: dict[str, Source]) -> None:
        self.noted: SimpleQueue[tuple[str, str, float]] = SimpleQueue()
        self._is_stopping = threading.Event()
        self._site = site
        self._sources = sources
        self._ready = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._look, args=(slug,)) for slug in sources]
        self._threads += [threading.Thread(target=self._listen), threading.Thread(target=self._receive)]

    def start(self) -> None:
        """Return when all of them watch."""
        for thread in self._threads:
            thread.start()
        for _ in self._threads:
            assert self._ready.acquire(timeout=DEADLINE_SECONDS)

    def close(self) -> None:
        self._is_stopping.set()
        for thread in self._threads:
            thread.join()

    def _note(self, step: str, slug: str) -> None:
        self.noted.put((step, slug, time.monotonic()))

    def _look(self, slug: str) -> None:
        """Read the largest value of a ranking again and again."""
        source = self._sources[slug]
        measured: Any = source.ranking.model._meta.get_field(source.ranking.measure)
        with closing(psycopg2.connect(os.environ["RISINGWAVE_URL"])) as connection:
            connection.autocommit = True
            last: Any = self
            while not self._is_stopping.wait(LOOK_SECONDS):
                with connection.cursor() as cursor:
                    cursor.execute(f'SELECT max("{measured.column}") FROM "{source.relation}"')
                    ((largest,),) = cursor.fetchall()
                if last is self:
                    self._ready.release()
                elif largest != last:
                    self._note("visible", slug)
                last = largest

    def _listen(self) -> None:
        from django_risingwave.streaming.changes import ChangeListener  # noqa: PLC0415 - not before django.setup()
        from django_risingwave.streaming.selectable_event import SelectableEvent  # noqa: PLC0415

        slugs = {source.relation: slug for slug, source in self._sources.items()}
        with closing(SelectableEvent()) as never, closing(ChangeListener("risingwave", slugs)) as listener:
            assert listener.start(), f"No subscription to {slugs.keys() - listener.heard}."
            self._ready.release()
            while not self._is_stopping.is_set():
                for relation in listener.wait(0.5, never):
                    self._note("told", slugs[relation])
            listener.connection.close()

    def _receive(self) -> None:
        rows: dict[str, Any] = {}
        with connect(f"{self._site.socket_url}?format=json", origin=self._site.url) as socket:  # type: ignore[arg-type]
            while not self._is_stopping.is_set():
                try:
                    message = json.loads(socket.recv(0.5))
                except TimeoutError:
                    continue
                if message["type"] == "snapshot":
                    rows[message["ranking"]] = message["rows"]
                    if rows.keys() == self._sources.keys():
                        self._ready.release()
                # An update may have other totals only.
                elif message["type"] == "update" and rows[message["ranking"]] != message["rows"]:
                    rows[message["ranking"]] = message["rows"]
                    self._note("frame", message["ranking"])


def measure(site: Server, orders: int) -> list[Moments]:
    """Insert orders one by one, each after a quiet second or two, and return the moments of each.

    Django must be set up, with the database of the site, and RISINGWAVE_URL must be its address. Raises
    AssertionError if a step doesn't reach a ranking within DEADLINE_SECONDS.
    """
    from live.feeding.sources import find_sources  # noqa: PLC0415
    from live.rankings import RANKINGS  # noqa: PLC0415 - not before django.setup()

    sources = find_sources("risingwave", RANKINGS.values())
    measured = []
    with (
        closing(psycopg2.connect(os.environ["RISINGWAVE_URL"])) as connection,
        closing(Watchers(site, sources)) as watchers,
    ):
        connection.autocommit = True
        watchers.start()
        for _ in range(orders + 1):
            time.sleep(random.uniform(1, 2))
            while not watchers.noted.empty():
                watchers.noted.get()
            moments = insert(connection)
            until = time.monotonic() + DEADLINE_SECONDS
            while not moments.are_complete(set(sources)):
                assert time.monotonic() < until, moments
                if not watchers.noted.empty():
                    moments.note(*watchers.noted.get())
                else:
                    time.sleep(LOOK_SECONDS)
            measured.append(moments)
    # The first order may have to wait for what is done only once.
    return measured[1:]


def insert(connection: Any) -> Moments:
    """Insert an order of a product and a state that lead all rankings then.

    Its quantity is larger than that of any earlier order, so that the average changes too.
    """
    quantity = int(time.time()) - 1_700_000_000
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, 1, %s, 1000, 'Ohio')",
            [quantity],
        )
    return Moments(time.monotonic())


def table(measured: list[Moments]) -> str:
    """Return the figures as a table, in milliseconds."""
    lines = ["| ms | n | p50 | p95 | max |", "|---|---:|---:|---:|---:|"]
    for name, begin, end in (
        ("inserted to visible", None, "visible"),
        ("visible to told", "visible", "told"),
        ("visible to frame", "visible", "frame"),
        ("inserted to frame", None, "frame"),
    ):
        figures = [
            (moment - (moments.reached[begin][slug] if begin else moments.inserted)) * 1000
            for moments in measured
            for slug, moment in moments.reached[end].items()
        ]
        cells = (statistics.median(figures), quantile(figures, 0.95), max(figures))
        lines.append(f"| {name} | {len(figures)} | " + " | ".join(f"{cell:.0f}" for cell in cells) + " |")
    return "\n".join(lines)


@contextmanager
def double_of_risingwave() -> Iterator[None]:
    """Put a double in front of the stand-in at RISINGWAVE_URL, with a subscription to each ranking."""
    command = [sys.executable, "-m", "django_risingwave.testing.double", os.environ["RISINGWAVE_URL"]]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdin
        os.environ["RISINGWAVE_URL"] = process.stdout.readline().strip()
        try:
            yield
        finally:
            process.stdin.close()


def create_subscriptions() -> None:
    """Create the subscriptions that migrations create on RisingWave, and leave out on the stand-in."""
    from django.db import connections  # noqa: PLC0415 - not before django.setup()

    from live.feeding.sources import find_sources  # noqa: PLC0415
    from live.rankings import RANKINGS  # noqa: PLC0415

    with connections["risingwave"].cursor() as cursor:
        for source in find_sources("risingwave", RANKINGS.values()).values():
            name = f"{source.relation}_changes"
            cursor.execute(
                f'CREATE SUBSCRIPTION "{name}" FROM "{source.relation}" WITH (retention = \'1 day\')'
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=60, help="how many orders to insert; default: 60")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        is_real = "RISINGWAVE_URL" in os.environ
        if is_real:
            use_given_servers()
        else:
            stack.enter_context(migrated_standin())
        prepare_site(folder)
        if not is_real:
            stack.enter_context(double_of_risingwave())
        django.setup()
        if not is_real:
            create_subscriptions()
        site = stack.enter_context(daphne({}, folder / "log"))
        print(table(measure(site, options.orders)), flush=True)


if __name__ == "__main__":
    main()
