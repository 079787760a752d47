"""Viewers see which thresholds are crossed, in every process, as soon as any of them has found out."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from live import loops, rendering
from live.alerts import telling
from live.cards import Card
from live.history import clock, records
from live.models import Crossing
from live.rankings import RANKINGS, variants
from live.snapshots import Snapshot
from live.thresholds import Alert, Threshold
from tests.conftest import BOTH
from tests.live.hubs import Recorder
from tests.live.schemas import faults

SINCE = datetime(2026, 11, 27, 12, tzinfo=UTC)
OHIO, TOTAL = Threshold(above=500, key="Ohio"), Threshold(above=900, of="total", title="a good day")
STATES = dataclasses.replace(RANKINGS["states-by-turnover"], thresholds=(OHIO, TOTAL))
ALERTS = (Alert(7, OHIO, '"Ohio"', SINCE, 501.0), Alert(8, TOTAL, "", SINCE, 901.0))


def snapshot(*alerts: Alert, **changes: Any) -> Snapshot:
    values = ("Utah", 600.0), ("Ohio", 550.0)
    return Snapshot(STATES, values, SINCE, "PostgreSQL", alerts=alerts, **changes)


@pytest.fixture
def thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ranking with thresholds, of whose crossings this process knows nothing yet."""
    monkeypatch.setitem(RANKINGS, STATES.slug, STATES)
    monkeypatch.setattr(telling, "_known", {})
    monkeypatch.setattr(telling, "_followers", [])


def cross(threshold: Threshold, key: str, **values: Any) -> Crossing:
    given = {"ranking": STATES.id, "threshold": threshold.name, "key": key, "value": 501.0, "began_at": SINCE}
    return Crossing.objects.create(**given | values)


# ---- what is shown


def test_the_etag_says_what_is_crossed_among_the_rows_that_are_shown():
    assert snapshot(*ALERTS).etag() != snapshot().etag()
    assert snapshot(ALERTS[0]).etag(1) == snapshot().etag(1), "Ohio isn't among one row"
    assert snapshot(ALERTS[1]).etag(1) != snapshot().etag(1)


def test_programs_get_the_alerts_of_the_total_and_of_the_rows():
    payload = rendering.known_payload(Card(STATES, snapshot(*ALERTS)))
    assert faults("api-ranking", payload) == []
    common = {"since": "2026-11-27T12:00:00.000Z"}
    total = {"id": 8, "of": "total", "key": None, "name": None, "text": "a good day", "value": 901.0}
    ohio = {"id": 7, "of": "row", "key": "Ohio", "name": "Ohio", "text": "above $500", "value": 501.0}
    assert payload["alerts"] == [total | common, ohio | common]


# ---- what a process knows


@BOTH
@pytest.mark.usefixtures("thresholds")
def test_only_open_crossings_of_thresholds_that_are_declared_are_told(django_assert_num_queries):
    first = cross(OHIO, '"Ohio"')
    cross(OHIO, '"Ohio"', ended_at=SINCE)
    cross(Threshold(above=1), '"Ohio"')
    cross(OHIO, '"Ohio"', ranking="gone")
    with django_assert_num_queries(1):
        known = telling.open_alerts(variants())
    assert known == {STATES.id: (Alert(first.pk, OHIO, '"Ohio"', SINCE, 501.0),)}


