"""`make live` runs on a server that answers as RisingWave, and says what it found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from django_risingwave.testing.transcripts import Transcript
from tests import processes
from tests.risingwave import servers
from tests.risingwave.__main__ import attempt
from tests.risingwave.crashes import Crash, Result
from tests.risingwave.marked import Case
from tests.risingwave.report import Report

if TYPE_CHECKING:
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double


def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "tests.risingwave", *arguments],
        cwd=processes.ROOT,
        env=environment | {"RISINGWAVE_URL": url, "TESTS_RISINGWAVE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_tests_are_run_compared_and_recorded(
    connection: DatabaseWrapper,
    double: Double,
    tmp_path: Path,
) -> None:
    pytest_arguments = (
        *("--", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'b'}"),
        *("tests/comparison", "-k", "slice"),
    )
    url = processes.database_url(connection)
    done = run(url, "--only", "tests", "--folder", str(tmp_path), *pytest_arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "### RisingWave 2.8.0" in done.stdout
    (compared,) = re.findall(
        r"\| queries compared with PostgreSQL \| (\d+) \| \1 passed, 0 skipped, 0 failed", done.stdout
    )
    assert int(compared) > 1
    (folder,) = tmp_path.glob("2.8.0*")
    assert (folder / "report.md").read_text() in done.stdout
    lines = (folder / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    statements = [Transcript.from_json(line).sql for line in lines]
    assert any(sql.startswith('CREATE TABLE "comparison_tag" ("id" bigint') for sql in statements)


def test_a_recovery_under_load_keeps_the_view_equal_to_its_table(
    connection: DatabaseWrapper, double: Double, tmp_path: Path
) -> None:
    done = run(processes.database_url(connection), "--only", "crashes", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RECOVER" in double.statements
    assert re.search(r"\| RECOVER \| [\d.]+ s \| [\d.]+ s \|", done.stdout)
    assert re.search(r"Their quantity is (\d+), the same as that of the view, \1\.", done.stdout)
    # The server is left as it was.
    assert ("make_live",) not in servers.query(
        processes.database_url(connection), "SELECT datname FROM pg_catalog.pg_database"
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "RISINGWAVE_URL is not set."),
        ("postgres://root@127.0.0.1:1/dev", "RISINGWAVE_URL can't be reached: "),
        ("standin", "RISINGWAVE_URL must be a RisingWave's, not that of PostgreSQL "),
    ],
)
def test_a_run_without_a_risingwave_says_what_is_missing(
    connection: DatabaseWrapper,
    url: str,
    message: str,
) -> None:
    done = run(processes.database_url(connection) if url == "standin" else url)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stdout == ""


# The report ----------------------------------------------------------------------------------------------

TESTS = [
    Case("tests.a.test_one", "passed"),
    Case("tests.a.test_two", "failed", "AssertionError: no"),
    Case("tests.a.test_three", "skipped", "needs more"),
    Case("tests.comparison.test_comparison.test[x]", "passed", comparison="same"),
    Case("tests.comparison.test_comparison.test[y]", "passed", comparison="differs"),
]


def report(**parts: object) -> Report:
    return Report("RisingWave 2.8.0", "Django 5.2, psycopg2, 2026-11-26", **parts)  # type: ignore[arg-type]


def test_the_report_names_each_failed_test_and_counts_the_others() -> None:
    found = report(tests=TESTS, recorded=12)
    assert found.has_failed
    assert (
        found.text()
        == """### RisingWave 2.8.0

Django 5.2, psycopg2, 2026-11-26.

| | number | |
|---|--:|---|
| tests | 3 | 1 passed, 1 skipped, 1 failed |
| queries compared with PostgreSQL | 2 | 2 passed, 0 skipped, 0 failed |

Of the queries: 1 same, 1 differs.

Failed:

- `tests.a.test_two`: AssertionError: no

12 statements were recorded with their answers.
"""
    )


@pytest.mark.parametrize(
    ("sums", "has_failed"), [((7, 7), False), ((7, 6), True), ((7, None), True), ((None, None), True)]
)
def test_a_view_that_differs_from_its_table_after_a_crash_is_a_failure(
    sums: tuple[object, object], has_failed: bool
) -> None:
    found = report(crashes=Result([Crash("kill -9", 3.0, 4.5)], 8, 7, sums))
    assert found.has_failed is has_failed
    assert "| kill -9 | 3.0 s | 4.5 s |" in found.text()
    assert ("**not** the same" in found.text()) is has_failed


@pytest.mark.parametrize(
    "error",
    [
        AssertionError("no\nanswer"),
        Database.Error("no answer"),
        servers.ServerError("no answer"),
        subprocess.CalledProcessError(1, "no answer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_a_part_is_a_failure_and_ends_only_that_part(error: Exception) -> None:
    def fail() -> None:
        raise error

    found = report()
    attempt("crashes", fail, found)
    attempt("dashboard", lambda: None, found)
    assert found.has_failed
    (line,) = found.errors
    assert line.startswith("crashes: ")
    assert "no answer" in line
    assert line in found.text()


def test_a_run_without_failures_succeeds() -> None:
    assert not report(tests=TESTS[:1], recorded=0).has_failed


@pytest.mark.parametrize(
    ("url", "changes", "expected"),
    [
        ("postgres://root@h:4566/dev", {"host": "127.0.0.1:5"}, "postgres://root@127.0.0.1:5/dev"),
        ("postgres://root:pw@h/dev?a=b", {"database": "x", "c": "d"}, "postgres://root:pw@h/x?a=b&c=d"),
        ("postgres://h/dev", {"host": "i"}, "postgres://i/dev"),
    ],
)
def test_the_parts_of_a_url_are_replaced(url: str, changes: dict[str, str], expected: str) -> None:
    assert servers.replaced(url, **changes) == expected
