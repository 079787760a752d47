import logging
from types import SimpleNamespace

import pytest

from live.conf import OUTAGE_LOG_SECONDS
from live.logs import repeated_lines
from live.logs.repeated_lines import RepeatedLines

logger = logging.getLogger("tests.repeated_lines")


@pytest.fixture
def now(monkeypatch):
    """The monotonic clock of the lines, which the test turns."""
    clock = [1000.0]
    monkeypatch.setattr(repeated_lines, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


def test_a_kind_of_line_is_logged_once_a_minute_with_the_number_of_those_left_out(caplog, now):
    lines = RepeatedLines(logger, logging.WARNING)
    for _ in range(3):
        lines.log("origin", "origin: refused")
    lines.log("host", "host: refused")
    now[0] += OUTAGE_LOG_SECONDS
    lines.log("origin", "origin: refused")
    lines.log("host", "host: refused")
    assert caplog.messages == [
        "origin: refused",
        "host: refused",
        "origin: refused (2 more of this kind since the last line)",
        "host: refused",
    ]
