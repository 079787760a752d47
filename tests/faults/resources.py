"""What processes use: memory, descriptors, threads; and how long pages take."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from tests.faults.site import Site
    from tests.faults.viewers import Poller

MIB = 1024**2


class Usage(NamedTuple):
    """The use of one process."""

    memory_mib: float
    files: int
    threads: int


def usage(site: Site, which: int) -> Usage:
    """Return what a process of the site uses now."""
    process = psutil.Process(site.servers[which].process.pid)
    return Usage(process.memory_info().rss / MIB, process.num_fds(), process.num_threads())


def latencies(poller: Poller, since: float) -> tuple[float, float, float]:
    """Return the median, 95th percentile and maximum of the polls since a monotonic time, in ms."""
    times = sorted(1000 * seconds for ended, seconds, _ in list(poller.polls) if ended >= since)
    assert times, "There was no poll."
    return statistics.median(times), times[int(0.95 * (len(times) - 1))], times[-1]


def now() -> float:
    """Return the time by which pollers note their polls."""
    return time.monotonic()
