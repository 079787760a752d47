"""The feed and the hub's clock go on, or are replaced, whatever happens to them."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
import threading

import pytest
from django.test import RequestFactory

from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.selectable_event import SelectableEvent
from live import clock, feed, feed_keeper, hub
from live.conf import CLOCK_LATE_SECONDS
from live.counts import Counts
from live.feeding.sources import Source
from live.logs.request_context import begin_request, request_id
from tests.conftest import BOTH
from tests.live.hubs import STATES, Recorder, wait_until

pytestmark = BOTH


@pytest.fixture(autouse=True)
def quick_clock(monkeypatch, caplog, settings) -> None:
    caplog.set_level("INFO", logger="live.outages")
    monkeypatch.setattr(clock, "TICK_SECONDS", 0.02)
    settings.LIVE_PING_SECONDS = 0.01


async def watched(the_hub: hub.Hub) -> Recorder:
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    return recorder


async def next_with(recorder: Recorder, state: str) -> None:
    while state not in dict((await recorder.next()).values):
        pass


@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, "Too many open files"), RuntimeError("broken"), MemoryError()]
)
async def test_the_feed_survives_any_exception(the_hub, insert, monkeypatch, caplog, error):
    recorder = await watched(the_hub)
    thread, wait, left = the_hub._feed, ChangeListener.wait, [2]

    def failing(self, *args):
        if left[0]:
            left[0] -= 1
            raise error
        return wait(self, *args)

    monkeypatch.setattr(ChangeListener, "wait", failing)
    the_hub._feed.request_read()
    await wait_until(lambda: "rankings: can be read again" in caplog.text)
    await insert((1, 1, 1.0, "Utah"))
    await next_with(recorder, "Utah")
    assert the_hub._feed is thread
    assert caplog.text.count("rankings: can't be read") == 1
    # A lost database or file descriptor needs no traceback, a mistake has one.
    assert caplog.text.count("Traceback") == (0 if isinstance(error, OSError) else 1)


async def test_the_clock_ticks_without_the_id_of_the_request_that_started_it():
    ids: asyncio.Queue[str | None] = asyncio.Queue()
    ticking = clock.Clock(lambda: ids.put_nowait(request_id()))
    begin_request(RequestFactory().get("/"))
    assert request_id()
    ticking.ensure()
    assert [await ids.get(), await ids.get()] == [None, None]
    ticking.stop()


async def test_the_clock_survives_any_exception(the_hub, monkeypatch, caplog):
    recorder = await watched(the_hub)
    ping, left = hub.Hub.ping, [3]

    def failing(self):
        if left[0]:
            left[0] -= 1
            raise RuntimeError("broken")
        return ping(self)

    monkeypatch.setattr(hub.Hub, "ping", failing)
    await wait_until(lambda: "clock: can tick again" in caplog.text)
    while not recorder.pings.empty():
        recorder.pings.get_nowait()
    await asyncio.wait_for(recorder.pings.get(), 60)
    assert caplog.text.count("clock: can't tick (broken)") == 1
    assert caplog.text.count("Traceback") == 1


async def test_a_clock_that_has_stopped_is_started_by_the_next_request(the_hub):
    recorder = await watched(the_hub)
    the_hub._clock._next.cancel()
    the_hub._clock.ticked_at -= CLOCK_LATE_SECONDS + 1
    assert the_hub.health()["tick_age_seconds"] > CLOCK_LATE_SECONDS
    while not recorder.pings.empty():
        recorder.pings.get_nowait()
    await the_hub.current([STATES])
    await asyncio.wait_for(recorder.pings.get(), 60)
    assert the_hub.health()["tick_age_seconds"] < CLOCK_LATE_SECONDS


async def test_a_clock_that_has_stopped_is_started_by_the_next_read(the_hub, insert):
    recorder = await watched(the_hub)
    the_hub._clock._next.cancel()
    the_hub._clock.ticked_at -= CLOCK_LATE_SECONDS + 1
    while not recorder.pings.empty():
        recorder.pings.get_nowait()
    await insert((1, 1, 1.0, "Utah"))
    await asyncio.wait_for(recorder.pings.get(), 60)


async def test_a_feed_that_hangs_is_replaced_a_bounded_number_of_times(
    the_hub, insert, monkeypatch, caplog, settings
):
    recorder = await watched(the_hub)
    monkeypatch.setattr(feed, "HANG_SLACK_SECONDS", 0.0)
    monkeypatch.setattr(feed, "ABANDON_SECONDS", 0.5)
    monkeypatch.setattr(feed_keeper, "MAX_HUNG_FEEDS", 2)
    settings.LIVE_QUERY_TIMEOUT_SECONDS = 0.5
    rows, over = Source.rows, threading.Event()
    hung: set[threading.Thread] = set()

    def hanging(self):
        if threading.current_thread().name == "rankings-feed" and len(hung) < most:
            hung.add(threading.current_thread())
            over.wait(60)
        return rows(self)

    most = 1
    monkeypatch.setattr(Source, "rows", hanging)
    try:
        the_hub._feed.request_read()
        await wait_until(lambda: hung and the_hub._feed not in hung)
        await insert((1, 1, 1.0, "Utah"))
        await next_with(recorder, "Utah")
        assert "feed: can't run (its thread hangs and is replaced)" in caplog.text
        most = 9
        the_hub._feed.request_read()
        await wait_until(lambda: len(hung) == 3)
        await wait_until(lambda: the_hub.health()["feed"] == "hung")
        started = the_hub._feed
        await wait_until(lambda: the_hub._keeper._feed_outage.failures >= 3)
        assert the_hub._feed is started
    finally:
        over.set()
    await insert((1, 1, 1.0, "Guam"))
    await next_with(recorder, "Guam")


async def test_a_feed_that_can_not_be_started_is_logged_and_started_later(the_hub, monkeypatch, caplog):
    def failing():
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(feed, "SelectableEvent", failing)
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await wait_until(lambda: the_hub._keeper._feed_outage.failures >= 3)
    assert the_hub.health()["feed"] == "dead"
    monkeypatch.setattr(feed, "SelectableEvent", SelectableEvent)
    await recorder.next()
    assert the_hub.health()["feed"] == "running"
    assert caplog.text.count("feed: can't run ([Errno 24] Too many open files)") == 1


async def test_a_feed_without_a_thread_leaves_no_files_open(the_hub, monkeypatch):
    def failing(thread):
        raise RuntimeError("can't start new thread")

    events = []

    def event():
        events.append(SelectableEvent())
        return events[-1]

    monkeypatch.setattr(feed, "SelectableEvent", event)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", failing)
        the_hub._keeper.watch([STATES])
        the_hub._keeper.ensure()
    assert [event.fileno() for event in events] == [-1]


def test_an_event_can_be_waited_for_when_no_file_descriptor_is_left():
    program = (
        "import os, resource\n"
        "from django_risingwave.streaming.selectable_event import SelectableEvent\n"
        "event = SelectableEvent()\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (event.fileno() + 2, event.fileno() + 2))\n"
        "event.set()\n"
        "print(event.wait(60))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "True\n"


async def test_the_health_of_a_hub_tells_what_operators_ask(the_hub, settings):
    settings.LIVE_IDLE_SECONDS = 0.0
    assert the_hub.health()["feed"] == "idle"
    assert the_hub.health()["tick_age_seconds"] is None
    recorder = await watched(the_hub)
    await wait_until(lambda: set(the_hub.health()["checked_at"]) == {STATES.slug})
    health = the_hub.health()
    assert (health["feed"], health["faults"], health["is_ending"]) == ("running", {}, False)
    assert health["subscribers"] == {"html": 1, "json": 0}
    the_hub.unsubscribe(recorder)
    await wait_until(lambda: the_hub.health()["feed"] == "idle")
    await the_hub.shut_down()
    assert the_hub.health()["is_ending"]


def test_a_text_that_goes_to_many_is_measured_in_bytes_and_counted_for_each():
    counts, text = Counts(), "–" * 3
    for _ in range(5):
        counts.add(text)
    counts.add("a")
    assert (counts.frames, counts.bytes) == (6, 5 * 9 + 1)
