from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from django_risingwave.streaming.notifications import Notifications
from live import feed, hub, outages
from live.feed import Feed
from live.feeding.ranking_reads import RankingReads
from live.logs.request_context import end_request
from live.rankings import RANKINGS
from live.users import notices
from live.users.notices import NoticeListener
from tests.django_risingwave.conftest import (  # noqa: F401 - fixtures of an empty database
    connection,
    disguise,
    double,
    each_server,
    risingwave,
    scratch,
    standin,
)
from tests.live.declaring import declarer, sales, user_rankings  # noqa: F401 - fixtures
from tests.live.hubs import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(autouse=True)
def stopped_threads() -> Iterator[None]:
    """Stop the threads that a test's event loop has started, and forget its hub.

    A feed runs on until it calls back on the closed loop, and would query the database when no test may.
    """
    yield
    hub.get_hub.clear()
    for thread in threading.enumerate():
        if isinstance(thread, Feed | NoticeListener):
            thread.stop()
            thread.join(60)
            assert not thread.is_alive()
    for thread in threading.enumerate():
        if thread.name.startswith("ranking-"):
            thread.join(60)
            assert not thread.is_alive()
    # Those of the feed that is gone: nobody else ends them.
    for outage in outages.current():
        outage.give_up()


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    """End the request that a test has begun in this thread.

    Otherwise the queries of later tests would have the deadlines of requests, and a slow DROP DATABASE after
    the last one would be cut.
    """
    yield
    end_request()


@pytest.fixture
def patience(settings) -> None:
    """Let requests wait until a busy machine has read what they ask for."""
    settings.LIVE_REQUEST_WAIT_SECONDS = 30


@pytest.fixture
def one_session(settings, monkeypatch) -> None:
    """Let the feed's session read all rankings, however long a busy machine takes for a read."""
    settings.LIVE_QUERY_TIMEOUT_SECONDS = 30
    monkeypatch.setattr(feed, "SHARED_READ_SECONDS", 30)


@pytest.fixture
async def the_hub(orders, patience) -> AsyncIterator[hub.Hub]:
    the_hub = hub.get_hub()
    yield the_hub
    the_hub._clock.stop()
    if the_hub._feed is not None:
        the_hub._feed.stop()
        await asyncio.to_thread(the_hub._feed.join, 60)


@pytest.fixture
def insert(orders):
    return in_thread(orders)


@pytest.fixture
def reads(monkeypatch, one_session) -> dict[str, int]:
    """Count how often each ranking is read."""
    counts: dict[str, int] = defaultdict(int, dict.fromkeys(RANKINGS, 0))
    read = RankingReads.read

    def counting(self, source):
        counts[source.ranking.id] += 1
        read(self, source)

    monkeypatch.setattr(RankingReads, "read", counting)
    return counts


@pytest.fixture
def listening(monkeypatch) -> SimpleQueue[int]:
    """The sessions, by process ID, that have begun to listen to notices of other processes."""
    pids: SimpleQueue[int] = SimpleQueue()

    class Noting(Notifications):
        def __init__(self, wrapper: Any, *channels: str) -> None:
            super().__init__(wrapper, *channels)
            pids.put(wrapper.connection.info.backend_pid)

    monkeypatch.setattr(notices, "Notifications", Noting)
    return pids
