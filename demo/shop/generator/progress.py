"""Shows the progress of a long step: a bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from django.core.management.base import OutputWrapper

BAR_CHARACTERS = 24
#: Seconds between two updates of the bar: more often can't be read.
BAR_SECONDS = 0.1
#: Seconds between two lines where there is no bar, such as in a log.
LINE_SECONDS = 2.0


class Progress:
    """A report of rate and time left: `with Progress(100_000, "rows", self.stderr) as progress:`."""

    def __init__(self, total: int, unit: str, stream: OutputWrapper) -> None:
        self.total = total
        self.unit = unit
        self.stream = stream
        self.bar = stream.isatty()
        self.done = 0
        self.began = self.shown = time.monotonic()

    def add(self, count: int) -> None:
        """Count `count` more as done, and show the progress if an update is due."""
        self.done += count
        now = time.monotonic()
        if now - self.shown >= (BAR_SECONDS if self.bar else LINE_SECONDS):
            self.shown = now
            self.show(self.text())

    def text(self) -> str:
        """Return the progress as text, on a terminal with a bar."""
        rate = self.rate()
        share = self.done / self.total
        bar = f"{'█' * int(share * BAR_CHARACTERS):░<{BAR_CHARACTERS}} " if self.bar else ""
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate else "not started"
        return f"{bar}{share:.0%} of {self.total:,} {self.unit}, {rate:,.0f}/s, {left}"

    def rate(self) -> float:
        """Return the average rate per second since the start."""
        return self.done / max(time.monotonic() - self.began, 1e-9)

    def show(self, text: str, ending: str = "") -> None:
        """Write a line. On a terminal it replaces the last one; `ESC [K` erases the rest of a longer line."""
        line = f"\r{text}\x1b[K{ending}" if self.bar else f"{text}\n"
        self.stream.write(line, style_func=str, ending="")
        self.stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self.began
        self.show(f"{self.done:,} {self.unit} in {seconds:.1f} s, {self.rate():,.0f}/s", ending="\n")
