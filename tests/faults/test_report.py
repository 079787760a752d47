"""What `make faults` writes down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults import report
from tests.faults.lab import BrokenPromiseError, Lab, SkippedError, Templates
from tests.faults.logs import LogCount
from tests.faults.results import Result, run
from tests.faults.scenario import Scenario, all_scenarios

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unversioned
PAGE = f"Before.\n{report.BEGIN}\nold\n{report.END}\nAfter.\n"


def scenario(judge, title: str = "A server is killed") -> Scenario:
    return Scenario("killed", title, "The servers", False, judge)


def outcome(judge, folder: Path) -> Result:
    return run(scenario(judge), folder / "killed", Templates(folder / "templates"))


def test_the_page_has_the_figures_of_each_scenario_under_its_chapter(tmp_path):
    def judge(lab: Lab) -> None:
        lab.record(report.BACK, 1.25, "s", bound=10)
        lab.note("nothing lost", "3 orders")

    page = tmp_path / "page.md"
    page.write_text(PAGE)
    report.write(page, [(scenario(judge), outcome(judge, tmp_path))])
    text = page.read_text()
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert "### The servers" in text
    assert "| A server is killed |  | 1.2 s (at most 10) |  | nothing lost: 3 orders |" in text


def test_a_figure_beyond_its_bound_fails_the_scenario_and_the_page_says_so(tmp_path):
    failed = outcome(lambda lab: lab.record(report.BACK, 11.0, "s", bound=10), tmp_path)
    assert failed.outcome == "failed"
    assert "back after: 11.0 s, more than 10" in failed.message
    assert BrokenPromiseError.__name__ in (tmp_path / "killed" / "traceback").read_text()
    assert "\nFailed: A server is killed." in "\n".join(report.tables([(scenario(print), failed)]))


def test_a_scenario_that_this_machine_cannot_run_says_what_is_missing(tmp_path):
    def judge(lab: Lab) -> None:
        raise SkippedError("libfaketime isn't installed. Install it: apt install libfaketime")

    skipped = outcome(judge, tmp_path)
    assert skipped.outcome == "skipped"
    assert "apt install libfaketime" in "\n".join(report.tables([(scenario(judge), skipped)]))


def test_a_scenario_that_has_not_run_is_named(tmp_path):
    assert "\nNot run yet: A server is killed." in list(report.tables([(scenario(print), None)]))


def test_a_result_is_read_as_it_was_written(tmp_path):
    result = outcome(lambda lab: lab.note("a", "b"), tmp_path)
    result.write(tmp_path / "result.json")
    assert Result.read(tmp_path / "result.json") == result
    assert Result.read(tmp_path / "other.json") is None


def test_every_scenario_says_what_happens_in_a_chapter():
    scenarios = all_scenarios()
    assert len({each.title for each in scenarios.values()}) > 20
    assert not any(each.title.endswith(".") for each in scenarios.values())
    assert all(each.chapter for each in scenarios.values())
    assert any(each.is_quick for each in scenarios.values())


def test_log_lines_are_counted_by_the_minute_without_the_access_log(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        '127.0.0.1:50000 - - [27/Nov/2026:07:03:13] "GET /healthz/" 200 16\n'
        "2026-11-27 07:03:13,000 WARNING live.outages: users: can't be asked\n"
        "Traceback (most recent call last):\n"
        "  ValueError\n"
        "2026-11-27 07:04:00,000 INFO live.outages: users: can be asked again\n"
    )
    logs = LogCount([log])
    assert (logs.most_lines_in_a_minute, logs.tracebacks, logs.count("users")) == (3, 1, 2)
