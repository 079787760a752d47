"""Django's test runner, writing down how each test ended, at once: what is cut off leaves what it has.

With this backend it also watches the statements: a test that sends one which RisingWave would refuse fails.
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

# Where to, one JSON object a line. Read here: a test may change the environment.
_FILE = Path(os.environ["CONFORMANCE_RESULTS"])

# Django's runtests.py is run in its folder.
watch = StatementWatch(Path.cwd())


class RecordingResult(unittest.TextTestResult):
    """Appends {"test", "outcome", "detail"} to the file, a line for each test and each failed subtest.

    {"test", "refused"} and {"test", "own"} are statements that RisingWave would refuse, and what for: the
    backend's, and those that are written in the test itself. What is sent between two tests, to load and to
    empty tables, counts to the second.
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
        # A subtest counts as the test that it is in.
        name = getattr(test, "test_case", test).id()
        _write({"test": name, "outcome": outcome, "detail": detail})

    def addSuccess(self, test: TestCase) -> None:  # noqa: N802 - unittest's
        super().addSuccess(test)
        self._record(test, "passed")

    def addFailure(self, test: TestCase, err: Any) -> None:  # noqa: N802 - unittest's
        super().addFailure(test, err)
        self._record(test, "failed", _told(err))

    def addError(self, test: TestCase, err: Any) -> None:  # noqa: N802 - unittest's
        super().addError(test, err)
        self._record(test, "failed", _told(err))

    def addSubTest(self, test: TestCase, subtest: TestCase, err: Any) -> None:  # noqa: N802 - unittest's
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._record(test, "failed", _told(err))

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


def _told(err: Any) -> str:
    lines = str(err[1]).strip().splitlines() or [""]
    return f"{err[0].__name__}: {lines[0]}"


class RecordingRunner(DiscoverRunner):
    """Chosen by the settings, so that Django's runtests.py stays as it is."""

    def setup_databases(self, **kwargs: Any) -> Any:
        watch.start()
        return super().setup_databases(**kwargs)

    def build_suite(self, *args: Any, **kwargs: Any) -> unittest.TestSuite:
        """Write down which tests there are: a class that can't be set up tells none of them."""
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
