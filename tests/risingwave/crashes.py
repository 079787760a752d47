"""RECOVER and `kill -9` under load: views equal their tables afterwards, and the dashboard goes on."""

from __future__ import annotations

import os
import tempfile
import threading
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from benchmarks.processes import Server, daphne, wait_until
from benchmarks.standin import manage, prepare_site
from tests.risingwave import servers

if TYPE_CHECKING:
    from collections.abc import Callable

#: Order lines per second: enough that each checkpoint has some.
RATE = 20
#: Seconds within which a write is accepted and the page changes again, on a server that recovers slowly.
DEADLINE_SECONDS = servers.RESTART_SECONDS

INSERT = "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, 1, 1, 2.5, 'Ohio')"
SUMS = "SELECT (SELECT sum(qty) FROM orders), (SELECT sum(quantity) FROM item_quantity)"


@dataclass(frozen=True)
class Crash:
    """What happened to the server, and what was seen of it."""

    name: str
    #: Seconds until a write was accepted again, and until the dashboard showed a change again.
    written_after: float
    seen_after: float


@dataclass(frozen=True)
class Result:
    """All crashes of a run, and the sums afterwards."""

    crashes: list[Crash]
    #: Order lines that the server accepted, and how many of them are there.
    accepted: int
    kept: int
    #: The quantity in the table, and in the view of it.
    sums: tuple[Any, Any]

    @property
    def is_exact(self) -> bool:
        """Whether the view equals its table."""
        return self.sums[0] is not None and bool(self.sums[0] == self.sums[1])


class Writer(threading.Thread):
    """Inserts order lines, on a new connection after each error."""

    def __init__(self, url: str) -> None:
        super().__init__(name="writer")
        self.url = url
        self.accepted = 0
        self._is_stopping = threading.Event()

    def run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                with closing(servers.connect(self.url)) as connection, connection.cursor() as cursor:
                    while not self._is_stopping.wait(1 / RATE):
                        cursor.execute(INSERT)
                        self.accepted += 1
            except Database.Error:
                self._is_stopping.wait(servers.RETRY_SECONDS)

    def stop(self) -> None:
        self._is_stopping.set()
        self.join()


def run(url: str, default_url: str, kill: str | None, start: str | None) -> Result:
    """Run RECOVER, and the two shell commands if both are given, on a database with the demo's tables.

    Raises AssertionError if writes or the dashboard don't go on within DEADLINE_SECONDS.
    """
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "only-for-the-test",
        "EXTRA_APPS": "demo.shop",
        "ENVIRONMENT_FILE": os.devnull,
        "DATABASE_URL": default_url,
        "RISINGWAVE_URL": url,
    }
    manage("migrate", "--database", "risingwave", "--verbosity", "0")
    crashes = []
    with tempfile.TemporaryDirectory() as folder:
        prepare_site(Path(folder))
        with daphne({}, Path(folder) / "log") as site:
            writer = Writer(url)
            writer.start()
            try:
                _wait_for_a_change(site)
                crashes.append(_crash("RECOVER", lambda: servers.query(url, "RECOVER"), writer, site))
                if kill and start:
                    crashes.append(_crash("kill -9", lambda: servers.restart(url, kill, start), writer, site))
            finally:
                writer.stop()
    servers.query(url, "FLUSH")
    ((kept,),) = servers.query(url, "SELECT count(*) FROM orders")
    (sums,) = servers.query(url, SUMS)
    return Result(crashes, writer.accepted, kept, (sums[0], sums[1]))


def _crash(name: str, crash: Callable[[], object], writer: Writer, site: Server) -> Crash:
    begin = time.monotonic()
    crash()
    accepted = writer.accepted
    wait_until(lambda: writer.accepted > accepted, seconds=DEADLINE_SECONDS)
    written = time.monotonic()
    _wait_for_a_change(site)
    return Crash(name, written - begin, time.monotonic() - begin)


def _wait_for_a_change(site: Server) -> None:
    shown = _rankings(site)
    wait_until(lambda: _rankings(site) != shown, site.log.read_text, DEADLINE_SECONDS)


def _rankings(site: Server) -> bytes:
    """Return what the dashboard shows, or nothing while it has nothing to show."""
    try:
        with urllib.request.urlopen(f"{site.url}/api/rankings/", timeout=DEADLINE_SECONDS) as response:
            return bytes(response.read())
    except OSError:
        return b""
