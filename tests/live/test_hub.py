"""The hub and its feed, on a real stand-in."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import connections
from django.template.loader import render_to_string

from django_risingwave.streaming.changes import ChangeListener
from live import hub, rendering
from live.faults import Fault
from live.formats import isoformat
from live.hub_state import NoDataError, ShuttingDownError, TooManySubscribersError
from live.parameters import Selection
from live.reading import _read
from live.snapshots import Snapshot
from live.windows import Window
from tests.conftest import BOTH
from tests.live.hubs import ITEMS, STATES, Recorder, in_thread, wait_until
from tests.live.schemas import faults

if TYPE_CHECKING:
    from live.subscribers import Message

pytestmark = BOTH


async def test_a_request_gets_what_is_in_the_database_now(the_hub, insert):
    await insert((1, 2, 3.0, "Ohio"))
    [snapshot] = await the_hub.current([STATES])
    assert snapshot.values == (("Ohio", 6.0),)
    assert snapshot.source.startswith(("PostgreSQL", "RisingWave"))


@pytest.fixture
async def blind_hub(monkeypatch) -> hub.Hub:
    """A hub that reads nothing."""
    monkeypatch.setattr(hub.Hub, "_watch", lambda self, rankings: None)
    blind_hub = hub.get_hub()
    blind_hub._is_failing = True
    return blind_hub


async def test_the_fault_of_a_ranking_is_told_and_the_others_are_shown(blind_hub):
    now = datetime.now(UTC)
    blind_hub.snapshots[STATES.slug] = Snapshot(STATES, (("Ohio", 1.0),), now, source="RisingWave")
    blind_hub.checked_at[STATES.slug] = now
    blind_hub.faults[ITEMS.slug] = Fault("its view doesn't exist", now)
    assert await blind_hub.current([ITEMS]) == []
    assert [snapshot.ranking for snapshot in await blind_hub.current([ITEMS, STATES])] == [STATES]
    reading = await _read(Selection([ITEMS, STATES], Window.ALL, None, "en"))
    assert reading.checked_at == now
    assert [(card.ranking, card.fault is None) for card in reading.cards] == [
        (ITEMS, False),
        (STATES, True),
    ]
    answer = rendering.known_payload(reading.cards[0])
    assert faults("api-ranking", answer) == []
    assert answer["fault"] == {"reason": "its view doesn't exist", "since": isoformat(now)}
    ping = json.loads(rendering.ping_message(blind_hub.ping()))
    assert faults("ping", ping) == []
    assert ping["faults"] == {ITEMS.slug: answer["fault"]}
    card = rendering.placeholder(reading.cards[0])
    assert "its view doesn’t exist" in card


async def test_there_is_no_data_while_nothing_has_been_read(blind_hub):
    with pytest.raises(NoDataError):
        await blind_hub.current([STATES])
    assert blind_hub.oldest_check([STATES]) is None


async def test_concurrent_requests_share_one_read(the_hub, insert, reads):
    await asyncio.gather(*(the_hub.current([STATES, ITEMS]) for _ in range(50)))
    assert reads[STATES.slug] == 1


async def test_a_subscriber_gets_each_change_and_nothing_else(the_hub, insert, reads, settings):
    # Each check of the server reads totals, too, which may have changed before the rows are read.
    settings.LIVE_SERVER_CHECK_SECONDS = 3600.0
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    assert (await recorder.next()).values == ()
    await insert((1, 1, 1.0, "Ohio"))
    assert (await recorder.next()).values == (("Ohio", 1.0),)
    # A line and its reversal in one statement are announced but change no row.
    before = reads[STATES.slug]
    await insert((1, 1, 1.0, "Ohio"), (1, 1, -1.0, "Ohio"))
    await wait_until(lambda: reads[STATES.slug] > before)
    await insert((1, 1, 2.0, "Ohio"))
    assert (await recorder.next()).values == (("Ohio", 3.0),)


async def test_a_change_is_read_once_for_any_number_of_subscribers(the_hub, insert, reads):
    recorders = [Recorder() for _ in range(100)]
    for recorder in recorders:
        the_hub.subscribe(recorder, [STATES])
    await asyncio.gather(*(recorder.next() for recorder in recorders))
    before = reads[STATES.slug]
    await insert((1, 1, 1.0, "Ohio"))
    received = await asyncio.gather(*(recorder.next() for recorder in recorders))
    assert len({id(snapshot) for snapshot in received}) == 1
    assert reads[STATES.slug] == before + 1


async def test_a_subscriber_gets_no_other_rankings(the_hub, insert):
    recorder = Recorder()
    the_hub.subscribe(recorder, [ITEMS])
    await insert((1, 1, 1.0, "Ohio"))
    while (snapshot := await recorder.next()).values != ((1, 1.0),):
        assert snapshot.ranking is ITEMS


async def test_a_subscriber_that_raises_is_unsubscribed_and_the_others_are_served(the_hub, insert, caplog):
    class Broken:
        def deliver(self, message):
            raise RuntimeError("broken")

        def on_shutdown(self):
            pass

        def on_deleted(self, slug):
            pass

    recorder = Recorder()
    the_hub.subscribe(Broken(), [STATES])
    the_hub.subscribe(recorder, [STATES])
    assert await recorder.next()
    await insert((1, 1, 1.0, "Ohio"))
    assert await recorder.next()
    assert caplog.text.count("failed and is unsubscribed") == 1


async def test_a_change_is_rendered_once_per_format_for_all_subscribers(
    the_hub, insert, monkeypatch, settings
):
    settings.LIVE_SERVER_CHECK_SECONDS = 3600.0
    rendered: list[str] = []

    def counting(template: str, context: dict[str, object]) -> str:
        rendered.append(template)
        return render_to_string(template, context)

    monkeypatch.setattr(rendering, "render_to_string", counting)

    class Renderer(Recorder):
        def deliver(self, message: Message) -> None:
            if isinstance(message, Snapshot):
                assert rendering.card_message(message) is rendering.card_message(message)
                assert rendering.update_message(message) is rendering.update_message(message)
            super().deliver(message)

    recorders = [Renderer() for _ in range(50)]
    for recorder in recorders:
        the_hub.subscribe(recorder, [STATES])
    await asyncio.gather(*(recorder.next() for recorder in recorders))
    rendered.clear()
    await insert((1, 1, 1.0, "Ohio"))
    await asyncio.gather(*(recorder.next() for recorder in recorders))
    assert rendered == ["live/card.html"]


async def test_shutting_down_sends_all_subscribers_away_and_accepts_no_more(the_hub):
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await the_hub.shut_down()
    assert recorder.is_sent_away
    with pytest.raises(ShuttingDownError):
        the_hub.subscribe(Recorder(), [STATES])


async def test_an_unsubscribed_subscriber_gets_nothing(the_hub, insert):
    stays, goes = Recorder(), Recorder()
    the_hub.subscribe(stays, [STATES])
    the_hub.subscribe(goes, [STATES])
    await stays.next()
    await goes.next()
    the_hub.unsubscribe(goes)
    await insert((1, 1, 1.0, "Ohio"))
    await stays.next()
    assert goes.snapshots.empty()


async def test_an_idle_feed_ends_and_the_next_request_starts_another(the_hub, insert, settings):
    settings.LIVE_IDLE_SECONDS = 0.1
    await the_hub.current([STATES])
    thread = the_hub._feed
    await wait_until(lambda: not thread.is_alive())
    await insert((1, 1, 1.0, "Ohio"))
    settings.LIVE_IDLE_SECONDS = 60.0
    settings.LIVE_POLL_SECONDS = 0.0
    [snapshot] = await the_hub.current([STATES])
    assert snapshot.values == (("Ohio", 1.0),)


async def test_the_feed_runs_while_there_is_a_subscriber(the_hub, settings):
    settings.LIVE_IDLE_SECONDS = 0.0
    settings.LIVE_PING_SECONDS = 0.0
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    for _ in range(2):
        await asyncio.wait_for(recorder.pings.get(), 60)
    assert the_hub._feed.is_alive()


async def test_the_feed_reconnects_and_misses_no_change(the_hub, insert, sessions, caplog):
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()

    def terminate_the_feeds_session() -> None:
        with connections["risingwave"].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [sessions[-1]])

    await in_thread(terminate_the_feeds_session)()
    await insert((1, 1, 1.0, "Ohio"))
    while (await recorder.next()).values != (("Ohio", 1.0),):
        pass
    await wait_until(lambda: "can be read again" in caplog.text)
    assert caplog.text.count("can't be read") == caplog.text.count("can be read again") == 1


async def test_no_more_than_the_maximum_of_subscribers_are_accepted(the_hub, settings):
    settings.LIVE_MAX_SUBSCRIBERS = 1
    the_hub.subscribe(Recorder(), [STATES])
    with pytest.raises(TooManySubscribersError):
        the_hub.subscribe(Recorder(), [STATES])


def test_the_open_files_limit_is_raised_and_limits_the_subscribers():
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, int(sys.argv[1])))\n"
        "from django.conf import settings\n"
        "settings.configure()\n"
        "from live import capacity\n"
        "capacity.raise_open_files_limit()\n"
        "print(capacity.max_subscribers(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    for limit, room in ((300, 190), (12_000, 10_000)):
        found = subprocess.run(
            [sys.executable, "-c", program, str(limit)], capture_output=True, text=True, check=True
        )
        assert found.stdout.split() == [str(room), str(limit), str(limit)]
        assert ("open files: at most 300" in found.stderr) == (limit == 300)


@pytest.fixture
def sessions(monkeypatch) -> list[int]:
    """Collect the process IDs of the feed's database sessions, in their order."""
    pids: list[int] = []
    start = ChangeListener.start

    def noting(self: ChangeListener) -> bool:
        announces = start(self)
        pids.append(self.connection.connection.info.backend_pid)
        return announces

    monkeypatch.setattr(ChangeListener, "start", noting)
    return pids
