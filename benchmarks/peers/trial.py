"""One trial: a peer is started, warmed up, measured with a number of viewers, and stopped."""

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
from benchmarks.ports import free_port
from benchmarks.processes import ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.peers import Peer

SERVERS_CORE, VIEWERS_CORE = 0, 1
#: With fewer viewers, the memory per viewer is lost in the noise.
MIN_VIEWERS_FOR_MEMORY = 100


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    repeats: int = 5
    #: The dashboard pings its subscribers every 5 s, so that a measurement includes one ping.
    idle_seconds: float = 5.0
    #: Commits in each repeat and the mean time between two. It varies, as does the time to the next poll.
    commits: int = 4
    spacing_seconds: float = 1.5
    #: Within which all viewers must connect.
    connect_seconds: float = 60
    #: Within which a viewer must be shown a commit.
    timeout_seconds: float = 10
    warm_up_seconds: float = 3
    #: Commits measured in Chromium.
    page_commits: int = 10


@dataclass
class Result:
    """The figures of one peer with a number of viewers. Lists have one figure for each repeat."""

    wanted: int
    open: int = 0
    #: Milliseconds; infinite if the commit was not shown within Plan.timeout_seconds.
    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    #: Viewers whose connections were lost.
    lost: int = 0
    #: The share of commits that a viewer was not shown in time.
    not_shown: list[float] = field(default_factory=list)
    #: The share of a core during the commits.
    load: list[float] = field(default_factory=list)
    #: CPU µs per viewer and commit, and per viewer and second without commits.
    cpu: list[float] = field(default_factory=list)
    idle_cpu: list[float] = field(default_factory=list)
    #: KiB per viewer.
    memory: list[float] = field(default_factory=list)
    #: SELECTs a second, with and without commits.
    queries: list[float] = field(default_factory=list)
    idle_queries: list[float] = field(default_factory=list)
    #: Milliseconds to the document in Chromium.
    browser: list[float] = field(default_factory=list)

    @property
    def too_many(self) -> bool:
        """Whether some viewers didn't connect, or weren't shown commits."""
        return not self.p50 or self.not_shown[-1] > 0.01


class Orders:
    """Orders that each add a dollar to the state and the product at the top of the rankings."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        cursor.execute("SELECT max(orderid) FROM orders")
        (self.number,) = cursor.fetchone()
        self.insert(1_000_000_000, item=1)
        # The state must be ahead of the product.
        self.insert(500_000_000, item=2)
        cursor.execute("SELECT turnover FROM state_turnover WHERE state = 'Ohio'")
        (turnover,) = cursor.fetchone()
        # Whole dollars: it is shown as $1,500,001,234, and each order adds one.
        self.insert(float(math.ceil(turnover) - turnover))
        self.turnover = math.ceil(turnover)

    def insert(self, price: float, item: int = 1) -> None:
        self.number += 1
        self.cursor.execute(
            "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (%s, %s, 1, %s, 'Ohio')",
            [self.number, item, price],
        )

    def commit(self) -> tuple[int, float, float]:
        """Commit an order. Return the state's turnover, and the time on both clocks in seconds."""
        self.turnover += 1
        self.insert(1)
        return self.turnover, time.monotonic(), time.time()


