"""Shows how far a long step is: a bar that moves on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from django.core.management.base import OutputWrapper

WIDTH = 24
#: Seconds between two drawings of the bar, and between two lines.
REDRAW, LINE = 0.1, 2.0


class Progress:
    """A progress report with rate and time left: `with Progress(100_000, "rows", self.stderr) as progress:`.

    `total` is None where there is no end.
    """

    def __init__(self, total: int | None, unit: str, stream: OutputWrapper) -> None:
        self.total = total
        self.unit = unit
        self.stream = stream
        self.bar = stream.isatty()
        self.done = 0
        self.began = self.shown = time.monotonic()

    def add(self, count: int) -> None:
        """Count some more as done, and show it if it is time to."""
        self.done += count
        now = time.monotonic()
        if now - self.shown >= (REDRAW if self.bar else LINE):
            self.shown = now
            self.show(self.text())

    def text(self) -> str:
        """Put what is done in words, and on a terminal in a bar."""
        rate = self.rate()
        if self.total is None:
            return f"{self.done:,} {self.unit}, {rate:,.0f}/s"
        share = self.done / self.total
        bar = f"{'█' * int(share * WIDTH):░<{WIDTH}} " if self.bar else ""
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate else "not begun"
        return f"{bar}{share:.0%} of {self.total:,} {self.unit}, {rate:,.0f}/s, {left}"

    def rate(self) -> float:
        """Done per second, from the beginning."""
        return self.done / max(time.monotonic() - self.began, 1e-9)

    def show(self, text: str, ending: str = "") -> None:
        """Write a line; on a terminal over the last one, erasing what was longer."""
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
