"""What the harness makes of what Django's runner tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conformance import report, server
from tests.conformance.apps import APPS
from tests.conformance.results import compare, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.results import Run


def run(path: Path, *entries: dict[str, object]) -> Run:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return read(path)


def told(test: str, outcome: str, detail: str = "") -> dict[str, object]:
    return {"test": test, "outcome": outcome, "detail": detail}


END = {"end": "finished", "seconds": 1.5, "date": "2026-01-02"}


def test_the_yardstick_is_what_passes_on_postgresql(tmp_path):
    yardstick = run(
        tmp_path / "a", told("m.C.one", "passed"), told("m.C.two", "failed"), told("m.C.three", "skipped")
    )
    row = compare("m", yardstick, run(tmp_path / "b", told("m.C.one", "passed"), told("m.C.two", "passed")))
    assert (row.yardstick, row.passed, row.skipped, row.failed) == (1, 1, {}, {})


def test_a_failed_subtest_fails_its_test(tmp_path):
    here = run(tmp_path / "a", told("m.C.one", "failed", "E: x"), told("m.C.one", "passed"))
    assert here.outcome("m.C.one") == ("failed", "E: x")


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_class_that_is_not_set_up_speaks_for_its_tests(tmp_path, outcome):
    here = run(tmp_path / "a", told("setUpClass (m.C)", outcome, "no such thing"))
    assert here.outcome("m.C.one") == (outcome, "no such thing")


def test_a_test_that_did_not_run_failed(tmp_path):
    assert run(tmp_path / "a", END).outcome("m.C.one") == ("failed", "not run")
    timeout = END | {"end": "timeout"}
    assert run(tmp_path / "b", timeout).outcome("m.C.one") == ("failed", "not run: out of time")


def test_a_run_that_was_cut_off_has_not_ended(tmp_path):
    assert run(tmp_path / "a", told("m.C.one", "passed")).end == ""
    assert read(tmp_path / "none").end == ""
    assert run(tmp_path / "b", END).end == "finished"


def test_the_report_is_written_between_its_marks(tmp_path):
    yardstick = run(
        tmp_path / "a", *(told(f"m.C.{name}", "passed") for name in ("one", "two", "three", "four"))
    )
    here = run(
        tmp_path / "b",
        told("m.C.one", "passed"),
        told("m.C.two", "skipped", "No sequences."),
        told("m.C.three", "failed", "AssertionError: 3 != 2"),
        told("m.C.four", "failed", "AssertionError: 5 != 4"),
    )
    row = compare("m", yardstick, here)
    assert report.summary([row]) == "1 of 4 pass (25.0%), 1 skipped, 2 failed"

    path = tmp_path / "report.md"
    path.write_text("# Before\n<!-- begin: written by make conformance -->\nold\n<!-- end -->\nAfter\n")
    for _ in range(2):
        report.write(path, intro="Django x", rows=[row], missing=["lookup"])
        text = path.read_text()
        assert text.startswith("# Before\n")
        assert text.endswith("<!-- end -->\nAfter\n")
        assert "old" not in text
        assert text.count("| m | 4 | 1 | 1 | 2 |") == 1
        assert "| **1 applications** | 4 | 1 (25.0%) | 1 | 2 |" in text
        assert "- 1 × No sequences." in text
        assert "- 2 × AssertionError: N != N" in text
        assert "Not run yet (1): lookup." in text


def test_a_report_without_marks_is_left_alone(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("# Mine\n")
    with pytest.raises(ValueError, match="has lost its marks"):
        report.write(path, intro="", rows=[], missing=[])
    assert path.read_text() == "# Mine\n"


def test_no_application_is_run_twice():
    assert len(set(APPS)) == len(APPS)


def test_a_server_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("CONFORMANCE_URL", f"postgres://nobody@/nothing?host={tmp_path}")
    with pytest.raises(server.ServerError, match="PostgreSQL can't be used: "), server.postgresql():
        pass


def test_a_machine_without_postgresql_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delenv("CONFORMANCE_URL", raising=False)
    monkeypatch.setattr(server, "_DEBIAN", tmp_path)
    with pytest.raises(server.ServerError, match="apt install postgresql"), server.postgresql():
        pass
