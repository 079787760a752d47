"""The server that is measured, and the orders that change its rankings."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg2

from benchmarks import processes
from live.conf import live_settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from benchmarks.fanout.clients import Clients

SERVERS = {"Daphne": processes.DAPHNE, "uvicorn": processes.UVICORN}
STATES_PATH = "/ws/rankings/?rankings=states-by-turnover"
#: Ticks of /proc/PID/stat in a second.
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
#: Seconds that a frame may take to reach the last subscriber; after that it counts as lost.
DELIVERY_SECONDS = 30


class Orders:
    """Orders of two states, which make a frame of 1.2 KB. Each insert changes the first state."""

    def __init__(self, url: str, *, fresh: bool = True) -> None:
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        if fresh:
            self.insert(*((1, 1_000_000 - number, f"State number {number}") for number in range(2)))

    def close(self) -> None:
        self.connection.close()

    def insert(self, *rows: tuple[int, float, str]) -> float:
        """Commit rows of (product, price, state). Return the time after the commit, in monotonic seconds."""
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, %s, 1, %s, %s)",
                rows or [(1, 1, "State number 0")],
            )
        return time.monotonic()

    def rename_states(self, length: int) -> None:
        """Rename the states so that a frame has about twice `length` bytes."""
        with self.connection.cursor() as cursor:
            cursor.execute("UPDATE orders SET state = rpad(state, %s, '.')", [length])

    def count_reads(self) -> int:
        """Return how often the ranking of states has been read."""
        with self.connection.cursor() as cursor:
            # PostgreSQL publishes a session's statistics when the session next runs a statement. This call
            # does it for this session, whose triggers read the table. The feed's next statement is its next
            # check of the server.
            cursor.execute("SELECT pg_stat_force_next_flush()")
            time.sleep(live_settings.SERVER_CHECK_SECONDS + 1)
            cursor.execute(
                "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'state_turnover'"
            )
            [row] = cursor.fetchall()
            return int(row[0])


class ServerProcess:
    """The CPU time and memory of the server."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu(self) -> float:
        """Return user and system time in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def memory(self) -> float:
        """Return the resident memory in KiB."""
        return float(psutil.Process(self.pid).memory_info().rss / 1024)


def serve(
    server: str,
    folder: Path,
    application: str = "config.asgi:application",
    settings: str = "config.settings",
) -> AbstractContextManager[processes.Server]:
    """Run a server of SERVERS, with its log in `folder`."""
    environment = {"DJANGO_SETTINGS_MODULE": settings}
    return processes.serve(SERVERS[server], environment, folder / "log", application=application)


def seconds_to_last(clients: Clients, orders: Orders, count: int) -> float:
    """Insert an order, and return the seconds from its commit to the last of `count` subscribers."""
    wanted = clients.cards + count
    committed = orders.insert()
    wait_for_cards(clients, wanted)
    return time.monotonic() - committed


def wait_for_cards(clients: Clients, wanted: int) -> None:
    """Wait until the clients have received `wanted` cards altogether."""
    assert clients.run_until(lambda: clients.cards >= wanted, DELIVERY_SECONDS), (
        f"{wanted - clients.cards} frames haven't arrived within {DELIVERY_SECONDS} s"
    )
