"""Keeps the newest snapshot of each ranking and hands new ones to its subscribers.

There is one hub per event loop, so one per process: `get_hub()`. All of it runs on that loop; the feed is a
thread and calls it with call_soon_threadsafe.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from live.capacity import max_subscribers
from live.conf import MAX_FEED_RETRY_SECONDS, TICK_SECONDS, live_settings
from live.feed import Feed
from live.loops import PerLoop
from live.outages import Outage
from live.rankings import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from live.faults import Fault
    from live.rankings import Ranking
    from live.snapshots import Snapshot

logger = logging.getLogger(__name__)


class NoDataError(Exception):
    """No ranking that was asked for has been read yet, and the database can't be read now."""


class TooManySubscribersError(Exception):
    """The process has as many subscribers as it may have."""


class ShuttingDownError(Exception):
    """The process is shutting down."""


@dataclass(frozen=True, eq=False)
class Ping:
    """The time, when each ranking was last read, and what is wrong with those that can't be.

    Sent every PING_SECONDS, and at once when a fault begins or ends.
    """

    now: datetime
    checked_at: dict[str, datetime]
    faults: dict[str, Fault]
    rendered: dict[str, str] = field(default_factory=dict, repr=False)


class Subscriber(Protocol):
    """Gets snapshots and pings, on the event loop. It must not block; one that raises is unsubscribed."""

    def deliver(self, message: Snapshot | Ping) -> None:
        """Take a new snapshot or a ping."""

    def on_shutdown(self) -> None:
        """Send the client away: the process is shutting down."""


