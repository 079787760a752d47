"""One peer before so many viewers: started, warmed up, measured, ended."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.peers.meters import Processes, QueryLog, on_core
from benchmarks.processes import free_port, wait_until
from benchmarks.server import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.contestants import Contestant

SERVERS_CORE, VIEWERS_CORE = 0, 1
#: Fewer viewers than this don't tell what memory one takes.
ENOUGH = 100


@dataclass(frozen=True)
class Plan:
    """How long is measured. Times in seconds."""

    repeats: int = 5
    #: The dashboard tells its subscribers every 5 s that it lives: one such message a window.
    idle: float = 5.0
    #: Commits a repeat, so long apart on average: each comes at another moment of a poll's interval.
    commits: int = 4
    spacing: float = 1.5
    #: Until all viewers must have connected.
    connect: float = 60
    #: That a commit may take to a viewer before it counts as not shown.
    patience: float = 10
    warm_up: float = 3
    #: Commits that are looked for in a page.
    page_commits: int = 10


@dataclass
class Result:
    """Of one peer and number of viewers. A list has one figure a repeat."""

    wanted: int
    open: int = 0
    #: Milliseconds; infinite where the commit was not shown within Plan.patience.
    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    #: Viewers whose connection was lost.
    lost: int = 0
    #: Share of all commits and viewers.
    not_shown: list[float] = field(default_factory=list)
    #: Of a core, while there are commits.
    load: list[float] = field(default_factory=list)
    #: Microseconds per viewer and commit; per viewer and second.
    cpu: list[float] = field(default_factory=list)
    idle_cpu: list[float] = field(default_factory=list)
    #: KiB per viewer.
    memory: list[float] = field(default_factory=list)
    #: A second.
    queries: list[float] = field(default_factory=list)
    idle_queries: list[float] = field(default_factory=list)
    #: Milliseconds to a page in Chromium.
    browser: list[float] = field(default_factory=list)

    @property
    def too_many(self) -> bool:
        """Whether some have not connected, or commits have not been shown."""
        return not self.p50 or self.not_shown[-1] > 0.01


class Orders:
    """Orders that are each a dollar more for the state and the product that lead the rankings by far."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        cursor.execute("SELECT max(orderid) FROM orders")
        (self.number,) = cursor.fetchone()
        self.insert(1_000_000_000, item=1)
        # So that the state is ahead of the product.
        self.insert(500_000_000, item=2)
        cursor.execute("SELECT turnover FROM state_turnover WHERE state = 'Ohio'")
        (turnover,) = cursor.fetchone()
        # In whole dollars: shown as $1,500,001,234, and then each larger by one.
        self.insert(float(math.ceil(turnover) - turnover))
        self.turnover = math.ceil(turnover)

    def insert(self, price: float, item: int = 1) -> None:
        self.number += 1
        self.cursor.execute(
            "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (%s, %s, 1, %s, 'Ohio')",
            [self.number, item, price],
        )

    def commit(self) -> tuple[int, float, float]:
        """Commit one; give the state's turnover, and the time on both clocks in seconds."""
        self.turnover += 1
        self.insert(1)
        return self.turnover, time.monotonic(), time.time()


