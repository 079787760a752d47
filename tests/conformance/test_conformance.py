"""The conformance harness evaluates the results of Django's test runner."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from django.db.backends.utils import CursorWrapper

from tests.conformance import report, server, yardstick
from tests.conformance.apps import APPS, PART
from tests.conformance.results import compare, read
from tests.conformance.watch import StatementWatch

if TYPE_CHECKING:
    from tests.conformance.results import Run


def run(path: Path, *entries: dict[str, object]) -> Run:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return read(path)


def result(test: str, outcome: str, detail: str = "") -> dict[str, object]:
    return {"test": test, "outcome": outcome, "detail": detail}


END = {"end": "finished", "seconds": 1.5, "date": "2026-01-02"}


def test_only_tests_that_pass_on_postgresql_count(tmp_path):
    on_postgresql = run(
        tmp_path / "a",
        result("m.C.one", "passed"),
        result("m.C.two", "failed"),
        result("m.C.three", "skipped"),
    )
    here = run(tmp_path / "b", result("m.C.one", "passed"), result("m.C.two", "passed"))
    row = compare("m", on_postgresql.passed(), here)
    assert (row.yardstick, row.passed, row.skipped, row.failed) == (1, 1, {}, {})


def test_a_failed_subtest_fails_its_test(tmp_path):
    here = run(tmp_path / "a", result("m.C.one", "failed", "E: x"), result("m.C.one", "passed"))
    assert here.outcome("m.C.one") == ("failed", "E: x")


@pytest.fixture
def findings(monkeypatch, watch):
    """Return a function that sends SQL and returns the findings, given the folder of the tests."""

    def findings(folder: Path, sql: str, params: Any = None) -> list[tuple[str, str]]:
        for name in ("_execute", "_executemany"):
            monkeypatch.setattr(CursorWrapper, name, getattr(CursorWrapper, name))
        statements = StatementWatch(folder)
        statements.start()
        with connections["risingwave"].cursor() as cursor:
            cursor.execute(sql, params)
        watch.take(__name__)
        return statements.take()

    return findings


@pytest.mark.django_db(transaction=True, databases=["default", "risingwave"])
def test_statements_of_the_tests_are_told_from_those_of_the_backend(findings, tmp_path):
    sql = "SELECT 'a'::varchar(1)"
    assert findings(tmp_path, "SELECT 1") == []
    assert findings(tmp_path, sql) == [("refused", f"this type takes no arguments: {sql}")]
    assert findings(Path(__file__).parent, sql) == [("own", f"this type takes no arguments: {sql}")]


@pytest.mark.django_db(transaction=True, databases=["default", "risingwave"])
def test_statements_are_checked_with_the_literals_of_the_driver(findings, tmp_path):
    assert findings(tmp_path, "SELECT %s", [1]) == []
    [(kind, text)] = findings(tmp_path, "SELECT %s", [uuid.UUID(int=1)])
    assert (kind, text.partition(":")[0]) == ("refused", "unsupported data type")


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_the_outcome_of_set_up_class_counts_for_its_tests(tmp_path, outcome):
    here = run(tmp_path / "a", result("setUpClass (m.C)", outcome, "no such thing"))
    assert here.outcome("m.C.one") == (outcome, "no such thing")


def test_a_test_that_did_not_run_counts_as_failed(tmp_path):
    assert run(tmp_path / "a", END).outcome("m.C.one") == ("failed", "not run")
    timeout = END | {"end": "timeout"}
    assert run(tmp_path / "b", timeout).outcome("m.C.one") == ("failed", "not run: out of time")


def test_an_interrupted_run_has_not_ended(tmp_path):
    assert run(tmp_path / "a", result("m.C.one", "passed")).end == ""
    assert read(tmp_path / "none").end == ""
    assert run(tmp_path / "b", END).end == "finished"


def test_a_test_that_sends_a_refused_statement_counts_as_failed(tmp_path):
    here = run(
        tmp_path / "a",
        result("m.C.one", "passed"),
        {"test": "m.C.one", "refused": "FOR UPDATE: SELECT 1 FOR UPDATE"},
        {"test": "after the tests", "refused": "LISTEN a"},
        {"test": "m.C.one", "own": "bit strings: SELECT b'1'"},
    )
    row = compare("m", ["m.C.one"], here)
    assert row.passed == 0
    assert row.failed == {
        "m.C.one": "RisingWave would refuse: FOR UPDATE: SELECT 1 FOR UPDATE",
        "after the tests": "RisingWave would refuse: LISTEN a",
    }
    assert row.own == ["bit strings"]


PLANNED: dict[str, object] = {"tests": ["m.C.one", "m.C.two", "m.C.three"]}


def test_recorded_results_give_the_same_row_as_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(yardstick, "FOLDER", tmp_path)
    here = run(tmp_path / "a", PLANNED, result("m.C.one", "passed"), result("m.C.two", "skipped", "No."))
    row = compare("m", ["m.C.one", "m.C.two"], here)
    yardstick.write("5.2-psycopg2", [row], {"m": ["m.C.three"]})
    assert yardstick.read("5.2-psycopg2")["m"].compare("m", here) == row
    assert yardstick.read("6.1-psycopg") == {}


def test_fewer_tests_than_recorded_fail(tmp_path):
    recorded = yardstick.Recorded(on_postgresql=3, here=1, excluded=["m.C.three"])
    here = run(tmp_path / "a", PLANNED, result("m.C.one", "skipped"), result("m.C.two", "skipped"))
    assert recorded.compare("m", here).failed == {
        "m: tests": "2 tests found, but 3 recorded",
        "m: passed": "0 tests pass, but 1 recorded",
    }


def test_the_report_is_written_between_its_marks(tmp_path):
    on_postgresql = run(
        tmp_path / "a", *(result(f"m.C.{name}", "passed") for name in ("one", "two", "three", "four"))
    )
    here = run(
        tmp_path / "b",
        result("m.C.one", "passed"),
        result("m.C.two", "skipped", "No sequences."),
        result("m.C.three", "failed", "3 | 2"),
        result("m.C.four", "failed", "AssertionError: 5 != 4"),
    )
    row = compare("m", on_postgresql.passed(), here)
    assert report.summary([row]) == "1 of 4 pass (25.0 %), 1 skipped, 2 failed"
    assert list(report.failures([row])) == ["m.C.four: AssertionError: 5 != 4", "m.C.three: 3 | 2"]

    path = tmp_path / "report.md"
    path.write_text("# Before\n<!-- begin: written by make conformance -->\nold\n<!-- end -->\nAfter\n")
    configurations = [
        report.Configuration("5.2", "psycopg2 2.9", "Python 3.11", [row]),
        report.Configuration("6.1", "psycopg 3.2", "Python 3.13", [], ["m"]),
    ]
    for _ in range(2):
        report.write(path, configurations)
        text = path.read_text()
        assert text.startswith("# Before\n")
        assert text.endswith("<!-- end -->\nAfter\n")
        assert "old" not in text
        assert "| 5.2 | psycopg2 2.9 | 4 | 1 (25.0 %) | 1 | 2 | Python 3.11 |" in text
        assert "Not run with Django 6.1 and psycopg 3.2: m." in text
        assert text.count("| m | 4 | 1 | 1 | 2 |") == 1
        assert "| No sequences. | 1 |  |" in text


def test_a_report_without_marks_is_left_alone(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("# Mine\n")
    with pytest.raises(ValueError, match="must contain the marks"):
        report.write(path, [])
    assert path.read_text() == "# Mine\n"


def test_no_application_is_run_twice():
    assert len(set(APPS)) == len(APPS)
    assert len(set(PART)) == len(PART)
    assert set(PART) <= set(APPS)


def test_an_unreachable_server_is_named_in_the_error(monkeypatch, tmp_path):
    monkeypatch.setenv("CONFORMANCE_URL", f"postgres://nobody@/nothing?host={tmp_path}")
    with pytest.raises(server.ServerError, match="Can't connect to PostgreSQL: "), server.postgresql():
        pass


def test_without_postgresql_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delenv("CONFORMANCE_URL", raising=False)
    monkeypatch.setattr(server, "_DEBIAN", tmp_path)
    with pytest.raises(server.ServerError, match="apt install postgresql"), server.postgresql():
        pass
