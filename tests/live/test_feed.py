"""When the feed reads which ranking, on a real stand-in."""

from __future__ import annotations

import asyncio
import itertools
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from django.db import DatabaseError, connections

from django_risingwave.streaming.changes import ChangeListener
from live.feeding.ranking_reads import RankingReads
from live.feeding.sources import Source
from live.leading import leading_name
from live.rankings import RANKINGS
from live.snapshots import Totals
from tests.conftest import BOTH
from tests.live.hubs import ALL, ITEMS, STATES, Recorder, feed_of, in_thread, wait_until
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from datetime import datetime

    from live.rankings import Ranking
    from live.snapshots import Snapshot, Values

pytestmark = BOTH


def notify(ranking: Ranking) -> None:
    """Announce that the ranking's leading rows have changed."""
    with connections["risingwave"].cursor() as cursor:
        cursor.execute("SELECT pg_notify('risingwave_changes', %s)", [leading_name(ranking.slug)])


def test_a_new_feed_reports_no_ranking_as_read_before_it_has_read_it(orders, settings):
    """A request to a new process must not be told that there is no data, nor get an earlier feed's."""
    settings.LIVE_SERVER_CHECK_SECONDS = 0.001
    calls: SimpleQueue[tuple[set[str], set[str]]] = SimpleQueue()

    def on_read(changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
        calls.put(({snapshot.ranking.slug for snapshot in changed}, set(read_at)))

    thread = feed_of(RANKINGS.values(), on_read)
    thread.start()
    read: set[str] = set()
    while read != set(RANKINGS):
        changed, reported = calls.get(timeout=DEADLINE_SECONDS)
        read |= changed
        assert reported <= read


async def test_a_ranking_is_read_at_once_while_changes_of_another_are_gathered(the_hub, reads, settings):
    settings.LIVE_UPDATE_SECONDS = 0.0
    the_hub.subscribe(Recorder(), ALL)
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS))
    # From now on, a ranking that is read isn't read again.
    settings.LIVE_UPDATE_SECONDS = 3600.0
    before = dict(reads)
    await in_thread(notify)(STATES)
    await wait_until(lambda: reads[STATES.slug] == before[STATES.slug] + 1)
    await in_thread(notify)(STATES)
    await in_thread(notify)(ITEMS)
    await wait_until(lambda: reads[ITEMS.slug] == before[ITEMS.slug] + 1)
    assert reads[STATES.slug] == before[STATES.slug] + 1


async def test_a_ranking_is_delivered_before_the_next_one_is_read(the_hub, insert, monkeypatch):
    await insert((1, 1, 1.0, "Ohio"))
    read, may_read = RankingReads.read, threading.Event()

    def waiting(self: RankingReads, source: Source) -> None:
        if source.ranking is not first:
            may_read.wait(DEADLINE_SECONDS)
        read(self, source)

    monkeypatch.setattr(RankingReads, "read", waiting)
    first = next(iter(RANKINGS.values()))
    recorder = Recorder()
    the_hub.subscribe(recorder, list(RANKINGS.values()))
    assert (await recorder.next()).ranking is first
    assert recorder.snapshots.empty()
    may_read.set()
    assert {(await recorder.next()).ranking.slug for _ in range(3)} == set(RANKINGS) - {first.slug}


async def test_only_the_ranking_that_changed_is_read(the_hub, reads):
    the_hub.subscribe(Recorder(), ALL)
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS))
    before = dict(reads)
    await in_thread(notify)(STATES)
    await wait_until(lambda: reads[STATES.slug] == before[STATES.slug] + 1)
    assert reads[ITEMS.slug] == before[ITEMS.slug]


async def test_the_server_is_checked_while_another_ranking_changes_all_the_time(the_hub, reads, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 0.2
    the_hub.subscribe(Recorder(), ALL)
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS))
    over = threading.Event()

    def notify_all_the_time() -> None:
        while not over.is_set():
            notify(STATES)

    notifying = asyncio.ensure_future(in_thread(notify_all_the_time)())
    try:
        await wait_until(lambda: reads[STATES.slug] > 2)
        before, checked_at = reads[ITEMS.slug], the_hub.checked_at[ITEMS.slug]
        await wait_until(lambda: the_hub.checked_at[ITEMS.slug] > checked_at)
        assert reads[ITEMS.slug] == before
    finally:
        over.set()
        await notifying