class Viewers:
    """The program with the viewers."""

    def __init__(self, python: Path, kind: str, host: str, count: int, cap: float) -> None:
        command = [str(python), "-m", "benchmarks.peers.viewers", kind, host, str(count), "--cap", str(cap)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.open = int(self.read()["open"])

    def read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the viewers have ended"
        return json.loads(line)

    def collect(self) -> Any:
        """What they have seen: lists of turnover and time."""
        assert self.process.stdin is not None
        self.process.stdin.write("collect\n")
        self.process.stdin.flush()
        return self.read()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def viewers(*arguments: Any) -> Iterator[Viewers]:
    crowd = Viewers(*arguments)
    try:
        yield crowd
    finally:
        crowd.close()


@contextmanager
def serve(contestant: Contestant, python: Path, log: Path) -> Iterator[tuple[str, Processes]]:
    """Run the peer's server; it answers when the block begins."""
    port = free_port()
    command = [part.format(port=port) for part in contestant.command]
    with on_core(SERVERS_CORE), log.open("ab") as output:
        process = subprocess.Popen(
            [python, *command],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    host = f"127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://{host}{contestant.health}", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        wait_until(answers, log.read_text, 60)
        yield host, Processes(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Trial:
    """A peer's server, and what is measured of it."""

    def __init__(self, plan: Plan, orders: Orders, queries: QueryLog, server: Processes) -> None:
        self.plan = plan
        self.orders = orders
        self.queries = queries
        self.server = server

    def run(self, crowd: Viewers, result: Result, empty: int) -> None:
        """Measure again and again; a peer that doesn't keep up is measured once."""
        time.sleep(self.plan.warm_up)
        for _ in range(2):
            self.orders.commit()
            time.sleep(self.plan.spacing)
        self.wait_for(crowd, self.orders.turnover)
        for _ in range(self.plan.repeats):
            self.idle(result)
            commits = self.active(crowd, result)
            self.latency(crowd, commits, result)
            if result.open >= ENOUGH:
                result.memory.append((self.server.memory() - empty) / 1024 / result.open)
            print(".", end="", file=sys.stderr, flush=True)
            if result.too_many:
                break

    def commits(self) -> list[tuple[int, float]]:
        """Commit now and then."""
        commits = []
        for _ in range(self.plan.commits):
            turnover, moment, _ = self.orders.commit()
            commits.append((turnover, moment))
            time.sleep(self.plan.spacing * random.uniform(0.75, 1.25))
        return commits

    def idle(self, result: Result) -> None:
        """Measure while nothing changes."""
        time.sleep(0.5)
        cpu, began, position = self.server.cpu(), time.monotonic(), self.queries.position()
        time.sleep(self.plan.idle)
        seconds = time.monotonic() - began
        result.idle_cpu.append((self.server.cpu() - cpu) / seconds / result.open * 1e6)
        result.idle_queries.append(self.queries.count(position, self.queries.position()) / seconds)

    def active(self, crowd: Viewers, result: Result) -> list[tuple[int, float]]:
        """Measure while there are commits, and until all have seen the last."""
        cpu, began, position = self.server.cpu(), time.monotonic(), self.queries.position()
        commits = self.commits()
        ended = time.monotonic()
        result.queries.append(self.queries.count(position, self.queries.position()) / (ended - began))
        self.wait_for(crowd, self.orders.turnover)
        # What it costs to be late counts; that it goes on polling meanwhile does not.
        idle = result.idle_cpu[-1] * result.open / 1e6 * (time.monotonic() - ended)
        cpu = max(self.server.cpu() - cpu - idle, 0.0)
        result.cpu.append(cpu / len(commits) / result.open * 1e6)
        result.load.append(cpu / (ended - began))
        return commits

    def wait_for(self, crowd: Viewers, turnover: int) -> None:
        """Wait until all have seen it, but no longer than patience allows."""
        until = time.monotonic() + self.plan.patience
        while time.monotonic() < until:
            seen = crowd.collect()["seen"]
            if all(viewer and viewer[-1][0] >= turnover for viewer in seen):
                return
            time.sleep(0.2)

    def latency(self, crowd: Viewers, commits: list[tuple[int, float]], result: Result) -> None:
        """From each commit to each viewer that is shown it, or more than it."""
        times = []
        told = crowd.collect()
        result.lost = told["lost"]
        for viewer in told["seen"]:
            for turnover, moment in commits:
                shown = next((at for value, at in viewer if value >= turnover), math.inf)
                late = (shown - moment) * 1000
                times.append(late if late <= self.plan.patience * 1000 else math.inf)
        times.sort()
        result.p50.append(statistics.median_low(times))
        result.p95.append(times[int(len(times) * 0.95)])
        result.not_shown.append(times.count(math.inf) / len(times))


def measure(
    contestant: Contestant,
    count: int,
    *,
    plan: Plan,
    orders: Orders,
    queries: QueryLog,
    pythons: tuple[Path, Path],
    log: Path,
    browse: Any,
) -> Result:
    """Start the peer, let one viewer come and go, then `count`, and measure."""
    result = Result(count)
    with serve(contestant, pythons[0], log) as (host, server):
        arguments = pythons[1], contestant.viewers, host
        trial = Trial(plan, orders, queries, server)
        with viewers(*arguments, 1, plan.connect) as one:
            orders.commit()
            trial.wait_for(one, orders.turnover)
        time.sleep(0.5)
        empty = server.memory()
        with viewers(*arguments, count, plan.connect) as crowd:
            result.open = crowd.open
            if crowd.open == count:
                trial.run(crowd, result, empty)
                if browse and not result.too_many:
                    result.browser = browse(f"http://{host}/", trial)
    return result
