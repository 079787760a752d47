"""What a server's processes use, and what its database is asked."""

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
    """Let what is started here run on this core alone, where there are several."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[core]} if len(before) > core else before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Processes:
    """A process and its children."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)

    def all(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu(self) -> float:
        """Seconds of processor time since they began, all threads, to the nanosecond.

        /proc counts in hundredths of a second, too coarse for a server that does nothing.
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
        """Bytes of physical memory that are theirs alone."""
        return sum(process.memory_full_info().uss for process in self.all())


class QueryLog:
    """Counts SELECTs in the log of the stand-in, of all connections but `cursor`'s own."""

    def __init__(self, cursor: Any) -> None:
        cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
        cursor.execute("SET log_statement = 'none'")
        cursor.execute("SELECT pg_reload_conf()")
        cursor.execute("SHOW data_directory")
        self.path = Path(cursor.fetchone()[0]) / "log"

    def position(self) -> int:
        return self.path.stat().st_size

    def count(self, start: int, end: int) -> int:
        with self.path.open("rb") as file:
            file.seek(start)
            return len(QUERY.findall(file.read(end - start)))
