"""What it costs to tell thousands: python -m benchmarks.fanout.

One stand-in, one server process at a time, and this process as all of its subscribers. Each change is an
insert by SQL, so the figures hold all of it: the read, the rendering and the sending. CPU is the server's
user and system time, divided by the frames that arrived; times are wall time from the commit.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg2

from benchmarks import processes
from benchmarks.server import ROOT, manage, migrated_standin
from benchmarks.sockets import Client, Clients
from live.conf import live_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS = {"Daphne": processes.DAPHNE, "uvicorn": processes.UVICORN}
STATES = "/ws/rankings/?rankings=states-by-turnover"
TICKS = os.sysconf("SC_CLK_TCK")
#: Slow sockets, their receive buffers in bytes, and what each is offered at least.
SLOW, RECEIVE_BUFFER, OFFERED = 100, 4096, 20_000_000
#: How they read, as bytes after each change.
READING = {"never read": 0, "trickle": 512}
#: Orders a second in the table of freshness, one commit each.
CONSTANT = 100


class Orders:
    """Two states, which make a frame of 1.2 KB; every insert changes the first."""

    def __init__(self, url: str, *, fresh: bool = True) -> None:
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        if fresh:
            self.insert(*((1, 1_000_000 - number, f"State number {number}") for number in range(2)))

    def close(self) -> None:
        self.connection.close()

    def insert(self, *rows: tuple[int, float, str]) -> float:
        """Commit rows of (product, price, state); give the time after it, in seconds."""
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, %s, 1, %s, %s)",
                rows or [(1, 1, "State number 0")],
            )
        return time.monotonic()

    def rename(self, length: int) -> None:
        """Give the states names that make a frame of some 2 times `length` bytes."""
        with self.connection.cursor() as cursor:
            cursor.execute("UPDATE orders SET state = rpad(state, %s, '.')", [length])

    def reads(self) -> int:
        """How often the first ranking has been read."""
        with self.connection.cursor() as cursor:
            # This session's own count. The feed's session reports its count with its next query, which is
            # its next check of the server.
            cursor.execute("SELECT pg_stat_force_next_flush()")
            time.sleep(live_settings.SERVER_CHECK_SECONDS + 1)
            cursor.execute("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'state_turnover'")
            [row] = cursor.fetchall()
            return int(row[0])


class Process:
    """The server's figures."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu(self) -> float:
        """User and system time in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """Resident KiB."""
        return float(psutil.Process(self.pid).memory_info().rss / 1024)


def quantile(figures: list[float], share: float) -> float:
    ordered = sorted(figures)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


@contextmanager
def site(
    server: str, folder: Path, application: str = "config.asgi:application"
) -> Iterator[processes.Server]:
    with processes.serve(SERVERS[server], {}, folder / "log", application=application) as running:
        yield running


def fan_out(
    name: str, running: processes.Server, orders: Orders, number: int, repeats: int, cookies: list[str]
) -> str:
    """One line of the first table."""
    process = Process(running.process.pid)
    clients = Clients(running.host, STATES, lambda opened: cookies[opened % len(cookies)] if cookies else "")
    with closing(clients):
        clients.open(10)
        clients.run(1)
        memory, cpu = process.memory(), process.cpu()
        clients.open(number - 10)
        handshake = (process.cpu() - cpu) / (number - 10)
        # Everybody has had a card by now; two more, so that all that is made once has been made.
        for _ in range(2):
            everybody_told(clients, orders, number)
            clients.run(0.5)
        memory = (process.memory() - memory) / (number - 10)
        cpu, frames, times = process.cpu(), clients.frames, []
        for _ in range(repeats):
            times.append(everybody_told(clients, orders, number) * 1000)
            clients.run(random.uniform(0.3, 0.5))
        cost = (process.cpu() - cpu) / (clients.frames - frames) * 1e6
        size = len(next(iter(clients.by_fd.values())).last)
    return (
        f"| {name} | {number:,} | {cost:.1f} | {quantile(times, 0.5):.0f} | {quantile(times, 0.95):.0f}"
        f" | {memory:.1f} | {handshake * 1000:.2f} | {size:,} |"
    )


def everybody_told(clients: Clients, orders: Orders, number: int) -> float:
    """Insert, and give the seconds from the commit to the last subscriber."""
    wanted = clients.cards + number
    committed = orders.insert()
    assert clients.run_until(lambda: clients.cards >= wanted, 30), "a frame was lost"
    return time.monotonic() - committed


def stalled(server: str, folder: Path, orders: Orders, repeats: int, slowness: str) -> str:
    """One line of the table of slow readers, next to 200 that read."""
    with site(server, folder) as running:
        process = Process(running.process.pid)
        # The orders' prices move both rankings. Theirs has large frames, the others' small ones.
        readers = Clients(running.host, "/ws/rankings/?rankings=products-by-turnover")
        sleepers, large = Clients(running.host, STATES), Clients(running.host, STATES)
        with closing(readers), closing(sleepers), closing(large):
            readers.open(200)
            orders.rename(110_000)
            # Somebody must read the large frames for them to be made at all.
            [awake, *_] = large.open(10)
            ended = threading.Event()
            thread = threading.Thread(target=large.run_until, args=(ended.is_set, 600))
            thread.start()
            told_times(readers, orders, 3)
            memory, peak = process.memory(), 0.0
            frame = len(awake.last)
            # As many as offer that much, within the 30 s after which who takes nothing is dropped.
            changes = max(OFFERED // frame + 1, repeats)
            before = told_times(readers, orders, changes)
            slow = [sleepers.connect(receive_buffer=RECEIVE_BUFFER) for _ in range(SLOW)]
            for client in slow:
                sleepers.forget(client)
            readers.run(1)
            during: list[float] = []
            for _ in range(changes):
                during += told_times(readers, orders, 1)
                for client in slow:
                    trickle(client, READING[slowness])
                peak = max(peak, process.memory() - memory)
            ended.set()
            thread.join()
            orders.rename(14)
    return (
        f"| {server} | {slowness} | {SLOW} × {(len(during) * frame) / 1e6:.0f} MB | {peak / 1024:.1f}"
        f" | {quantile(before, 0.5):.0f} / {quantile(before, 0.99):.0f}"
        f" | {quantile(during, 0.5):.0f} / {quantile(during, 0.99):.0f} |"
    )


def trickle(client: Client, size: int) -> None:
    """Read a little of what there is."""
    assert client.socket is not None
    with suppress(OSError):  # Nothing there, or given up by the server.
        client.socket.recv(size)


def freshness(server: str, folder: Path, orders: Orders, number: int, repeats: int) -> str:
    """One line of the table of freshness: from a commit to the last subscriber."""
    with site(server, folder) as running, closing(Clients(running.host, STATES)) as clients:
        first, *_ = clients.open(number)
        everybody_told(clients, orders, number)
        quiet = []
        for _ in range(repeats):
            clients.run(1.2)
            quiet.append(everybody_told(clients, orders, number) * 1000)
        clients.run(1)
        constant = constant_ages(clients, first, number, repeats)
    return (
        f"| {server} | {number:,} | {quantile(quiet, 0.5):.0f} / {quantile(quiet, 0.95):.0f}"
        f" | {quantile(constant, 0.5):.0f} / {quantile(constant, 0.95):.0f} |"
    )


def constant_ages(clients: Clients, first: Client, number: int, repeats: int) -> list[float]:
    """Under constant inserts, the age in ms of the oldest order that each card brings to the last one."""
    committed: list[float] = []
    ended = threading.Event()

    def insert() -> None:
        with closing(Orders(os.environ["RISINGWAVE_URL"], fresh=False)) as mine:
            due = time.monotonic()
            while not ended.is_set():
                committed.append(mine.insert())
                due += 1 / CONSTANT
                time.sleep(max(0, due - time.monotonic()))

    turnover, wanted, ages, seen = shown_turnover(first), clients.cards, [], 0
    thread = threading.Thread(target=insert)
    thread.start()
    try:
        # The first card brings the first order alone; from the second on they were gathered.
        for change in range(repeats + 1):
            wanted += number
            assert clients.run_until(lambda: clients.cards >= wanted, 30), "a frame was lost"  # noqa: B023
            now, orders = time.monotonic(), shown_turnover(first) - turnover
            if change:
                ages.append((now - committed[seen]) * 1000)
            seen = orders
    finally:
        ended.set()
        thread.join()
    return ages


def shown_turnover(client: Client) -> int:
    """The first state's, in the newest card: every order adds one to it."""
    found = re.search(rb"State number 0.*?\$([\d,]+)", client.last, re.DOTALL)
    assert found, client.last
    return int(found[1].replace(b",", b""))


