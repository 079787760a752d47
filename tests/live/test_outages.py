"""What is logged about an outage, and when the next attempt is due."""

from __future__ import annotations

import logging
import re
from itertools import islice

import pytest

from live import outages
from live.conf import FIRST_RETRY_SECONDS
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
    assert re.fullmatch(r"rankings: can be read again after \d\.\d s", caplog.messages[-1])
    assert len(caplog.messages) == 2


def test_an_outage_that_goes_on_is_logged_again(caplog, monkeypatch):
    monkeypatch.setattr(outages, "OUTAGE_LOG_SECONDS", 0.0)
    outage = Outage("rankings", "be read", 2.0)
    outage.fail(OSError())
    outage.fail(OSError())
    assert re.fullmatch(
        r"rankings: can't be read since \d\d:\d\d:\d\d UTC \(OSError\); still retrying", caplog.messages[-1]
    )


def test_each_outage_begins_with_the_first_delay():
    outage = Outage("rankings", "be read", 2.0)
    assert [outage.fail(OSError()) for _ in range(3)] == [0.25, 0.5, 1.0]
    outage.succeed()
    assert outage.fail(OSError()) == FIRST_RETRY_SECONDS
