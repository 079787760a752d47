"""Keeps the newest snapshot of each ranking and hands new ones to its subscribers.

There is one hub per event loop, so one per process: `get_hub()`. All of it runs on that loop; the feed is a
thread and calls it with call_soon_threadsafe.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from live.alerts import telling
from live.annotations import Annotations
from live.capacity import max_subscribers
from live.clock import Clock
from live.conf import TICK_SECONDS, live_settings
from live.counts import Counts
from live.declared.registry import get_registry
from live.feed_keeper import FeedKeeper
from live.history import clock as history_clock
from live.hub_state import Health, NoDataError, Ping, ShuttingDownError, TooManySubscribersError, age_seconds
from live.loops import PerLoop, on_loop
from live.news import News
from live.subscribers import Subscribers
from live.watching import Watched

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from live.faults import Fault
    from live.feed import Feed
    from live.history.sparklines import Sparklines
    from live.rankings import Ranking
    from live.snapshots import Comparison, Snapshot
    from live.subscribers import Subscriber
    from live.thresholds import Alert


class Hub:
    """The newest snapshot of each ranking, and each ranking's subscribers."""

    def __init__(self) -> None:
        #: All by Ranking.id; `checked_at` is the time of the last successful read.
        self.snapshots: dict[str, Snapshot] = {}
        self.checked_at: dict[str, datetime] = {}
        self._annotations = Annotations()
        #: The small charts of the rows.
        self.sparklines: dict[str, Sparklines] = {}
        #: What is wrong with rankings that can't be read while others can.
        self.faults: dict[str, Fault] = {}
        #: What the subscribers have been sent; they count it.
        self.counts = Counts()
        self._subscribers = Subscribers()
        self._watched = Watched()
        self._keeper = FeedKeeper(self, self.snapshots)
        self._clock = Clock(self._on_tick)
        #: Whether the last attempt to read failed, so that requests don't wait for the next one.
        self._is_failing = False
        #: The ids of the rankings that haven't been read again since a request asked for it.
        self._awaited: set[str] = set()
        self._news = News()
        #: Times of the event loop's clock.
        self._last_used_at = 0.0
        self._last_ping_at = 0.0
        self._told_faults_at = -math.inf
        self._is_shutting_down = False
        self._registry = get_registry()
        self._registry.on_change = self.on_rankings_changed
        loop = asyncio.get_running_loop()
        history_clock.follow(on_loop(loop, self.on_history))
        telling.follow(on_loop(loop, self.on_alerts))

    @property
    def _feed(self) -> Feed | None:
        return self._keeper.feed

    async def current(self, rankings: Sequence[Ranking]) -> list[Snapshot]:
        """Return these rankings' snapshots, no older than POLL_SECONDS if the database can be read.

        From now on they are watched, until nobody has used them for a minute. Where the database announces
        changes, the snapshots are up to date and nothing is read. Otherwise all requests that wait share one
        read. While the database is lost, the last snapshots are returned without a wait, and so is that of a
        ranking that can't be read quickly. Rankings that have never been read are left out. Raises
        NoDataError if these are all, and none has a fault, which would be the reason.
        """
        self._watch(rankings)
        ids = frozenset(ranking.id for ranking in rankings)
        if not self._is_failing:
            await self._wait_for_read(ids)
        if not self._is_known(ids):
            raise NoDataError
        return [self.snapshots[ranking.id] for ranking in rankings if ranking.id in self.snapshots]

    def oldest_check(self, rankings: Sequence[Ranking]) -> datetime | None:
        """Return when the least recently read of these rankings was read, None if none was."""
        ids = (ranking.id for ranking in rankings)
        return min((self.checked_at[id_] for id_ in ids if id_ in self.checked_at), default=None)

    def subscribe(self, subscriber: Subscriber, rankings: Sequence[Ranking]) -> None:
        """Deliver each new snapshot of these rankings, and each ping, to `subscriber` until it unsubscribes.

        Raises TooManySubscribersError, ShuttingDownError.
        """
        if self._is_shutting_down:
            raise ShuttingDownError
        if len(self._subscribers) >= max_subscribers():
            raise TooManySubscribersError
        self._subscribers.add(subscriber, rankings)
        self._watch(rankings)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Deliver nothing to `subscriber` any more. Does nothing if it isn't subscribed."""
        if self._subscribers.remove(subscriber):
            self._last_used_at = asyncio.get_running_loop().time()

    async def shut_down(self) -> None:
        """Send all subscribers away and accept no more."""
        self._is_shutting_down = True
        for subscriber in self._subscribers:
            subscriber.on_shutdown()

    def ping(self) -> Ping:
        """Return a ping with the current time and state."""
        checked_at = self._checks_of_watched()
        return Ping(datetime.now(UTC), checked_at, dict(self.faults), self._keeper.intervals)

    def _checks_of_watched(self) -> dict[str, datetime]:
        ids = [ranking.id for ranking in self._watched]
        return {id_: self.checked_at[id_] for id_ in ids if id_ in self.checked_at}

    def health(self) -> Health:
        """Return how the hub and its feed are. May be called from any thread."""
        ticked_at = self._clock.ticked_at
        formats = self._subscribers.formats
        return Health(
            feed=self._keeper.state,
            feed_since=self._keeper.since,
            is_ending=self._is_shutting_down,
            tick_age_seconds=None if ticked_at is None else time.monotonic() - ticked_at,
            checked_at=self._checks_of_watched(),
            faults=dict(self.faults),
            intervals=self._keeper.intervals,
            subscribers={"html": formats["html"], "json": formats["json"]},
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
            self._deliver(self._annotations.annotated(snapshot))
        self._news.tell()

    def _deliver(self, snapshot: Snapshot) -> None:
        id_ = snapshot.ranking.id
        self.snapshots[id_] = snapshot
        self._subscribers.hand_out(snapshot, self._subscribers.of(id_))

    def on_fault(self, id_: str, fault: Fault | None) -> None:
        """Keep what is wrong with a ranking; tell all subscribers when that begins or ends."""
        if self.faults.get(id_) == fault or (fault is not None and id_ not in self._watched):
            return
        if fault is None:
            del self.faults[id_]
        else:
            self.faults[id_] = fault
            self._awaited.discard(id_)
        self._news.tell()
        now = asyncio.get_running_loop().time()
        if now - self._told_faults_at >= TICK_SECONDS:
            self._told_faults_at = now
            self._subscribers.hand_out(self.ping(), self._subscribers)
        else:
            # Faults that come and go send no more pings than one a second: the clock sends the next.
            self._last_ping_at = -math.inf

    def on_failure(self) -> None:
        """Let no request wait for a read."""
        self._is_failing = True
        self._awaited.clear()
        self._news.tell()

    # From history, and from those who declare rankings ------------------------------------------------------

    def on_history(self, comparisons: Mapping[str, Comparison], sparklines: Mapping[str, Sparklines]) -> None:
        """Tell movement from these comparisons from now on, and send the sparklines, by Ranking.id."""
        self._annotations.comparisons, self.sparklines = dict(comparisons), dict(sparklines)
        self._annotate()
        for id_, lines in self.sparklines.items():
            self._subscribers.hand_out(lines, self._subscribers.of(id_))

    def on_alerts(self, alerts: Mapping[str, tuple[Alert, ...]]) -> None:
        """Show from now on that these thresholds are crossed, by Ranking.id, and no others."""
        self._annotations.alerts = dict(alerts)
        self._annotate()

    def _annotate(self) -> None:
        for snapshot in self._annotations.changed(list(self.snapshots.values())):
            self._deliver(snapshot)

    def on_rankings_changed(self, deleted: Collection[str], changed: Collection[Ranking]) -> None:
        """Forget rankings that have been deleted, by id, and read those anew whose definition has changed.

        The subscribers of a deleted one are sent away.
        """
        for id_ in {*deleted, *(ranking.id for ranking in changed)}:
            of_rankings: list[dict[str, Any]] = [self.snapshots, self.checked_at, self.faults]
            for known in (*of_rankings, self.sparklines):
                known.pop(id_, None)
            self._annotations.forget(id_)
        self._awaited -= set(deleted)
        self._watched.discard(deleted)
        used = [ranking for ranking in changed if ranking.id in self._watched]
        self._awaited |= set(self._watched.use(used, asyncio.get_running_loop().time()))
        self._keeper.watch(self._watched)
        for id_ in deleted:
            for subscriber in self._subscribers.of(id_):
                subscriber.on_deleted(id_)
        self._news.tell()

    # Requests --------------------------------------------------------------------------------------------

    def _is_known(self, ids: frozenset[str]) -> bool:
        """Return whether there is something to say of any of these rankings."""
        return any(id_ in self.snapshots or id_ in self.faults for id_ in ids)

    def _is_fresh(self, id_: str) -> bool:
        """Return whether a request for this ranking needs no read, or can't wait for one."""
        if self._feed is not None:
            if id_ in self._feed.apart:
                return True
            if id_ in self._feed.up_to_date | self._feed.intervals.keys() and id_ in self.snapshots:
                return True
        checked_at = self.checked_at.get(id_)
        return checked_at is not None and age_seconds(checked_at) <= live_settings.POLL_SECONDS

    async def _wait_for_read(self, ids: frozenset[str]) -> None:
        """Wait until these rankings have been read again, if that is needed and possible."""
        if needed := {id_ for id_ in ids - self._awaited if not self._is_fresh(id_)}:
            self._awaited |= needed
            if self._feed is not None:
                self._feed.request_read(needed)

        def is_over() -> bool:
            return self._is_failing or (not self._awaited & ids and self._is_known(ids))

        if not await self._news.wait_until(is_over, live_settings.REQUEST_WAIT_SECONDS):
            self._is_failing = True

    # The feed and the clock ------------------------------------------------------------------------------

    def _watch(self, rankings: Sequence[Ranking]) -> None:
        """Read these rankings from now on, and keep the feed running for at least IDLE_SECONDS more."""
        self._last_used_at = asyncio.get_running_loop().time()
        if new := self._watched.use(rankings, self._last_used_at):
            # The feed reads them without being asked.
            self._awaited.update(new)
            self._keeper.watch(self._watched)
        self._clock.ensure()
        if self._keeper.feed is None:
            self._is_failing = False
        self._keeper.ensure()

    def _on_tick(self) -> None:
        """Send pings while the feed runs, and stop it when nobody has used the hub for IDLE_SECONDS."""
        now = asyncio.get_running_loop().time()
        self._keeper.cut_overdue()
        if not self._subscribers and now - self._last_used_at > live_settings.IDLE_SECONDS:
            self._keeper.stop()
            self._watched.clear()
            self._awaited.clear()
            self.faults.clear()
            self._clock.stop()
            self._registry.rest()
            return
        self._registry.reload_if_due()
        if unused := self._watched.discard_unused(self._subscribers.watched, now):
            self._keeper.watch(self._watched)
            self._awaited.difference_update(unused)
            for id_ in unused:
                self.faults.pop(id_, None)
        self._keeper.ensure()
        if now - self._last_ping_at >= live_settings.PING_SECONDS:
            self._last_ping_at = now
            self._subscribers.hand_out(self.ping(), self._subscribers)


get_hub = PerLoop(Hub)