def told_times(clients: Clients, orders: Orders, repeats: int) -> list[float]:
    """From commits to the last of these clients, in ms."""
    times = []
    for _ in range(repeats):
        times.append(everybody_told(clients, orders, len(clients.by_fd)) * 1000)
        clients.run(0.26)  # Changes that follow each other sooner are gathered.
    return times


class Returning:
    """A client that comes back as htmx 4.0.1 does: the delay doubles up to a most, spread by the jitter."""

    def __init__(self, client: Client) -> None:
        self.client, self.code = client, client.closed
        self.attempts, self.due, self.live_at = 0, 0.0, 0.0

    def step(self, clients: Clients) -> None:
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
            self.due = now + min(2**self.attempts, 5) * random.uniform(0.1, 1.9)
            self.attempts += 1


def restart(server: str, folder: Path, orders: Orders, number: int) -> str:
    """One line of the third table: clients that come back as htmx does, with its delay and jitter."""
    port = processes.free_port()
    command = [argument.format(port=port) for argument in SERVERS[server]]

    def start() -> subprocess.Popen[bytes]:
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *command, "config.asgi:application"], cwd=ROOT, stdout=log, stderr=log
            )

    process = start()
    running = processes.Server(f"127.0.0.1:{port}", process, folder / "log")
    processes.wait_until(lambda: processes.answers(running))
    clients = Clients(running.host, STATES)
    everybody = clients.open(number)
    clients.run(0.5)
    reads = orders.reads()
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    while process.poll() is None:
        clients.step(0.01)
    ended = time.monotonic() - asked
    process = start()
    returning = [Returning(client) for client in everybody]
    while away := [client for client in returning if not client.live_at]:
        clients.step(0.005)
        for client in away:
            client.step(clients)
        assert time.monotonic() - asked < 60, f"{len(away)} did not come back"
    reads = orders.reads() - reads
    clients.close()
    process.terminate()
    process.wait()
    codes = Counter(client.code for client in returning)
    said = ", ".join(f"{count:,} × {code}" for code, count in codes.items())
    times = [client.live_at - asked for client in returning]
    return (
        f"| {server} | {number:,} | {said} | {ended:.1f} | {statistics.median(times):.1f}"
        f" | {max(times):.1f} | {reads} |"
    )


