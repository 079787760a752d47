"""Keeps a rate of rows per second, evenly and without drift."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Shortest time between two batches: high rates come in 20 batches per second instead of row by row.
BATCH_SECONDS = 0.05


class Pace:
    """Sleeps until rows are due, and says how many.

    All rows are counted from one starting point, so that the next batch makes up for a late one.
    `clock` returns seconds, and `sleep` takes seconds.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self.clock = clock
        self.sleep = sleep
        self.restart()

    def restart(self) -> None:
        """Move the starting point to now: rows that were due before are dropped."""
        self.began = self.last = self.clock()
        self.rows = 0

    def wait(self, max_rows: int) -> int:
        """Sleep until rows are due; return how many, at most `max_rows`. The rest is due at the next call."""
        due = self.due()
        if due < max_rows:
            next_row = self.began + (self.rows + 1) / self.rate
            while (left := max(next_row, self.last + BATCH_SECONDS) - self.clock()) > 0:
                self.sleep(left)
            due = self.due()
        self.last = self.clock()
        # Because of rounding, a row that is due now may still seem to be in the future.
        rows = min(max(due, 1), max_rows)
        self.rows += rows
        return rows

    def due(self) -> int:
        """Return the number of rows that are due but haven't been handed out."""
        return int((self.clock() - self.began) * self.rate) - self.rows
