"""How long subscribers are away when their server is restarted."""

from __future__ import annotations

import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks import processes
from benchmarks.fanout.clients import Client, Clients
from benchmarks.fanout.site import SERVERS, STATES_PATH, Orders
from benchmarks.ports import free_port
from live.conf import MAX_RECONNECT_SECONDS, RECONNECT_JITTER, RECONNECT_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "| | subscribers | close codes | server exits after, s | live again p50, s | the last, s | reads |"
#: Seconds within which all must be back.
RETURN_SECONDS = 60


class Returning:
    """A client that reconnects as htmx 4.0.1 does in the page."""

    def __init__(self, client: Client) -> None:
        self.client, self.code = client, client.closed
        self.attempts, self.due, self.live_at = 0, 0.0, 0.0

    def step(self, clients: Clients) -> None:
        """Connect if it is time, or plan the next attempt if the connection is lost."""
        now = time.monotonic()
        if self.due and now >= self.due:
            self.due = 0.0
            try:
                clients.connect(self.client)
            except OSError:
                self.client.closed = 1006
        if self.client.closed is None:
            self.live_at = now if self.client.cards and self.attempts else 0.0
        elif not self.due:
            self.code = self.code or self.client.closed
            delay = min(RECONNECT_SECONDS * 2**self.attempts, MAX_RECONNECT_SECONDS)
            self.due = now + delay * random.uniform(1 - RECONNECT_JITTER, 1 + RECONNECT_JITTER)
            self.attempts += 1


def line(server: str, folder: Path, orders: Orders, count: int) -> str:
    """Return one line of the table."""
    port = free_port()
    command = [argument.format(port=port) for argument in SERVERS[server]]

    def start() -> subprocess.Popen[bytes]:
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *command, "config.asgi:application"],
                cwd=processes.ROOT,
                stdout=log,
                stderr=log,
            )

    process = start()
    running = processes.Server(f"127.0.0.1:{port}", process, folder / "log")
    processes.wait_until(lambda: processes.answers(running))
    clients = Clients(running.host, STATES_PATH)
    everybody = clients.open(count)
    clients.run(0.5)
    reads = orders.count_reads()
    process.send_signal(signal.SIGTERM)
    signalled = time.monotonic()
    while process.poll() is None:
        clients.step(0.01)
    exited = time.monotonic() - signalled
    process = start()
    returning = [Returning(client) for client in everybody]
    while away := [client for client in returning if not client.live_at]:
        clients.step(0.005)
        for client in away:
            client.step(clients)
        assert time.monotonic() - signalled < RETURN_SECONDS, f"{len(away)} clients haven't come back"
    reads = orders.count_reads() - reads
    clients.close()
    process.terminate()
    process.wait()
    codes = Counter(client.code for client in returning)
    closed = ", ".join(f"{times:,} × {code}" for code, times in codes.items())
    back = [client.live_at - signalled for client in returning]
    return (
        f"| {server} | {count:,} | {closed} | {exited:.1f} | {statistics.median(back):.1f}"
        f" | {max(back):.1f} | {reads} |"
    )
