"""The hub and its feed, on the real stand-in."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.template.loader import render_to_string

from django_risingwave.streaming.changes import ChangeListener
from live import feed, frames, hub
from live.rankings import RANKINGS
from live.snapshots import Snapshot
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from live.rankings import Ranking

pytestmark = BOTH
STATES = RANKINGS["states-by-turnover"]
ITEMS = RANKINGS["products-by-quantity"]


class Recorder:
    """A subscriber that remembers."""

    def __init__(self) -> None:
        self.snapshots: asyncio.Queue[Snapshot] = asyncio.Queue()
        self.pings: asyncio.Queue[hub.Ping] = asyncio.Queue()
        self.ended = False

    def end(self) -> None:
        self.ended = True

    def deliver(self, message: Snapshot | hub.Ping) -> None:
        if isinstance(message, Snapshot):
            self.snapshots.put_nowait(message)
        else:
            self.pings.put_nowait(message)

    async def next(self) -> Snapshot:
        return await asyncio.wait_for(self.snapshots.get(), 10)


@pytest.fixture
async def the_hub(orders) -> AsyncIterator[hub.Hub]:
    the_hub = hub.get_hub()
    yield the_hub
    if the_hub._feed is not None:
        the_hub._feed.stop()
        await asyncio.to_thread(the_hub._feed.join, 10)


@pytest.fixture
def insert(orders):
    return in_thread(orders)


def in_thread(function: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Run it where it may block, and leave no connection behind there."""

    def run(*args: object) -> None:
        try:
            function(*args)
        finally:
            connections.close_all()

    return sync_to_async(run)


def tell(ranking: Ranking) -> None:
    """Say that its view has changed."""
    with connections["risingwave"].cursor() as cursor:
        cursor.execute("SELECT pg_notify('risingwave_changes', %s)", [ranking.model._meta.db_table])


async def test_a_request_gets_what_is_in_the_database_now(the_hub, insert):
    await insert((1, 2, 3.0, "Ohio"))
    [snapshot] = await the_hub.current([STATES])
    assert snapshot.values == (("Ohio", 6.0),)
    assert snapshot.source.startswith(("PostgreSQL", "RisingWave"))


async def test_all_who_ask_at_once_share_one_read(the_hub, insert, reads):
    await asyncio.gather(*(the_hub.current([STATES, ITEMS]) for _ in range(50)))
    assert reads[STATES.slug] == 1


def test_nothing_is_called_checked_before_it_has_been_read(orders):
    """Or else who asks a process at its beginning would be told that there is nothing."""
    told: SimpleQueue[set[str]] = SimpleQueue()

    def on_read(changed: list[Snapshot], _read_at: object) -> None:
        told.put({snapshot.ranking.slug for snapshot in changed})

    watching = feed.Feed(RANKINGS.values(), {}, on_read, print)
    watching.start()
    assert told.get(timeout=20) == set(RANKINGS)


async def test_a_subscriber_is_handed_each_change_and_only_changes(the_hub, insert, reads):
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    assert (await recorder.next()).values == ()
    await insert((1, 1, 1.0, "Ohio"))
    assert (await recorder.next()).values == (("Ohio", 1.0),)
    # Nothing moves: a line and its reversal in one statement, told but of no effect on the rows.
    before = reads[STATES.slug]
    await insert((1, 1, 1.0, "Ohio"), (1, 1, -1.0, "Ohio"))
    await wait_until(lambda: reads[STATES.slug] > before)
    await insert((1, 1, 2.0, "Ohio"))
    assert (await recorder.next()).values == (("Ohio", 3.0),)


async def test_a_change_is_read_once_however_many_watch(the_hub, insert, reads):
    recorders = [Recorder() for _ in range(100)]
    for recorder in recorders:
        the_hub.subscribe(recorder, [STATES])
    await asyncio.gather(*(recorder.next() for recorder in recorders))
    before = reads[STATES.slug]
    await insert((1, 1, 1.0, "Ohio"))
    received = await asyncio.gather(*(recorder.next() for recorder in recorders))
    assert len({id(snapshot) for snapshot in received}) == 1
    assert reads[STATES.slug] == before + 1


