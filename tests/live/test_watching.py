"""Only what somebody watches is read; rankings come to a running feed, and leave it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connections

from live import clock, watching
from live.conf import UNWATCHED_SECONDS
from live.feeding.sources import Source
from live.history.sparklines import Sparklines
from live.hub_state import NoDataError
from live.leading import leading_name
from live.rankings import RANKINGS
from live.snapshots import Comparison
from live.watching import Watched
from tests.conftest import BOTH
from tests.live.hubs import ITEMS, STATES, Recorder, in_thread, wait_until

if TYPE_CHECKING:
    from live.hub import Hub
    from live.snapshots import Values

pytestmark = BOTH


@pytest.fixture
async def watching_states(the_hub: Hub, insert, settings, one_session) -> Recorder:
    """A subscriber of the states alone, who has their first rows."""
    settings.LIVE_UPDATE_SECONDS = 0.01
    await insert((1, 1, 1.0, "Ohio"))
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    await wait_until(lambda: the_hub._feed is not None and the_hub._feed.up_to_date == {STATES.id})
    return recorder


async def test_only_rankings_that_somebody_watches_are_read_and_in_pings(the_hub, watching_states, reads):
    assert {id_ for id_, count in reads.items() if count} <= {STATES.id}
    assert set(the_hub.ping().checked_at) == set(the_hub.snapshots) == {STATES.id}


async def test_a_ranking_is_taken_on_while_the_others_go_on(the_hub, watching_states, insert, reads):
    feed, before = the_hub._feed, dict(reads)
    [snapshot] = await the_hub.current([ITEMS])
    assert snapshot.values == ((1, 1.0),)
    assert the_hub._feed is feed
    assert reads == before | {ITEMS.id: 1}
    recorder = Recorder()
    the_hub.subscribe(recorder, [ITEMS])
    await insert((1, 2, 1.0, "Ohio"))
    await recorder.next_with(((1, 3.0),))
    await watching_states.next_with((("Ohio", 3.0),))


async def test_no_change_is_lost_while_rankings_come_and_go(
    the_hub, watching_states, insert, monkeypatch, settings
):
    settings.LIVE_REQUEST_WAIT_SECONDS = 1.0
    monkeypatch.setattr(watching, "UNWATCHED_SECONDS", 0.0)
    monkeypatch.setattr(clock, "TICK_SECONDS", 0.01)
    others = [ranking for ranking in RANKINGS.values() if ranking is not STATES]
    for number in range(2, 12):
        await insert((1, 1, 1.0, "Ohio"))
        # A busy machine may let it go before it is read.
        with suppress(NoDataError):
            await the_hub.current([others[number % len(others)]])
        await insert((1, 1, 0.0, "Utah"))
        await watching_states.next_with((("Ohio", float(number)), ("Utah", 0.0)))


async def test_a_ranking_that_nobody_uses_any_more_is_not_read_until_somebody_asks(
    the_hub, watching_states, insert, reads, monkeypatch
):
    await the_hub.current([ITEMS])
    monkeypatch.setattr(watching, "UNWATCHED_SECONDS", 0.0)
    monkeypatch.setattr(clock, "TICK_SECONDS", 0.01)
    await wait_until(lambda: ITEMS.id not in the_hub._feed.reads.sources)
    before = reads[ITEMS.id]
    await insert((1, 4, 1.0, "Ohio"))
    await watching_states.next_with((("Ohio", 5.0),))
    assert reads[ITEMS.id] == before
    assert set(the_hub.ping().checked_at) == set(the_hub.health()["checked_at"]) == {STATES.id}
    monkeypatch.setattr(watching, "UNWATCHED_SECONDS", 60.0)
    [snapshot] = await the_hub.current([ITEMS])
    assert snapshot.values == ((1, 5.0),)


async def test_the_fault_of_a_ranking_ends_when_nobody_watches_it_any_more(
    the_hub, watching_states, monkeypatch
):
    rows = Source.rows

    def failing(self: Source) -> Values:
        if self.ranking is ITEMS:
            raise DatabaseError("broken")
        return rows(self)

    monkeypatch.setattr(Source, "rows", failing)
    assert await the_hub.current([ITEMS]) == []
    assert set(the_hub.faults) == {ITEMS.id}
    monkeypatch.setattr(watching, "UNWATCHED_SECONDS", 0.0)
    await wait_until(lambda: not the_hub.faults)
    await wait_until(lambda: not the_hub._keeper._outages[ITEMS.id].is_on)
    assert the_hub._feed.apart == frozenset()


def test_what_has_subscribers_is_watched_however_long_nobody_asks():
    watched = Watched()
    assert watched.use([STATES, ITEMS], 0) == [STATES.id, ITEMS.id]
    assert watched.use([STATES], 1) == []
    assert watched.discard_unused([ITEMS.id], UNWATCHED_SECONDS) == []
    assert watched.discard_unused([ITEMS.id], UNWATCHED_SECONDS + 2) == [STATES.id]
    assert list(watched) == [ITEMS]
    assert watched.discard_unused([], 2 * UNWATCHED_SECONDS + 2) == []
    assert watched.discard_unused([], 2 * UNWATCHED_SECONDS + 3) == [ITEMS.id]


async def test_the_subscribers_of_a_deleted_ranking_are_sent_away_and_it_is_forgotten(
    the_hub, watching_states, insert, reads
):
    other = Recorder()
    the_hub.subscribe(other, [ITEMS])
    await other.next()
    the_hub.on_rankings_changed([ITEMS.id], [])
    assert other.is_sent_away
    assert not watching_states.is_sent_away
    assert set(the_hub.snapshots) == set(the_hub.checked_at) == {STATES.id}
    await wait_until(lambda: set(the_hub._feed.reads.sources) == {STATES.id})
    before = reads[ITEMS.id]
    await insert((1, 1, 1.0, "Ohio"))
    await watching_states.next_with((("Ohio", 2.0),))
    assert reads[ITEMS.id] == before


async def test_a_ranking_whose_definition_has_changed_is_read_anew_with_another_etag(
    the_hub, watching_states
):
    last = the_hub.snapshots[STATES.id]
    changed = replace(STATES, title="provinces", version="2")
    the_hub.on_rankings_changed([], [changed])
    snapshot = await watching_states.next()
    assert snapshot.ranking is changed
    assert snapshot.values == last.values
    assert snapshot.etag() != last.etag()
    # One that nobody watches isn't read for it.
    the_hub.on_rankings_changed([], [replace(ITEMS, version="2")])
    assert [ranking.id for ranking in the_hub._watched] == [STATES.id]


async def test_a_ranking_that_is_read_rarely_is_not_hurried_by_requests(
    the_hub, reads, monkeypatch, settings
):
    settings.LIVE_POLL_SECONDS = 0.0
    monkeypatch.setattr("django_risingwave.standin.server.StandIn.get_announced", lambda *_: frozenset())
    monkeypatch.setattr(Source, "refresh_seconds", lambda self, _: 3600.0 if self.ranking is STATES else 0.05)
    await the_hub.current([STATES, ITEMS])
    await wait_until(lambda: reads[ITEMS.id] > 2)
    for _ in range(5):
        await the_hub.current([STATES])
    before = reads[ITEMS.id]
    await wait_until(lambda: reads[ITEMS.id] > before + 2)
    assert reads[STATES.id] == 1


async def test_movement_and_sparklines_reach_those_who_watch(the_hub, watching_states):
    ohio = Sparklines(STATES.id, datetime.now(UTC), 60, {"a": [1]})
    items = Sparklines(ITEMS.id, datetime.now(UTC), 60, {"a": [1]})
    comparison = Comparison(datetime(2026, 11, 27, 14, 5, tzinfo=UTC), {'"Ohio"': 3})
    before = the_hub.snapshots[STATES.id]
    the_hub.on_history({STATES.id: comparison}, {STATES.id: ohio, ITEMS.id: items})
    snapshot = await watching_states.next()
    assert [row.movement for row in snapshot.rows()] == [2]
    assert snapshot.etag() != before.etag()
    assert snapshot.changed_at == before.changed_at
    assert await watching_states.sparklines.get() is ohio
    assert watching_states.sparklines.empty()
    # The same comparison again changes nothing; a new snapshot has it too.
    the_hub.on_history({STATES.id: comparison}, {})
    assert watching_states.snapshots.empty()
    the_hub.on_read([before], {})
    assert the_hub.snapshots[STATES.id].comparison is comparison


async def test_subscribers_get_each_ranking_once_when_it_is_compared_with_another_minute(
    the_hub, watching_states
):
    for at in (1, 1, 2):
        the_hub.on_history({STATES.id: Comparison(datetime(2026, 1, at, tzinfo=UTC), {'"Ohio"': 4})}, {})
    first, second = await watching_states.next(), await watching_states.next()
    assert [one.comparison and one.comparison.at.day for one in (first, second)] == [1, 2]
    assert second.rows()[0].movement == 3
    assert watching_states.snapshots.empty()


async def test_the_last_change_of_a_burst_is_shown_within_a_second_of_the_first(
    the_hub, insert, reads, settings
):
    """A change after a quiet second is read at once, those that follow together."""
    settings.LIVE_UPDATE_SECONDS = 1
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    before, loop = reads[STATES.id], asyncio.get_running_loop()
    began_at = loop.time()

    def notify_often() -> None:
        for _ in range(30):
            with connections["risingwave"].cursor() as cursor:
                cursor.execute("SELECT pg_notify('risingwave_changes', %s)", [leading_name(STATES.id)])

    await in_thread(notify_often)()
    await insert((1, 1, 7.0, "Ohio"))
    await recorder.next_with((("Ohio", 7.0),))
    assert reads[STATES.id] - before <= 2 + (loop.time() - began_at)
