"""The tests with the mark `risingwave`, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from benchmarks.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

#: The property that tests/comparison records for each query.
COMPARISON = "comparison"


@dataclass(frozen=True)
class Case:
    """A test that ran, or was skipped."""

    name: str
    #: "passed", "failed" or "skipped".
    outcome: str
    #: The first line of the error.
    detail: str = ""
    #: How the query's results compare, in tests/comparison only.
    comparison: str | None = None


def run(url: str, folder: Path, arguments: Sequence[str] = ()) -> list[Case]:
    """Run the tests on the server, print what pytest prints, and return their outcomes.

    Raises RuntimeError if it ran none.
    """
    file = folder / "tests.xml"
    file.unlink(missing_ok=True)
    # xunit2 has no place for the properties of a test.
    options = ("-o", "junit_family=xunit1", "--junitxml", str(file))
    command = [sys.executable, "-m", "pytest", "-m", "risingwave", *options, *arguments]
    subprocess.run(
        command, cwd=ROOT, env=os.environ | {"RISINGWAVE_URL": url, "TESTS_RISINGWAVE_URL": url}, check=False
    )
    tests = list(read(file)) if file.exists() else []
    if not tests:
        raise RuntimeError("pytest ran no test. Its own output, above, says why.")
    return tests


def read(file: Path) -> Iterable[Case]:
    """Yield the tests of a report in JUnit's form.

    https://docs.pytest.org/en/stable/how-to/output.html#creating-junitxml-format-files
    """
    for case in ElementTree.parse(file).iter("testcase"):
        outcome, detail = "passed", ""
        for kind, name in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
            if (found := case.find(kind)) is not None:
                outcome = name
                detail = next(iter(found.get("message", "").strip().splitlines()), "")
                break
        properties = {each.get("name"): each.get("value") for each in case.iter("property")}
        name = f"{case.get('classname')}.{case.get('name')}"
        yield Case(name, outcome, detail, properties.get(COMPARISON))


def outcomes(tests: Iterable[Case]) -> Counter[str]:
    """Return how many tests passed, failed and were skipped."""
    return Counter(test.outcome for test in tests)


def comparisons(tests: Iterable[Case]) -> Counter[str]:
    """Return how many queries gave the same as on PostgreSQL, differed and so on."""
    return Counter(test.comparison for test in tests if test.comparison)