class Hub:
    """The newest snapshot of each ranking, and each ranking's subscribers."""

    def __init__(self) -> None:
        #: All by slug; `checked_at` is the time of the last successful read.
        self.snapshots: dict[str, Snapshot] = {}
        self.checked_at: dict[str, datetime] = {}
        #: What is wrong with rankings that can't be read while others can.
        self.faults: dict[str, Fault] = {}
        #: The slugs that each subscriber watches.
        self._subscribers: dict[Subscriber, frozenset[str]] = {}
        #: The subscribers by slug. Dictionaries keep the order, so that nobody is always served last.
        self._subscribers_of: defaultdict[str, dict[Subscriber, None]] = defaultdict(dict)
        self._feed: Feed | None = None
        self._outage = Outage("rankings", "be read", MAX_FEED_RETRY_SECONDS)
        #: Whether the last attempt to read failed, so that requests don't wait for the next one.
        self._is_failing = False
        #: Done when all rankings have been read again, or can't be read; None while no request waits.
        self._next_read: asyncio.Future[None] | None = None
        #: The slugs that haven't been read since then.
        self._awaited: set[str] = set()
        #: Times of the event loop's clock.
        self._last_used_at = 0.0
        self._last_ping_at = 0.0
        self._is_shutting_down = False

    async def current(self, rankings: Sequence[Ranking]) -> list[Snapshot]:
        """Return these rankings' snapshots, no older than POLL_SECONDS if the database can be read.

        Where the database announces changes, the snapshots are up to date and nothing is read. Otherwise all
        requests that wait share one read. While the database is lost, the last snapshots are returned without
        a wait. Rankings that have never been read are left out. Raises NoDataError if these are all, and
        none has a fault, which would be the reason.
        """
        self._keep_feed_running()
        if not (self._is_failing or all(self._is_fresh(ranking.slug) for ranking in rankings)):
            await self._wait_for_read()
        slugs = [ranking.slug for ranking in rankings]
        snapshots = [self.snapshots[slug] for slug in slugs if slug in self.snapshots]
        if not snapshots and not any(slug in self.faults for slug in slugs):
            raise NoDataError
        return snapshots

    def oldest_check(self, rankings: Sequence[Ranking]) -> datetime | None:
        """Return when the least recently read of these rankings was read, None if none was."""
        slugs = (ranking.slug for ranking in rankings)
        return min((self.checked_at[slug] for slug in slugs if slug in self.checked_at), default=None)

    def subscribe(self, subscriber: Subscriber, rankings: Sequence[Ranking]) -> None:
        """Deliver each new snapshot of these rankings, and each ping, to `subscriber` until it unsubscribes.

        Raises TooManySubscribersError, ShuttingDownError.
        """
        if self._is_shutting_down:
            raise ShuttingDownError
        if len(self._subscribers) >= max_subscribers():
            raise TooManySubscribersError
        self._subscribers[subscriber] = frozenset(ranking.slug for ranking in rankings)
        for ranking in rankings:
            self._subscribers_of[ranking.slug][subscriber] = None
        self._keep_feed_running()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Deliver nothing to `subscriber` any more. Does nothing if it isn't subscribed."""
        slugs = self._subscribers.pop(subscriber, None)
        if slugs is not None:
            for slug in slugs:
                del self._subscribers_of[slug][subscriber]
            self._last_used_at = asyncio.get_running_loop().time()

    async def shut_down(self) -> None:
        """Send all subscribers away and accept no more."""
        self._is_shutting_down = True
        for subscriber in list(self._subscribers):
            subscriber.on_shutdown()

    def ping(self) -> Ping:
        """Return a ping with the current time and state."""
        return Ping(datetime.now(UTC), dict(self.checked_at), dict(self.faults))

    def _is_fresh(self, slug: str) -> bool:
        if self._feed is not None and slug in self._feed.up_to_date and slug in self.snapshots:
            return True
        checked_at = self.checked_at.get(slug)
        return checked_at is not None and _age_seconds(checked_at) <= live_settings.POLL_SECONDS

    async def _wait_for_read(self) -> None:
        if self._next_read is None:
            self._next_read = asyncio.get_running_loop().create_future()
            self._awaited = set(RANKINGS)
            if self._feed is not None:
                self._feed.request_read()
        # Not wait_for, which would cancel the read that other requests wait for.
        done, _ = await asyncio.wait([self._next_read], timeout=live_settings.REQUEST_WAIT_SECONDS)
        if not done:
            self._is_failing = True

    def _keep_feed_running(self) -> None:
        """Start the feed if it isn't running, and keep it running for at least IDLE_SECONDS more."""
        loop = asyncio.get_running_loop()
        self._last_used_at = loop.time()
        if self._feed is None:
            loop.call_later(TICK_SECONDS, self._tick)
        self._ensure_feed()

    def _ensure_feed(self) -> None:
        if self._feed is not None and self._feed.is_alive():
            return
        loop = asyncio.get_running_loop()

        def call(callback: Callable[..., None], *args: object) -> None:
            try:
                loop.call_soon_threadsafe(callback, *args)
            except RuntimeError:
                feed.stop()  # The loop is closed.

        feed = Feed(
            RANKINGS.values(),
            self.snapshots,
            partial(call, self._on_read),
            partial(call, self._on_failure),
            self._outage,
        )
        feed.start()
        self._feed, self._is_failing = feed, False

    def _tick(self) -> None:
        """Send pings while the feed runs, and stop it when nobody has used the hub for IDLE_SECONDS."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._subscribers:
            # A feed that has ended with an unexpected exception is replaced.
            self._ensure_feed()
        elif now - self._last_used_at > live_settings.IDLE_SECONDS:
            if self._feed is not None:
                self._feed.stop()
            self._feed = None
            return
        if now - self._last_ping_at >= live_settings.PING_SECONDS:
            self._last_ping_at = now
            self._hand_out(self.ping(), self._subscribers)
        loop.call_later(TICK_SECONDS, self._tick)

    def _on_read(self, changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
        self._is_failing = False
        self.checked_at.update(read_at)
        for snapshot in changed:
            slug = snapshot.ranking.slug
            self.snapshots[slug] = snapshot
            self._hand_out(snapshot, self._subscribers_of[slug])
        self._awaited -= read_at.keys()
        if not self._awaited:
            self._end_wait_for_read()

    def _on_failure(self) -> None:
        self._is_failing = True
        self._end_wait_for_read()

    def _end_wait_for_read(self) -> None:
        if self._next_read is not None and not self._next_read.done():
            self._next_read.set_result(None)
        self._next_read = None

    def _hand_out(self, message: Snapshot | Ping, subscribers: Iterable[Subscriber]) -> None:
        for subscriber in list(subscribers):
            try:
                subscriber.deliver(message)
            except Exception:
                # The others must get the message all the same.
                logger.exception("subscriber %s: failed and is unsubscribed", subscriber)
                self.unsubscribe(subscriber)


get_hub = PerLoop(Hub)


def is_stale(checked_at: datetime) -> bool:
    """Return whether rows that were last read at `checked_at` are stale."""
    return _age_seconds(checked_at) > live_settings.STALE_SECONDS


def _age_seconds(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def last_snapshot(ranking: Ranking) -> tuple[Snapshot, datetime] | None:
    """Return this process's newest snapshot and when it was read, or None. May be called from any thread."""
    slug = ranking.slug
    known = [
        (hub.checked_at[slug], hub.snapshots[slug]) for _, hub in get_hub.items() if slug in hub.snapshots
    ]
    if not known:
        return None
    checked_at, snapshot = max(known, key=lambda pair: pair[0])
    return snapshot, checked_at
