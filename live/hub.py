"""Keeps the newest snapshot of each ranking and hands new ones to its subscribers.

There is one hub per event loop, so one per process: `get_hub()`. All of it runs on that loop; the feed is a
thread and calls it with call_soon_threadsafe.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from live.alerts import telling
from live.capacity import max_subscribers
from live.clock import Clock
from live.conf import TICK_SECONDS, live_settings
from live.counts import Counts
from live.feed_keeper import FeedKeeper
from live.history import clock as history_clock
from live.hub_state import Health
from live.hub_state import Ping as Ping  # noqa: PLC0414 - exported
from live.logs.repeated_lines import RepeatedLines
from live.loops import PerLoop
from live.rankings import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from live.faults import Fault
    from live.feed import Feed
    from live.history.sparklines import Sparklines
    from live.rankings import Ranking
    from live.snapshots import Comparison, Snapshot
    from live.thresholds import Alert

logger = logging.getLogger(__name__)


class NoDataError(Exception):
    """No ranking that was asked for has been read yet, and the database can't be read now."""


class TooManySubscribersError(Exception):
    """The process has as many subscribers as it may have."""


class ShuttingDownError(Exception):
    """The process is shutting down."""


class Subscriber(Protocol):
    """Gets snapshots and pings, on the event loop. It must not block; one that raises is unsubscribed."""

    def deliver(self, message: Snapshot | Ping) -> None:
        """Take a new snapshot or a ping."""

    def on_shutdown(self) -> None:
        """Send the client away: the process is shutting down."""