class Viewers:
    """The process of the viewers."""

    def __init__(self, python: Path, kind: str, host: str, count: int, cap: float) -> None:
        command = [str(python), "-m", "benchmarks.peers.viewers", kind, host, str(count), "--cap", str(cap)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.open = int(self.read()["open"])

    def read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the viewers exited with code {self.process.wait()}"
        return json.loads(line)

    def collect(self) -> Any:
        """Return what they have seen: for each viewer, a list of (turnover, time)."""
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
def serve(peer: Peer, python: Path, log: Path) -> Iterator[tuple[str, Processes]]:
    """Run the peer's server for the duration of the block, which begins once the server answers."""
    port = free_port()
    command = [part.format(port=port) for part in peer.command]
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
            with urllib.request.urlopen(f"http://{host}{peer.health}", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        wait_until(answers, log.read_text)
        yield host, Processes(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Trial:
    """The measurements of one peer's server."""

    def __init__(self, plan: Plan, orders: Orders, queries: QueryLog, server: Processes) -> None:
        self.plan = plan
        self.orders = orders
        self.queries = queries
        self.server = server

    def run(self, crowd: Viewers, result: Result, empty: int) -> None:
        """Repeat the measurement; once is enough for a peer that doesn't keep up."""
        time.sleep(self.plan.warm_up_seconds)
        for _ in range(2):
            self.orders.commit()
            time.sleep(self.plan.spacing_seconds)
        self.wait_for(crowd, self.orders.turnover)
        for _ in range(self.plan.repeats):
            self.measure_idle(result)
            commits = self.measure_commits(crowd, result)
            self.measure_latency(crowd, commits, result)
            if result.open >= MIN_VIEWERS_FOR_MEMORY:
                result.memory.append((self.server.memory() - empty) / 1024 / result.open)
            print(".", end="", file=sys.stderr, flush=True)
            if result.too_many:
                break

    def commit_orders(self) -> list[tuple[int, float]]:
        """Commit the orders of one repeat. Return pairs of (turnover, time)."""
        commits = []
        for _ in range(self.plan.commits):
            turnover, moment, _ = self.orders.commit()
            commits.append((turnover, moment))
            time.sleep(self.plan.spacing_seconds * random.uniform(0.75, 1.25))
        return commits

    def measure_idle(self, result: Result) -> None:
        """Measure while nothing changes."""
        time.sleep(0.5)
        cpu, began, position = self.server.cpu(), time.monotonic(), self.queries.position()
        time.sleep(self.plan.idle_seconds)
        seconds = time.monotonic() - began
        result.idle_cpu.append((self.server.cpu() - cpu) / seconds / result.open * 1e6)
        result.idle_queries.append(self.queries.count(position, self.queries.position()) / seconds)

    def measure_commits(self, crowd: Viewers, result: Result) -> list[tuple[int, float]]:
        """Measure during the commits, and until all viewers have seen the last."""
        cpu, began, position = self.server.cpu(), time.monotonic(), self.queries.position()
        commits = self.commit_orders()
        ended = time.monotonic()
        result.queries.append(self.queries.count(position, self.queries.position()) / (ended - began))
        self.wait_for(crowd, self.orders.turnover)
        # CPU that a late server uses after the last commit counts, except what it uses when idle.
        idle = result.idle_cpu[-1] * result.open / 1e6 * (time.monotonic() - ended)
        cpu = max(self.server.cpu() - cpu - idle, 0.0)
        result.cpu.append(cpu / len(commits) / result.open * 1e6)
        result.load.append(cpu / (ended - began))
        return commits

    def wait_for(self, crowd: Viewers, turnover: int) -> None:
        """Wait until all viewers have seen the turnover, or the timeout of the plan is over."""
        until = time.monotonic() + self.plan.timeout_seconds
        while time.monotonic() < until:
            seen = crowd.collect()["seen"]
            if all(viewer and viewer[-1][0] >= turnover for viewer in seen):
                return
            time.sleep(0.2)

    def measure_latency(self, crowd: Viewers, commits: list[tuple[int, float]], result: Result) -> None:
        """Measure from each commit until each viewer is shown this commit or a later one."""
        times = []
        collected = crowd.collect()
        result.lost = collected["lost"]
        for viewer in collected["seen"]:
            for turnover, moment in commits:
                shown = next((at for value, at in viewer if value >= turnover), math.inf)
                late = (shown - moment) * 1000
                times.append(late if late <= self.plan.timeout_seconds * 1000 else math.inf)
        times.sort()
        result.p50.append(statistics.median_low(times))
        result.p95.append(times[int(len(times) * 0.95)])
        result.not_shown.append(times.count(math.inf) / len(times))


def measure(
    peer: Peer,
    count: int,
    *,
    plan: Plan,
    orders: Orders,
    queries: QueryLog,
    python: Path,
    log: Path,
    browse: Any,
) -> Result:
    """Start the peer, connect and disconnect one viewer, then measure with `count` viewers."""
    result = Result(count)
    with serve(peer, python, log) as (host, server):
        arguments = python, peer.viewers, host
        trial = Trial(plan, orders, queries, server)
        with viewers(*arguments, 1, plan.connect_seconds) as one:
            orders.commit()
            trial.wait_for(one, orders.turnover)
        time.sleep(0.5)
        empty = server.memory()
        with viewers(*arguments, count, plan.connect_seconds) as crowd:
            result.open = crowd.open
            if crowd.open == count:
                trial.run(crowd, result, empty)
                if browse and not result.too_many:
                    result.browser = browse(f"http://{host}/", trial)
    return result
