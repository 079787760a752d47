"""Keeps to a rate: so many rows a second, spread over the second, without drift."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two batches at least: a fast rate comes in 20 batches a second, not row by row.
TICK = 0.05


class Pace:
    """Says how many rows are due, and sleeps until any are.

    It counts from one starting point, so that a late batch is made up for by the next.
    `clock` gives seconds, `sleep` takes them.
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
        """Begin anew: what was due until now is never made up for."""
        self.began = self.last = self.clock()
        self.rows = 0

    def wait(self, at_most: int) -> int:
        """Sleep until rows are due, and say how many: `at_most` now, the rest the next time."""
        due = self.due()
        if due < at_most:
            next_row = self.began + (self.rows + 1) / self.rate
            while (left := max(next_row, self.last + TICK) - self.clock()) > 0:
                self.sleep(left)
            due = self.due()
        self.last = self.clock()
        # Rounding may put a row that is due now a hair into the future.
        rows = min(max(due, 1), at_most)
        self.rows += rows
        return rows

    def due(self) -> int:
        """Count the rows that should have been there by now, and aren't."""
        return int((self.clock() - self.began) * self.rate) - self.rows
