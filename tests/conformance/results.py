"""How the tests of one application ended, read from what runner.py wrote."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Of several outcomes of one test, as its subtests and its tearDown may have, the worst counts.
_WORST_FIRST = ("failed", "skipped", "passed")


@dataclass
class Run:
    """One application on one engine."""

    #: Test id -> (outcome, detail). An id may also be "setUpClass (module.Class)", if that one failed.
    tests: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: How it ended: "finished", "timeout", or "" while it hasn't.
    #: The ids of all tests that were to be run.
    planned: list[str] = field(default_factory=list)
    #: Statements that RisingWave would refuse: (test, why and which), the backend's and the tests' own.
    refused: list[tuple[str, str]] = field(default_factory=list)
    own: list[tuple[str, str]] = field(default_factory=list)
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

    def summary(self) -> str:
        """Return one line: how many tests ended how."""
        counts = Counter(outcome for outcome, _ in self.tests.values())
        told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in reversed(_WORST_FIRST))
        return f"{told}, {len(self.refused)} statements refused, {self.seconds:.0f} s"

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
        if "tests" in entry:
            run.planned = entry["tests"]
            continue
        if "refused" in entry or "own" in entry:
            told = run.refused if "refused" in entry else run.own
            told.append((entry["test"], entry.get("refused") or entry["own"]))
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
    #: Why RisingWave would refuse statements that are written in the tests, one for each that was sent.
    own: list[str] = field(default_factory=list)


def compare(app: str, passing: Iterable[str], here: Run) -> Row:
    """Sort the tests that pass with Django's PostgreSQL backend by how they end with this one.

    A test that sent what RisingWave would refuse has failed, whether it passes there or not.
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
