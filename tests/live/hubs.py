"""A subscriber that records what it gets, and other help for tests of the hub."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from live.feed import Feed
from live.hub_state import Ping
from live.outages import Outage
from live.rankings import RANKINGS
from live.snapshots import Snapshot
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from datetime import datetime

    from live.faults import Fault
    from live.history.sparklines import Sparklines
    from live.rankings import Ranking
    from live.snapshots import Values
    from live.subscribers import Message

Answer = TypeVar("Answer")
STATES = RANKINGS["states-by-turnover"]
ITEMS = RANKINGS["products-by-quantity"]
ALL = list(RANKINGS.values())


class Recorder:
    """A subscriber that keeps what it gets."""

    def __init__(self) -> None:
        self.snapshots: asyncio.Queue[Snapshot] = asyncio.Queue()
        self.pings: asyncio.Queue[Ping] = asyncio.Queue()
        self.sparklines: asyncio.Queue[Sparklines] = asyncio.Queue()
        self.is_sent_away = False

    def on_shutdown(self) -> None:
        self.is_sent_away = True

    def on_deleted(self, slug: str) -> None:
        self.is_sent_away = True

    def deliver(self, message: Message) -> None:
        if isinstance(message, Snapshot):
            self.snapshots.put_nowait(message)
        elif isinstance(message, Ping):
            self.pings.put_nowait(message)
        else:
            self.sparklines.put_nowait(message)

    async def next(self) -> Snapshot:
        return await asyncio.wait_for(self.snapshots.get(), DEADLINE_SECONDS)

    async def next_with(self, values: Values) -> Snapshot:
        """Return the next snapshot with these values. Earlier ones may have others, or older totals."""
        while (snapshot := await self.next()).values != values:
            pass
        return snapshot


def feed_of(
    rankings: Collection[Ranking], on_read: Callable[[list[Snapshot], dict[str, datetime]], None]
) -> Feed:
    """Return a feed, not started yet, that calls a function after each read."""

    class Reader:
        def on_read(self, changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
            on_read(changed, read_at)

        def on_fault(self, slug: str, fault: Fault | None) -> None: ...

        def on_failure(self) -> None: ...

    outages = {ranking.id: Outage(f"ranking {ranking.id}", "be read", 2) for ranking in rankings}
    return Feed(rankings, {}, Reader(), Outage("rankings", "be read", 2), outages)


def in_thread(function: Callable[..., Answer]) -> Callable[..., Awaitable[Answer]]:
    """Make a function awaitable: it runs in a thread, where it may block, and its connections are closed."""

    def run(*args: object) -> Answer:
        try:
            return function(*args)
        finally:
            connections.close_all()

    return sync_to_async(run)


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait until `condition` is true, while the event loop runs."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - nothing sets an event for these
            await asyncio.sleep(0.01)