async def test_only_what_changed_is_read(the_hub, reads, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 3600.0
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    before = dict(reads)
    await in_thread(tell)(STATES)
    await wait_until(lambda: reads[STATES.slug] == before[STATES.slug] + 1)
    assert reads[ITEMS.slug] == before[ITEMS.slug]


async def test_what_stays_as_it_is_is_checked_while_something_else_changes(the_hub, reads, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 0.2
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    over = threading.Event()

    def tell_all_the_time() -> None:
        while not over.is_set():
            tell(STATES)

    telling = asyncio.ensure_future(in_thread(tell_all_the_time)())
    try:
        await wait_until(lambda: reads[STATES.slug] > 2)
        before, checked_at = reads[ITEMS.slug], the_hub.checked_at[ITEMS.slug]
        await wait_until(lambda: the_hub.checked_at[ITEMS.slug] > checked_at)
        assert reads[ITEMS.slug] == before
    finally:
        over.set()
        await telling


async def test_changes_that_come_fast_are_gathered(the_hub, insert, reads):
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    before = reads[STATES.slug]
    for _ in range(20):
        await insert((1, 1, 1.0, "Ohio"))
    snapshot = await recorder.next()
    while snapshot.values != (("Ohio", 20.0),):
        snapshot = await recorder.next()
    assert reads[STATES.slug] - before < 20


async def test_other_rankings_are_not_handed_to_a_subscriber(the_hub, insert):
    recorder = Recorder()
    the_hub.subscribe(recorder, [ITEMS])
    await insert((1, 1, 1.0, "Ohio"))
    while (snapshot := await recorder.next()).values != ((1, 1.0),):
        assert snapshot.ranking is ITEMS


async def test_a_broken_subscriber_does_not_take_the_others_news_away(the_hub, insert, caplog):
    class Broken:
        def deliver(self, message):
            raise RuntimeError("broken")

        def end(self):
            pass

    recorder = Recorder()
    the_hub.subscribe(Broken(), [STATES])
    the_hub.subscribe(recorder, [STATES])
    assert await recorder.next()
    await insert((1, 1, 1.0, "Ohio"))
    assert await recorder.next()
    # It was asked no second time.
    assert caplog.text.count("A subscriber failed") == 1


async def test_while_nothing_changes_nothing_is_read_whoever_watches_and_asks(the_hub, reads, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 0.05
    settings.LIVE_POLL_SECONDS = 0.0
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    await wait_until(lambda: the_hub._feed.up_to_date)
    before = dict(reads)
    # Ten proofs that the server lives, and a hundred who ask.
    for _ in range(10):
        checked_at = the_hub.checked_at[STATES.slug]
        await wait_until(lambda: the_hub.checked_at[STATES.slug] > checked_at)  # noqa: B023
        for _ in range(10):
            await the_hub.current([STATES, ITEMS])
    assert reads == before


async def test_a_change_is_rendered_once_a_variant_however_many_watch(the_hub, insert, monkeypatch):
    rendered: list[str] = []

    def counting(template: str, context: dict[str, object]) -> str:
        rendered.append(template)
        return render_to_string(template, context)

    monkeypatch.setattr(frames, "render_to_string", counting)

    class Renderer(Recorder):
        def deliver(self, message: Snapshot | hub.Ping) -> None:
            if isinstance(message, Snapshot):
                assert frames.html(message) is frames.html(message)
                assert frames.update(message) is frames.update(message)
            super().deliver(message)

    recorders = [Renderer() for _ in range(50)]
    for recorder in recorders:
        the_hub.subscribe(recorder, [STATES])
    await asyncio.gather(*(recorder.next() for recorder in recorders))
    rendered.clear()
    await insert((1, 1, 1.0, "Ohio"))
    await asyncio.gather(*(recorder.next() for recorder in recorders))
    assert rendered == ["live/card.html"]


async def test_all_are_sent_away_at_the_end_and_nobody_is_taken_any_more(the_hub):
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await the_hub.end()
    assert recorder.ended
    with pytest.raises(hub.EndingError):
        the_hub.subscribe(Recorder(), [STATES])


async def test_unsubscribed_is_handed_nothing(the_hub, insert):
    stays, goes = Recorder(), Recorder()
    the_hub.subscribe(stays, [STATES])
    the_hub.subscribe(goes, [STATES])
    await stays.next()
    await goes.next()
    the_hub.unsubscribe(goes)
    await insert((1, 1, 1.0, "Ohio"))
    await stays.next()
    assert goes.snapshots.empty()


async def test_the_feed_ends_when_nobody_has_watched_for_a_while_and_comes_back(the_hub, insert, settings):
    settings.LIVE_IDLE_SECONDS = 0.1
    await the_hub.current([STATES])
    thread = the_hub._feed
    await wait_until(lambda: not thread.is_alive())
    await insert((1, 1, 1.0, "Ohio"))
    settings.LIVE_POLL_SECONDS = 0.0
    [snapshot] = await the_hub.current([STATES])
    assert snapshot.values == (("Ohio", 1.0),)


async def test_the_feed_goes_on_while_somebody_watches(the_hub, settings):
    settings.LIVE_IDLE_SECONDS = 0.0
    settings.LIVE_PING_SECONDS = 0.0
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    for _ in range(2):
        await asyncio.wait_for(recorder.pings.get(), 10)
    assert the_hub._feed.is_alive()


async def test_checked_at_moves_on_without_a_change_and_changed_at_does_not(the_hub, settings):
    settings.LIVE_SERVER_CHECK_SECONDS = 0.1
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    snapshot = await recorder.next()
    checked_at = the_hub.checked_at[STATES.slug]
    await wait_until(lambda: the_hub.checked_at[STATES.slug] > checked_at)
    assert the_hub.snapshots[STATES.slug] is snapshot


async def test_a_lost_connection_is_opened_again_and_nothing_is_missed(the_hub, insert, caplog):
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()

    def end_the_feeds_connection() -> None:
        with connections["risingwave"].cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SET%%timeout%%'"
                " OR query LIKE '%%_turnover%%' AND pid <> pg_backend_pid()"
            )

    await in_thread(end_the_feeds_connection)()
    await insert((1, 1, 1.0, "Ohio"))
    while (await recorder.next()).values != (("Ohio", 1.0),):
        pass
    assert caplog.text.count("can't be read") == 1
    assert caplog.text.count("can be read again") == 1


async def test_where_nothing_is_told_the_rankings_are_polled(the_hub, insert, monkeypatch, settings):
    """What the feed does on a RisingWave without subscriptions."""
    monkeypatch.setattr(ChangeListener, "start", lambda self: False)
    settings.LIVE_REFRESH_SECONDS = 0.1
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    await insert((1, 1, 1.0, "Ohio"))
    assert (await recorder.next()).values == (("Ohio", 1.0),)


async def test_no_more_subscribers_than_there_is_room_for(the_hub, monkeypatch):
    monkeypatch.setattr(the_hub, "_room", 1)
    the_hub.subscribe(Recorder(), [STATES])
    with pytest.raises(hub.TooManySubscribersError):
        the_hub.subscribe(Recorder(), [STATES])


def test_there_is_room_for_as_many_as_files_may_be_opened():
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, int(sys.argv[1])))\n"
        "from django.conf import settings\n"
        "settings.configure()\n"
        "from live import hub\n"
        "print(hub.room(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    for limit, room in ((300, 200), (12_000, 10_000)):
        found = subprocess.run(
            [sys.executable, "-c", program, str(limit)], capture_output=True, text=True, check=True
        )
        assert found.stdout.split() == [str(room), str(limit), str(limit)]
        assert ("may open no more than 300 files" in found.stderr) == (limit == 300)


@pytest.fixture
def reads(monkeypatch) -> dict[str, int]:
    """How often each ranking has been read."""
    counts = dict.fromkeys(RANKINGS, 0)
    read = feed.Feed._read

    def counting(self, rankings):
        for ranking in rankings:
            counts[ranking.slug] += 1
        read(self, rankings)

    monkeypatch.setattr(feed.Feed, "_read", counting)
    return counts


async def wait_until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody sets an event for these
            await asyncio.sleep(0.01)