@BOTH
def test_without_thresholds_nothing_is_asked(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert telling.open_alerts([dataclasses.replace(STATES, thresholds=())]) == {}


@BOTH
@pytest.mark.usefixtures("thresholds")
def test_alerts_are_told_when_they_change_and_at_once_to_who_comes_later():
    told: list[Any] = []
    telling.follow(told.append)
    telling.tell(variants())
    assert told == []
    crossing = cross(OHIO, '"Ohio"')
    telling.tell(variants())
    telling.tell(variants())
    assert [list(alerts) for alerts in told] == [[STATES.id]]
    later: list[Any] = []
    telling.follow(later.append)
    assert later == told
    crossing.delete()
    telling.tell(variants())
    assert told[-1] == later[-1] == {}


@BOTH
@pytest.mark.usefixtures("thresholds")
async def test_subscribers_get_the_card_again_when_a_threshold_is_crossed(the_hub, insert):
    await insert((1, 2, 300.0, "Ohio"))
    subscriber = Recorder()
    the_hub.subscribe(subscriber, [STATES])
    await the_hub.current([STATES])
    before = await subscriber.next()
    assert before.alerts == ()
    await asyncio.to_thread(loops.on_loop(asyncio.get_running_loop(), the_hub.on_alerts), {STATES.id: ALERTS})
    while (after := await subscriber.next()).alerts != ALERTS:
        pass
    assert after.etag() != before.etag()
    the_hub.on_read([before], {})
    assert the_hub.snapshots[STATES.id].alerts == ALERTS, "a new snapshot has them too"


@BOTH
@pytest.mark.usefixtures("thresholds")
def test_the_clock_judges_what_it_records_and_tells_it(orders, settings):
    settings.LIVE_HISTORY = True
    orders((1, 2, 300.0, "Ohio"))
    told: list[Any] = []
    telling.follow(told.append)
    minute = records.floor(datetime.now(UTC))
    clock.HistoryClock().keep(minute)
    (alert,) = told[-1][STATES.id]
    assert (alert.threshold, alert.key, alert.value, alert.since) == (OHIO, '"Ohio"', 600.0, minute)
    # Another process, which got none of the records, hears of it too.
    telling._known = {}
    other = clock.HistoryClock()
    other._rankings = variants()
    other._tell_alerts()
    assert told[-1][STATES.id] == (alert,)
    clock.HistoryClock().keep(minute + timedelta(minutes=1))
    assert Crossing.objects.count() == 1


def test_a_card_says_what_is_crossed_in_words_and_marks_the_row():
    html = rendering.card(snapshot(*ALERTS))
    assert texts_to_notify(html) == {
        "8": "States by turnover: a good day",
        "7": "States by turnover: Ohio: above $500",
    }
    assert re.search(r'<article[^>]* data-alerts="', html)
    (row,) = re.findall(r"<li[^>]*data-alerts[^>]*>", html)
    assert 'title="Ohio: above $500"' in row
    words = " ".join(re.sub(r"<[^>]+>", "", html).split())
    assert "Total: a good day since 12:00" in words
    assert "Ohio: above $500 since 12:00" in words
    assert "data-alert" not in rendering.card(snapshot())


def texts_to_notify(html: str) -> dict[str, str]:
    """Return the text of each crossing that a card has, by its id."""
    found = (json.loads(unescape(text)) for text in re.findall(r'data-alerts="([^"]*)"', html))
    return {id_: text for texts in found for id_, text in texts.items()}


def test_a_row_that_passes_two_limits_in_the_same_minute_has_a_text_for_each():
    more = Alert(9, Threshold(above=400, title='"good" & <more>'), '"Ohio"', SINCE, 501.0)
    html = rendering.card(snapshot(ALERTS[0], more))
    assert texts_to_notify(html) == {
        "7": "States by turnover: Ohio: above $500",
        "9": 'States by turnover: Ohio: "good" & <more>',
    }
    assert "&lt;more&gt;, Ohio: above $500" in html


def test_a_card_writes_out_two_of_many_crossings_and_how_many_more_there_are():
    each = Threshold(above=1)
    alerts = [Alert(number, each, key, SINCE, 2.0) for number, key in enumerate(('"Utah"', '"Ohio"'))]
    words = " ".join(re.sub(r"<[^>]+>", "", rendering.card(snapshot(*ALERTS, *alerts))).split())
    assert words.count(" since 12:00") == 2
    assert "2 more" in words
