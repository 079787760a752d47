"""How the tests of one application ended, read from what runner.py wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Of several outcomes of one test, as its subtests and its tearDown may have, the worst counts.
_WORST_FIRST = ("failed", "skipped", "passed")


@dataclass
class Run:
    """One application on one engine."""

    #: Test id -> (outcome, detail). An id may also be "setUpClass (module.Class)", if that one failed.
    tests: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: How it ended: "finished", "timeout", or "" while it hasn't.
    end: str = ""
    seconds: float = 0.0
    date: str = ""

    def outcome(self, test: str) -> tuple[str, str]:
        """Return a test's outcome and its detail; one that isn't there goes by its class."""
        for name in (
            test,
            f"setUpClass ({test.rpartition('.')[0]})",
            f"setUpModule ({test.rsplit('.', 2)[0]})",
        ):
            if name in self.tests:
                return self.tests[name]
        return "failed", "not run: out of time" if self.end == "timeout" else "not run"

    def passed(self) -> set[str]:
        """Return the tests that passed."""
        return {test for test, (outcome, _) in self.tests.items() if outcome == "passed"}


def read(path: Path) -> Run:
    """Read a results file; one that isn't there is a run that hasn't ended."""
    run = Run()
    for line in path.read_text().splitlines() if path.exists() else ():
        entry = json.loads(line)
        if "end" in entry:
            run.end, run.seconds, run.date = entry["end"], entry["seconds"], entry["date"]
            continue
        test, outcome = entry["test"], (entry["outcome"], entry["detail"])
        known = run.tests.get(test, outcome)
        run.tests[test] = min(known, outcome, key=lambda told: _WORST_FIRST.index(told[0]))
    return run


@dataclass
class Row:
    """One application: the tests that pass on PostgreSQL, and how they end here."""

    app: str
    yardstick: int
    passed: int
    skipped: dict[str, str]
    failed: dict[str, str]


def compare(app: str, yardstick: Run, here: Run) -> Row:
    """Sort the tests that pass with Django's PostgreSQL backend by how they end with this one."""
    row = Row(app, len(yardstick.passed()), 0, {}, {})
    for test in sorted(yardstick.passed()):
        outcome, detail = here.outcome(test)
        if outcome == "passed":
            row.passed += 1
        else:
            (row.skipped if outcome == "skipped" else row.failed)[test] = detail
    return row
