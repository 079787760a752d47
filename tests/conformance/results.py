"""Outcomes of the tests of one application, read from the file that runner.py wrote."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# A test may have several outcomes, from its subtests and tearDown; the worst counts.
_WORST_FIRST = ("failed", "skipped", "passed")


@dataclass
class Run:
    """One application on one backend."""

    #: Test id -> (outcome, detail). An id may also be "setUpClass (module.Class)", if that one failed.
    tests: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: The ids of all tests of the application.
    planned: list[str] = field(default_factory=list)
    #: The backend's statements that RisingWave would refuse, as (test, "reason: statement").
    refused: list[tuple[str, str]] = field(default_factory=list)
    #: The same for the tests' own statements.
    own: list[tuple[str, str]] = field(default_factory=list)
    #: How the run ended: "finished" or "timeout"; "" before its end.
    end: str = ""
    seconds: float = 0.0
    date: str = ""

    def outcome(self, test: str) -> tuple[str, str]:
        """Return a test's outcome and detail, or those of its class or module if it didn't run."""
        for name in (
            test,
            f"setUpClass ({test.rpartition('.')[0]})",
            f"setUpModule ({test.rsplit('.', 2)[0]})",
        ):
            if name in self.tests:
                return self.tests[name]
        return "failed", "not run: out of time" if self.end == "timeout" else "not run"

    def summary(self) -> str:
        """Return a line with the number of tests by outcome."""
        counts = Counter(outcome for outcome, _ in self.tests.values())
        outcomes = ", ".join(f"{counts[outcome]} {outcome}" for outcome in reversed(_WORST_FIRST))
        return f"{outcomes}, {len(self.refused)} statements refused, {self.seconds:.0f} s"

    def passed(self) -> set[str]:
        """Return the ids of the tests that passed."""
        return {test for test, (outcome, _) in self.tests.items() if outcome == "passed"}


def read(path: Path) -> Run:
    """Read a file of results. A missing file gives an empty run, which hasn't ended."""
    run = Run()
    for line in path.read_text().splitlines() if path.exists() else ():
        entry = json.loads(line)
        if "end" in entry:
            run.end, run.seconds, run.date = entry["end"], entry["seconds"], entry["date"]
            continue
        if "tests" in entry:
            run.planned = entry["tests"]
            continue
        if "refused" in entry or "own" in entry:
            statements = run.refused if "refused" in entry else run.own
            statements.append((entry["test"], entry.get("refused") or entry["own"]))
            continue
        test, outcome = entry["test"], (entry["outcome"], entry["detail"])
        known = run.tests.get(test, outcome)
        run.tests[test] = min(known, outcome, key=lambda known: _WORST_FIRST.index(known[0]))
    return run


@dataclass
class Row:
    """The tests of one application that pass on PostgreSQL, by their outcome here."""

    app: str
    yardstick: int
    passed: int
    skipped: dict[str, str]
    failed: dict[str, str]
    #: Why RisingWave would refuse statements of the tests themselves: a reason for each.
    own: list[str] = field(default_factory=list)


def compare(app: str, passing: Iterable[str], here: Run) -> Row:
    """Sort the tests that pass with Django's PostgreSQL backend by their outcome with this one.

    A test that sends a statement which RisingWave would refuse counts as failed, even if it fails on
    PostgreSQL.
    """
    passing = sorted(passing)
    row = Row(app, len(passing), 0, {}, {})
    refused = {test: f"RisingWave would refuse: {statement}" for test, statement in here.refused}
    for test in passing:
        outcome, detail = here.outcome(test)
        if test in refused or outcome == "failed":
            row.failed[test] = refused.get(test, detail)
        elif outcome == "skipped":
            row.skipped[test] = detail
        else:
            row.passed += 1
    row.failed |= refused
    row.own = [statement.partition(": ")[0] for _, statement in here.own]
    return row
