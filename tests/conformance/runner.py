"""Django's test runner, writing down how each test ended, at once: what is cut off leaves what it has."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.test.runner import DiscoverRunner

if TYPE_CHECKING:
    from unittest import TestCase

# Where to, one JSON object a line. Read here: a test may change the environment.
_FILE = Path(os.environ["CONFORMANCE_RESULTS"])


class RecordingResult(unittest.TextTestResult):
    """Appends {"test", "outcome", "detail"} to the file, a line for each test and each failed subtest."""

    def _record(self, test: Any, outcome: str, detail: str = "") -> None:
        # A subtest counts as the test that it is in.
        name = getattr(test, "test_case", test).id()
        with _FILE.open("a") as file:
            file.write(json.dumps({"test": name, "outcome": outcome, "detail": detail}) + "\n")

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


def _told(err: Any) -> str:
    lines = str(err[1]).strip().splitlines() or [""]
    return f"{err[0].__name__}: {lines[0]}"


class RecordingRunner(DiscoverRunner):
    """Chosen by the settings, so that Django's runtests.py stays as it is."""

    def get_resultclass(self) -> type[RecordingResult]:
        return RecordingResult
