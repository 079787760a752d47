"""Who waits for whom when charts of the past are drawn."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from live.opened import past
from live.opened.chart import Span
from live.snapshots import Snapshot
from tests.live.hubs import STATES

NOW = datetime(2026, 11, 27, 14, 7, tzinfo=UTC)
SNAPSHOT = Snapshot(STATES, (("Ohio", 3.0),), changed_at=NOW, source="")


class History:
    """Answers when it may, and counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: Counter[Span] = Counter()
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.slow: Span | None = None

    async def draw(self, _ranking: object, _rows: object, span: Span, _until: datetime) -> None:
        self.asked[span] += 1
        self.is_asked.set()
        if span is self.slow:
            await self.may_answer.wait()


@pytest.fixture
def history(monkeypatch):
    history = History()
    monkeypatch.setattr(past, "draw_past", history.draw)
    monkeypatch.setattr(past, "this_minute", lambda: NOW)
    monkeypatch.setattr(past, "_remembered", {})
    return history


async def test_a_chart_whose_history_is_slow_delays_no_other(history):
    history.slow = Span.HOUR
    slow = asyncio.create_task(past.chart_html(STATES, SNAPSHOT, Span.HOUR, "en"))
    await history.is_asked.wait()
    await past.chart_html(STATES, SNAPSHOT, Span.DAY, "en")
    assert not slow.done()
    history.may_answer.set()
    await slow


async def test_all_who_ask_for_a_chart_in_a_minute_share_one_query(history):
    history.slow = Span.HOUR
    pages = [asyncio.create_task(past.chart_html(STATES, SNAPSHOT, Span.HOUR, "en")) for _ in range(100)]
    await history.is_asked.wait()
    history.may_answer.set()
    assert len(set(await asyncio.gather(*pages))) == 1
    await past.chart_html(STATES, SNAPSHOT, Span.HOUR, "en")
    assert history.asked == {Span.HOUR: 1}