async def test_frequent_changes_are_read_together(the_hub, insert, reads, settings):
    # Longer than an insert takes on a busy machine.
    settings.LIVE_UPDATE_SECONDS = 1.0
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    before = reads[STATES.slug]
    for _ in range(20):
        await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 20.0),))
    assert reads[STATES.slug] - before < 20


async def test_neither_checks_nor_requests_read_a_ranking_while_nothing_changes(the_hub, reads, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 0.05
    settings.LIVE_POLL_SECONDS = 0.0
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    the_hub.subscribe(Recorder(), ALL)
    await recorder.next()
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS))
    before = dict(reads)
    # Ten checks of the server, and a hundred requests.
    for _ in range(10):
        checked_at = the_hub.checked_at[STATES.slug]
        await wait_until(lambda: the_hub.checked_at[STATES.slug] > checked_at)  # noqa: B023
        for _ in range(10):
            await the_hub.current([STATES, ITEMS])
    assert reads == before


async def test_a_check_without_a_change_updates_checked_at_alone(the_hub, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 0.1
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    snapshot = await recorder.next()
    checked_at = the_hub.checked_at[STATES.slug]
    await wait_until(lambda: the_hub.checked_at[STATES.slug] > checked_at)
    assert the_hub.snapshots[STATES.slug] is snapshot


async def test_rankings_are_polled_where_changes_are_not_announced(the_hub, insert, monkeypatch, settings):
    """As on a RisingWave without subscriptions."""

    def start(self: ChangeListener) -> bool:
        self.connection.ensure_connection()
        return False

    monkeypatch.setattr(ChangeListener, "start", start)
    settings.LIVE_REFRESH_SECONDS = 0.1
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 1.0),))


async def test_a_ranking_that_can_not_be_read_is_an_outage_of_its_own(the_hub, monkeypatch, caplog):
    caplog.set_level("INFO", logger="live.outages")
    rows, attempts = Source.rows, SimpleQueue[str]()

    def failing(self: Source) -> Values:
        if self.ranking is ITEMS:
            attempts.put(self.ranking.slug)
            raise DatabaseError("no such view")
        return rows(self)

    monkeypatch.setattr(Source, "rows", failing)
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES, ITEMS])
    assert (await recorder.next()).ranking is STATES
    await wait_until(lambda: attempts.qsize() >= 4)
    assert set(the_hub.faults) == {ITEMS.slug}
    monkeypatch.setattr(Source, "rows", rows)
    await wait_until(lambda: "can be read again" in caplog.text)
    await wait_until(lambda: not the_hub.faults)
    assert f"ranking {ITEMS.slug}: can't be read (no such view)" in caplog.messages[0]
    assert len(caplog.messages) == 2


async def test_totals_that_change_are_delivered_with_the_same_rows(the_hub, insert, monkeypatch, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 0.05
    await insert((1, 1, 1.0, "Ohio"))
    keys = itertools.count(1)
    monkeypatch.setattr(Source, "totals", lambda self: Totals(next(keys), None))
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    first, second, third = [await recorder.next() for _ in range(3)]
    assert len({first.totals, second.totals, third.totals}) == 3
    assert first.etag() == second.etag() == third.etag()
    assert first.changed_at == second.changed_at == third.changed_at


async def test_totals_that_stay_are_not_delivered_again(the_hub, insert, monkeypatch, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 0.05
    read: SimpleQueue[str] = SimpleQueue()

    def totals(self: Source) -> Totals:
        read.put(self.ranking.slug)
        return Totals(7, None)

    monkeypatch.setattr(Source, "totals", totals)
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    assert (await recorder.next()).totals == Totals(7, None)
    await wait_until(lambda: read.qsize() > 5 * len(RANKINGS))
    assert recorder.snapshots.empty()


async def test_totals_are_not_read_with_rows_that_have_not_changed(the_hub, reads, monkeypatch, settings):
    # Each check of the server reads totals, too.
    settings.LIVE_SERVER_CHECK_SECONDS = 3600.0
    read: SimpleQueue[str] = SimpleQueue()
    monkeypatch.setattr(Source, "totals", lambda self: read.put(self.ranking.slug))
    the_hub.subscribe(Recorder(), ALL)
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS))
    before, checked_at = reads[STATES.slug], the_hub.checked_at[STATES.slug]
    await in_thread(notify)(STATES)
    await wait_until(lambda: the_hub.checked_at[STATES.slug] > checked_at)
    assert reads[STATES.slug] > before
    assert read.qsize() == len(RANKINGS)