class Hub:
    """The newest snapshot of each ranking, and each ranking's subscribers."""

    def __init__(self) -> None:
        #: All by Ranking.id; `checked_at` is the time of the last successful read.
        self.snapshots: dict[str, Snapshot] = {}
        self.checked_at: dict[str, datetime] = {}
        self._comparisons: dict[str, Comparison] = {}
        self._alerts: dict[str, tuple[Alert, ...]] = {}
        #: The small charts of the rows.
        self.sparklines: dict[str, Sparklines] = {}
        #: What is wrong with rankings that can't be read while others can.
        self.faults: dict[str, Fault] = {}
        #: What the subscribers have been sent; they count it.
        self.counts = Counts()
        #: The slugs that each subscriber watches.
        self._subscribers: dict[Subscriber, frozenset[str]] = {}
        #: The subscribers by Ranking.id. Dictionaries keep the order, so that nobody is always served last.
        self._subscribers_of: defaultdict[str, dict[Subscriber, None]] = defaultdict(dict)
        self._keeper = FeedKeeper(self, self.snapshots)
        self._clock = Clock(self._on_tick)
        self._failed_subscribers = RepeatedLines(logger, logging.ERROR)
        #: Whether the last attempt to read failed, so that requests don't wait for the next one.
        self._is_failing = False
        #: The slugs that haven't been read again since a request asked for it.
        self._awaited: set[str] = set()
        #: Done at the next news from the feed; None while no request waits.
        self._news: asyncio.Future[None] | None = None
        #: Times of the event loop's clock.
        self._last_used_at = 0.0
        self._last_ping_at = 0.0
        self._told_faults_at = -math.inf
        self._is_shutting_down = False
        loop = asyncio.get_running_loop()
        history_clock.follow(_on_loop(loop, self.on_history))
        telling.follow(_on_loop(loop, self.on_alerts))

    @property
    def _feed(self) -> Feed | None:
        return self._keeper.feed

    async def current(self, rankings: Sequence[Ranking]) -> list[Snapshot]:
        """Return these rankings' snapshots, no older than POLL_SECONDS if the database can be read.

        Where the database announces changes, the snapshots are up to date and nothing is read. Otherwise all
        requests that wait share one read. While the database is lost, the last snapshots are returned without
        a wait, and so is that of a ranking that can't be read quickly. Rankings that have never been read are
        left out. Raises NoDataError if these are all, and none has a fault, which would be the reason.
        """
        self._keep_feed_running()
        slugs = frozenset(ranking.id for ranking in rankings)
        if not self._is_failing:
            await self._wait_for_read(slugs)
        if not self._is_known(slugs):
            raise NoDataError
        return [self.snapshots[ranking.id] for ranking in rankings if ranking.id in self.snapshots]

    def oldest_check(self, rankings: Sequence[Ranking]) -> datetime | None:
        """Return when the least recently read of these rankings was read, None if none was."""
        slugs = (ranking.id for ranking in rankings)
        return min((self.checked_at[slug] for slug in slugs if slug in self.checked_at), default=None)

    def subscribe(self, subscriber: Subscriber, rankings: Sequence[Ranking]) -> None:
        """Deliver each new snapshot of these rankings, and each ping, to `subscriber` until it unsubscribes.

        Raises TooManySubscribersError, ShuttingDownError.
        """
        if self._is_shutting_down:
            raise ShuttingDownError
        if len(self._subscribers) >= max_subscribers():
            raise TooManySubscribersError
        self._subscribers[subscriber] = frozenset(ranking.id for ranking in rankings)
        for ranking in rankings:
            self._subscribers_of[ranking.id][subscriber] = None
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

    def health(self) -> Health:
        """Return how the hub and its feed are. May be called from any thread."""
        ticked_at = self._clock.ticked_at
        kinds = Counter("json" if getattr(one, "json", False) else "html" for one in list(self._subscribers))
        return Health(
            feed=self._keeper.state,
            feed_since=self._keeper.since,
            is_ending=self._is_shutting_down,
            tick_age_seconds=None if ticked_at is None else time.monotonic() - ticked_at,
            checked_at=dict(self.checked_at),
            faults=dict(self.faults),
            subscribers={"html": kinds["html"], "json": kinds["json"]},
            frames=self.counts.frames,
            bytes=self.counts.bytes,
            coalesced=self.counts.coalesced,
        )

    # From the feed ---------------------------------------------------------------------------------------

    def on_read(self, changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
        """Keep and deliver what the feed has read."""
        self._clock.ensure()
        self._is_failing = False
        self.checked_at.update(read_at)
        self._awaited -= read_at.keys()
        if self._feed is not None:
            self._awaited -= self._feed.apart
        for snapshot in changed:
            id_ = snapshot.ranking.id
            comparison, alerts = self._comparisons.get(id_), self._alerts.get(id_, ())
            self._deliver(replace(snapshot, comparison=comparison, alerts=alerts, rendered={}))
        self._tell_requests()

    def on_history(self, comparisons: Mapping[str, Comparison], sparklines: Mapping[str, Sparklines]) -> None:
        """Tell movement from these comparisons from now on, and keep the sparklines, by Ranking.id."""
        self._comparisons = dict(comparisons)
        self.sparklines = dict(sparklines)
        for id_, snapshot in list(self.snapshots.items()):
            comparison = comparisons.get(id_)
            before = snapshot.comparison
            if (comparison and comparison.at) != (before and before.at):
                self._deliver(replace(snapshot, comparison=comparison, rendered={}))

    def on_alerts(self, alerts: Mapping[str, tuple[Alert, ...]]) -> None:
        """Show from now on that these thresholds are crossed, by Ranking.id, and no others."""
        self._alerts = dict(alerts)
        for id_, snapshot in list(self.snapshots.items()):
            if snapshot.alerts != (known := alerts.get(id_, ())):
                self._deliver(replace(snapshot, alerts=known, rendered={}))

    def _deliver(self, snapshot: Snapshot) -> None:
        self.snapshots[snapshot.ranking.id] = snapshot
        self._hand_out(snapshot, self._subscribers_of[snapshot.ranking.id])

    def on_fault(self, slug: str, fault: Fault | None) -> None:
        """Keep what is wrong with a ranking; tell all subscribers when that begins or ends."""
        if self.faults.get(slug) == fault:
            return
        if fault is None:
            del self.faults[slug]
        else:
            self.faults[slug] = fault
            self._awaited.discard(slug)
        self._tell_requests()
        now = asyncio.get_running_loop().time()
        if now - self._told_faults_at >= TICK_SECONDS:
            self._told_faults_at = now
            self._hand_out(self.ping(), self._subscribers)
        else:
            # Faults that come and go send no more pings than one a second: the clock sends the next.
            self._last_ping_at = -math.inf

    def on_failure(self) -> None:
        """Let no request wait for a read."""
        self._is_failing = True
        self._awaited.clear()
        self._tell_requests()

    # Requests --------------------------------------------------------------------------------------------

    def _is_known(self, slugs: frozenset[str]) -> bool:
        """Return whether there is something to say of any of these rankings."""
        return any(slug in self.snapshots or slug in self.faults for slug in slugs)

    def _is_fresh(self, slug: str) -> bool:
        """Return whether a request for this ranking needs no read, or can't wait for one."""
        if self._feed is not None and slug in self._feed.apart:
            return True
        if self._feed is not None and slug in self._feed.up_to_date and slug in self.snapshots:
            return True
        checked_at = self.checked_at.get(slug)
        return checked_at is not None and _age_seconds(checked_at) <= live_settings.POLL_SECONDS

    async def _wait_for_read(self, slugs: frozenset[str]) -> None:
        """Wait until these rankings have been read again, if that is needed and possible."""
        if not self._awaited.issuperset(slug for slug in slugs if not self._is_fresh(slug)):
            apart = self._feed.apart if self._feed is not None else frozenset()
            self._awaited = set(RANKINGS) - apart
            if self._feed is not None:
                self._feed.request_read()
        loop = asyncio.get_running_loop()
        until = loop.time() + live_settings.REQUEST_WAIT_SECONDS
        while not self._is_failing and (self._awaited & slugs or not self._is_known(slugs)):
            if self._news is None:
                self._news = loop.create_future()
            # Not wait_for, which would cancel the future that other requests wait for.
            done, _ = await asyncio.wait([self._news], timeout=until - loop.time())
            if not done:
                self._is_failing = True

    def _tell_requests(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
        self._news = None

    # The feed and the clock ------------------------------------------------------------------------------

    def _keep_feed_running(self) -> None:
        """Start the feed if it isn't running, and keep it running for at least IDLE_SECONDS more."""
        self._last_used_at = asyncio.get_running_loop().time()
        self._clock.ensure()
        if self._keeper.feed is None:
            self._is_failing = False
        self._keeper.ensure()

    def _on_tick(self) -> None:
        """Send pings while the feed runs, and stop it when nobody has used the hub for IDLE_SECONDS."""
        now = asyncio.get_running_loop().time()
        self._keeper.cut_overdue()
        if self._subscribers or now - self._last_used_at <= live_settings.IDLE_SECONDS:
            self._keeper.ensure()
        else:
            self._keeper.stop()
            self.faults.clear()
            self._clock.stop()
            return
        if now - self._last_ping_at >= live_settings.PING_SECONDS:
            self._last_ping_at = now
            self._hand_out(self.ping(), self._subscribers)

    def _hand_out(self, message: Snapshot | Ping, subscribers: Iterable[Subscriber]) -> None:
        for subscriber in list(subscribers):
            try:
                subscriber.deliver(message)
            except Exception as error:  # noqa: BLE001 - the others must get the message all the same
                self._failed_subscribers.log(
                    type(error).__name__,
                    f"subscriber {subscriber}: failed and is unsubscribed",
                    error=error,
                )
                self.unsubscribe(subscriber)


def _on_loop(loop: asyncio.AbstractEventLoop, follower: Callable[..., None]) -> Callable[..., None]:
    """Return a function that calls the follower on the loop, and raises RuntimeError once that is closed."""

    def tell(*told: object) -> None:
        loop.call_soon_threadsafe(follower, *told)

    return tell


get_hub = PerLoop(Hub)


def is_stale(checked_at: datetime) -> bool:
    """Return whether rows that were last read at `checked_at` are stale."""
    return _age_seconds(checked_at) > live_settings.STALE_SECONDS


def _age_seconds(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def last_snapshot(ranking: Ranking) -> tuple[Snapshot, datetime] | None:
    """Return this process's newest snapshot and when it was read, or None. May be called from any thread."""
    slug = ranking.id
    known = [
        (hub.checked_at[slug], hub.snapshots[slug]) for _, hub in get_hub.items() if slug in hub.snapshots
    ]
    if not known:
        return None
    checked_at, snapshot = max(known, key=lambda pair: pair[0])
    return snapshot, checked_at
