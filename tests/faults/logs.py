"""Counts what processes log."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: A line of Daphne's access log, which has one for each request and socket, whatever happens.
ACCESS = re.compile(r"\S+ - - \[")
#: The minute that a line begins with. The lines of a traceback have none, and belong to the line before.
MINUTE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


class LogCount:
    """The lines in the logs of some processes, each in a file of its own."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.texts = [file.read_text(errors="replace") for file in files]

    @property
    def most_lines_in_a_minute(self) -> int:
        """The lines that a process has logged in the worst minute by the clock."""
        return max((max(count_by_minute(text).values(), default=0) for text in self.texts), default=0)

    @property
    def tracebacks(self) -> int:
        """The number of tracebacks in all logs."""
        return sum(text.count("Traceback (most recent call last)") for text in self.texts)

    def count(self, text: str) -> int:
        """Return how many lines of all logs contain a text."""
        return sum(text in line for log in self.texts for line in log.splitlines())

    def __str__(self) -> str:
        return "\n".join(self.texts)


def count_by_minute(text: str) -> Counter[str]:
    """Return the number of lines of each minute."""
    minute, counts = "", Counter[str]()
    for line in text.splitlines():
        if match := MINUTE.match(line):
            minute = match[0]
        counts[minute] += not ACCESS.match(line)
    return counts
