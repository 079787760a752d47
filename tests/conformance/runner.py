"""Django's test runner, which records each outcome at once, so that an interrupted run keeps its results.

With this backend it also checks the statements: a test that sends one which RisingWave would refuse fails.
"""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.test.runner import DiscoverRunner

from tests.conformance.watch import StatementWatch

if TYPE_CHECKING:
    from unittest import TestCase

# The file of results. Read the variable at import: a test may change the environment.
_FILE = Path(os.environ["CONFORMANCE_RESULTS"])

# Django's runtests.py runs in its own folder.
watch = StatementWatch(Path.cwd())


class RecordingResult(unittest.TextTestResult):
    """Appends a line {"test", "outcome", "detail"} to the file for each test and each failed subtest.

    Lines {"test", "refused"} and {"test", "own"} hold a statement that RisingWave would refuse, with the
    reason: the backend's, or the test's own. Statements between two tests, which load and empty tables, count
    for the second.
    """

    def stopTest(self, test: TestCase) -> None:  # noqa: N802 - unittest's
        super().stopTest(test)
        self._write_statements(test.id())

    def stopTestRun(self) -> None:  # noqa: N802 - unittest's
        super().stopTestRun()
        self._write_statements("after the tests")

    def _write_statements(self, name: str) -> None:
        for kind, text in watch.take():
            _write({"test": name, kind: text})

    def _record(self, test: Any, outcome: str, detail: str = "") -> None:
        # A subtest counts as its test.
        name = getattr(test, "test_case", test).id()
        _write({"test": name, "outcome": outcome, "detail": detail})

    def addSuccess(self, test: TestCase) -> None:  # noqa: N802 - unittest's
        super().addSuccess(test)
        self._record(test, "passed")

    def addFailure(self, test: TestCase, err: Any) -> None:  # noqa: N802 - unittest's
        super().addFailure(test, err)
        self._record(test, "failed", _summary(err))

    def addError(self, test: TestCase, err: Any) -> None:  # noqa: N802 - unittest's
        super().addError(test, err)
        self._record(test, "failed", _summary(err))

    def addSubTest(self, test: TestCase, subtest: TestCase, err: Any) -> None:  # noqa: N802 - unittest's
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._record(test, "failed", _summary(err))

    def addSkip(self, test: TestCase, reason: str) -> None:  # noqa: N802 - unittest's
        super().addSkip(test, reason)
        self._record(test, "skipped", reason)

    def addExpectedFailure(self, test: TestCase, err: Any) -> None:  # noqa: N802 - unittest's
        super().addExpectedFailure(test, err)
        self._record(test, "skipped", "expected failure")

    def addUnexpectedSuccess(self, test: TestCase) -> None:  # noqa: N802 - unittest's
        super().addUnexpectedSuccess(test)
        self._record(test, "failed", "unexpected success")


def _write(entry: dict[str, Any]) -> None:
    with _FILE.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def _summary(err: Any) -> str:
    lines = str(err[1]).strip().splitlines() or [""]
    return f"{err[0].__name__}: {lines[0]}"


class RecordingRunner(DiscoverRunner):
    """Selected by the settings, so that Django's runtests.py stays unmodified."""

    def setup_databases(self, **kwargs: Any) -> Any:
        watch.start()
        return super().setup_databases(**kwargs)

    def build_suite(self, *args: Any, **kwargs: Any) -> unittest.TestSuite:
        """Record the ids of all tests: a class that can't be set up doesn't report its tests."""
        suite = super().build_suite(*args, **kwargs)
        _write({"tests": sorted(test.id() for test in _tests(suite))})
        return suite

    def get_resultclass(self) -> type[RecordingResult]:
        return RecordingResult


def _tests(suite: Any) -> Any:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _tests(test)
        else:
            yield test
