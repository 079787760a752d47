"""Recorded results of Django's own PostgreSQL backend, so that it needn't run again.

Each version of Django and driver has a file, yardstick/<Django>-<driver>.json. It lists the few tests that
don't pass, and the number of those that do, which shows when the suite changed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance.results import Row, Run, compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER = Path(__file__).resolve().parent / "yardstick"


@dataclass
class Recorded:
    """The results of one application."""

    #: The number of tests that pass on PostgreSQL.
    on_postgresql: int
    #: The number of those that pass here too.
    here: int
    #: The ids of the tests that don't pass on PostgreSQL.
    excluded: list[str]

    def compare(self, app: str, here: Run) -> Row:
        """Sort the tests that pass on PostgreSQL by their outcome here. Missing tests and new skips fail."""
        row = compare(app, set(here.planned).difference(self.excluded), here)
        if row.yardstick != self.on_postgresql:
            row.failed[f"{app}: tests"] = f"{row.yardstick} tests found, but {self.on_postgresql} recorded"
        if row.passed < self.here:
            row.failed[f"{app}: passed"] = f"{row.passed} tests pass, but {self.here} recorded"
        return row


def read(name: str) -> dict[str, Recorded]:
    """Return the recorded results by application, or an empty dictionary if there are none."""
    path = FOLDER / f"{name}.json"
    recorded = json.loads(path.read_text()) if path.exists() else {}
    return {app: Recorded(**entry) for app, entry in recorded.items()}


def write(name: str, rows: Iterable[Row], excluded: Mapping[str, list[str]]) -> None:
    """Record applications that ran on both backends, and their tests that don't pass on PostgreSQL.

    Keep the recorded results of other applications.
    """
    recorded = read(name)
    recorded |= {row.app: Recorded(row.yardstick, row.passed, excluded[row.app]) for row in rows}
    entries = {app: asdict(recorded[app]) for app in sorted(recorded)}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(entries, indent=1) + "\n")
