"""Meters of a server's CPU time, memory and queries."""

from __future__ import annotations

import ctypes
import os
import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_libc = ctypes.CDLL(None, use_errno=True)
QUERY = re.compile(rb"LOG:  (?:statement|execute [^:]*):\s+SELECT", re.IGNORECASE)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Pin processes that the block starts to a core, if the machine has it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[core]} if len(before) > core else before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Processes:
    """A process and its descendants."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)

    def all(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu(self) -> float:
        """Return the CPU time of all threads in seconds, with a resolution of 1 ns.

        /proc counts in hundredths of a second, which is too coarse for an idle server.
        https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
        """
        total = 0.0
        for process in self.all():
            clock = ctypes.c_int()
            if error := _libc.clock_getcpuclockid(process.pid, ctypes.byref(clock)):
                raise OSError(error, os.strerror(error))
            total += time.clock_gettime(clock.value)
        return total

    def memory(self) -> int:
        """Return the bytes of physical memory that no other process shares."""
        return sum(process.memory_full_info().uss for process in self.all())


class QueryLog:
    """Counts the SELECTs in the stand-in's log, except those of `cursor`'s connection."""

    def __init__(self, cursor: Any) -> None:
        cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
        cursor.execute("SET log_statement = 'none'")
        cursor.execute("SELECT pg_reload_conf()")
        cursor.execute("SHOW data_directory")
        self.path = Path(cursor.fetchone()[0]) / "log"

    def position(self) -> int:
        """Return the end of the log, in bytes."""
        return self.path.stat().st_size

    def count(self, start: int, end: int) -> int:
        """Count the SELECTs between two positions."""
        with self.path.open("rb") as file:
            file.seek(start)
            return len(QUERY.findall(file.read(end - start)))
