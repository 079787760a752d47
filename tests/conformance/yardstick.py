"""What passes with Django's own PostgreSQL backend, kept so that it need not be run again.

A file for each version of Django and driver: yardstick/<Django>-<driver>.json. Few tests don't pass there, so
these are what is written down; the counts tell when something is amiss.
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
    """One application."""

    #: How many tests pass on PostgreSQL, how many of these here, and which don't pass there.
    on_postgresql: int
    here: int
    without: list[str]

    def compare(self, app: str, here: Run) -> Row:
        """Sort the tests that pass there by how they end here; one that is missing, or a skip more, fails."""
        row = compare(app, set(here.planned).difference(self.without), here)
        if row.yardstick != self.on_postgresql:
            row.failed[f"{app}: tests"] = (
                f"{row.yardstick} of them are there, {self.on_postgresql} are recorded"
            )
        if row.passed < self.here:
            row.failed[f"{app}: passed"] = f"{row.passed} of them pass, {self.here} are recorded"
        return row


def read(name: str) -> dict[str, Recorded]:
    """Return what is recorded, by application; nothing if there is none of this name."""
    path = FOLDER / f"{name}.json"
    recorded = json.loads(path.read_text()) if path.exists() else {}
    return {app: Recorded(**entry) for app, entry in recorded.items()}


def write(name: str, rows: Iterable[Row], without: Mapping[str, list[str]]) -> None:
    """Record applications that ran on both, and the tests of each that don't pass there.

    What is recorded of other applications stays.
    """
    recorded = read(name)
    recorded |= {row.app: Recorded(row.yardstick, row.passed, without[row.app]) for row in rows}
    entries = {app: asdict(recorded[app]) for app in sorted(recorded)}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(entries, indent=1) + "\n")