def logins(number: int) -> list[str]:
    """Cookies of so many sessions of one user."""
    import django  # noqa: PLC0415

    django.setup()
    from datetime import timedelta  # noqa: PLC0415

    from django.conf import settings  # noqa: PLC0415
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: PLC0415
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415
    from django.contrib.sessions.models import Session  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    user = User.objects.create_user("ann", password="a-good-password")
    data = SessionStore().encode(
        {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
    )
    keys = [secrets.token_hex(16) for _ in range(number)]
    expires = timezone.now() + timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=key, session_data=data, expire_date=expires) for key in keys
    )
    connections.close_all()
    return [f"{settings.SESSION_COOKIE_NAME}={key}" for key in keys]


def tables(options: argparse.Namespace, folder: Path, orders: Orders) -> dict[str, tuple[str, Iterator[str]]]:
    """The tables by name, each a head and its lines, which are measured as they are asked for."""
    servers = options.servers.split(",")
    counts = [int(count) for count in options.subscribers.split(",")]

    def fanned_out() -> Iterator[str]:
        os.environ["LIVE_OPEN"] = "false"
        cookies = logins(max(counts))  # More than that share some.
        for server in servers:
            for count in counts:
                with site(server, folder) as running:
                    yield fan_out(server, running, orders, count, options.repeats, cookies)
        for count in [int(count) for count in options.asgi.split(",") if count]:
            with site("Daphne", folder, "benchmarks.asgi:application") as running:
                yield fan_out("Daphne, ASGI alone", running, orders, count, options.repeats, cookies)
        for count in [int(count) for count in options.group.split(",") if count]:
            with site("Daphne", folder, "benchmarks.group:application") as running:
                yield fan_out("Daphne, Channels group", running, orders, count, options.repeats // 2, [])
        os.environ["LIVE_OPEN"] = "true"

    return {
        "fanout": (
            "| | subscribers | µs a delivery | last: p50 | p95, ms | KiB each | handshake, ms | bytes |",
            fanned_out(),
        ),
        "freshness": (
            "| from the commit to the last | subscribers | quiet: p50 / p95 | constant: p50 / p95, ms |",
            (freshness(server, folder, orders, min(counts), options.repeats) for server in servers),
        ),
        "stalled": (
            "| 200 readers beside | who | are offered | memory, MiB | alone: p50 / p99 | beside them, ms |",
            (
                stalled(server, folder, orders, options.repeats, slowness)
                for server in servers
                for slowness in READING
            ),
        ),
        "restart": (
            "| | subscribers | closed with | ended after, s | live again: p50 | the last | reads |",
            (restart(server, folder, orders, options.restart) for server in servers),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", default="1000,2000,5000")
    parser.add_argument("--asgi", default="1000", help="subscribers of Daphne through ASGI alone")
    parser.add_argument("--group", default="1000,2000", help="subscribers of the group beside it")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--servers", default="Daphne,uvicorn")
    parser.add_argument("--only", choices=["fanout", "freshness", "stalled", "restart"])
    parser.add_argument("--restart", type=int, default=2000, help="subscribers of the restarted server")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(migrated_standin())
        os.environ |= {"LIVE_OPEN": "true", "STATIC_ROOT": str(folder / "static")}
        manage("migrate", "--verbosity", "0")
        manage("collectstatic", "--no-input", "--verbosity", "0")
        orders = Orders(os.environ["RISINGWAVE_URL"])
        stack.enter_context(closing(orders))
        for name, (head, lines) in tables(options, folder, orders).items():
            if options.only in (None, name):
                print(head, re.sub(r"[^|]+", "---", head), sep="\n")
                for line in lines:
                    print(line, flush=True)
                print()


if __name__ == "__main__":
    main()
