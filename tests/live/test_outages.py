"""What is logged about an outage, and when the next attempt is due."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from prometheus_client import REGISTRY

from live import outages
from live.conf import FIRST_RETRY_SECONDS, MAX_LOGGED_OUTAGES
from live.outages import Outage
from live.retries import retry_delays


@pytest.fixture(autouse=True)
def info_is_logged(caplog) -> None:
    caplog.set_level(logging.INFO, outages.__name__)


def test_delays_double_up_to_the_longest():
    assert list(islice(retry_delays(0.25, 2.0), 5)) == [0.25, 0.5, 1.0, 2.0, 2.0]


def test_an_outage_has_one_line_at_its_begin_and_one_at_its_end(caplog):
    outage = Outage("rankings", "be read", 2.0)
    outage.succeed()
    for _ in range(3):
        outage.fail(OSError("connection\n  refused"))
    assert caplog.messages == ["rankings: can't be read (connection refused); retrying at least every 2 s"]
    outage.succeed()
    outage.succeed()
    assert re.fullmatch(
        r"rankings: can be read again after \d\.\d s and 3 failed attempts", caplog.messages[-1]
    )
    assert len(caplog.messages) == 2


def test_an_outage_that_goes_on_is_logged_again(caplog, monkeypatch):
    monkeypatch.setattr(outages, "OUTAGE_LOG_SECONDS", 0.0)
    outage = Outage("rankings", "be read", 2.0)
    outage.fail(OSError())
    outage.fail(OSError())
    assert re.fullmatch(
        r"rankings: can't be read since \d\d:\d\d:\d\d UTC \(OSError\); still retrying,"
        r" 1 failed since the last line",
        caplog.messages[-1],
    )


def test_the_line_in_between_counts_the_attempts_that_have_none(caplog, monkeypatch):
    outage = Outage("rankings", "be read", 2.0)
    for _ in range(5):
        outage.fail(OSError())
    monkeypatch.setattr(outages, "OUTAGE_LOG_SECONDS", 0.0)
    outage.fail(OSError())
    assert len(caplog.messages) == 2
    assert caplog.messages[-1].endswith("5 failed since the last line")


def test_a_thing_that_fails_again_and_again_fills_no_log(caplog, monkeypatch):
    outage = Outage("rankings", "be read", 2.0)
    for _ in range(100):
        outage.fail(OSError())
        outage.succeed()
    assert len(caplog.messages) == 2 * MAX_LOGGED_OUTAGES
    monkeypatch.setattr(outages, "OUTAGE_LOG_SECONDS", 0.0)
    outage.fail(OSError())
    assert caplog.messages[-1].endswith("; 95 more outages since the last line")
    outage.succeed()
    assert len(caplog.messages) == 2 * MAX_LOGGED_OUTAGES + 2


def test_the_outages_that_are_on_are_known_the_oldest_first():
    before = outages.current()
    one, other = Outage("one", "be read", 2.0), Outage("other", "be read", 2.0)
    for outage in (one, other, one):
        outage.fail(OSError())
    assert [outage for outage in outages.current() if outage not in before] == [one, other]
    assert (one.failures, other.failures) == (2, 1)
    assert one.began_at is not None
    one.succeed()
    assert one not in outages.current()
    assert one.failures == 0
    other.succeed()


def test_the_begin_of_each_outage_is_counted():
    def count() -> float:
        return REGISTRY.get_sample_value("live_outages_total", {"subject": "counted"}) or 0

    before, outage = count(), Outage("counted", "be read", 2.0)
    for _ in range(2):
        outage.fail(OSError())
        outage.fail(OSError())
        outage.succeed()
    assert count() == before + 2


def test_failures_that_threads_report_at_once_are_all_counted(caplog):
    outage = Outage("rankings", "be read", 2.0)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(outage.fail, [OSError()] * 800))
    assert outage.failures == 800
    assert len(caplog.messages) == 1
    outage.succeed()


def test_each_outage_begins_with_the_first_delay():
    outage = Outage("rankings", "be read", 2.0)
    assert [outage.fail(OSError()) for _ in range(3)] == [0.25, 0.5, 1.0]
    outage.succeed()
    assert outage.fail(OSError()) == FIRST_RETRY_SECONDS
