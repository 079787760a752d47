"""Which statements and answers are kept: tests/django_risingwave/data/README.md describes the records."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from django_risingwave.testing.transcripts import RECORDED_ROWS, Transcript

if TYPE_CHECKING:
    from pathlib import Path

#: Characters of the longest statement that is kept. Longer ones, of many rows or values, say nothing new.
MAX_CHARACTERS = 10_000


class Recording:
    """Transcripts, without those that differ from an earlier one in digits only.

    Of such statements, the first that succeeded and the first that was refused are kept. Threads may add.
    """

    def __init__(self) -> None:
        self.transcripts: list[Transcript] = []
        self._kept: set[tuple[str, bool]] = set()
        self._lock = threading.Lock()

    def add(self, transcript: Transcript) -> None:
        key = (re.sub(r"\d+", "0", transcript.sql), transcript.error is None)
        with self._lock:
            if len(transcript.sql) <= MAX_CHARACTERS and key not in self._kept:
                self._kept.add(key)
                self.transcripts.append(transcript)

    def write(self, path: Path) -> None:
        """Write a line for each transcript."""
        lines = (f"{transcript.to_json()}\n" for transcript in self.transcripts)
        path.write_text("".join(lines), encoding="utf-8")


class Answer:
    """The server's messages to one statement, until they make a transcript."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.columns: tuple[tuple[str, int], ...] = ()
        self.rows: list[tuple[str | None, ...]] = []
        self.count = 0
        self.tags: list[str] = []
        self.notices: list[dict[str, str]] = []
        self.error: dict[str, str] | None = None

    def add_row(self, values: list[bytes | None]) -> None:
        self.count += 1
        if len(self.rows) < RECORDED_ROWS:
            self.rows.append(
                tuple(None if value is None else value.decode(errors="replace") for value in values)
            )

    def transcript(self) -> Transcript:
        return Transcript(
            sql=self.sql,
            columns=self.columns,
            rows=tuple(self.rows),
            more=self.count - len(self.rows),
            tags=tuple(self.tags),
            notices=tuple(self.notices),
            error=self.error,
        )
