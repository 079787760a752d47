"""Starts the feed, notices when it has ended or hangs, and replaces it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from live.conf import MAX_FEED_RETRY_SECONDS, MAX_HUNG_FEEDS
from live.feed import Feed
from live.outages import Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from live.faults import Fault
    from live.feeding.ranking_reads import Reader
    from live.rankings import Ranking
    from live.snapshots import Snapshot

    FeedState = Literal["idle", "running", "hung", "dead"]


class FeedKeeper:
    """The feed of one event loop. All methods are called there, and so is what the feed tells `reader`."""

    def __init__(self, reader: Reader, last: Mapping[str, Snapshot]) -> None:
        self._reader, self._last = reader, last
        self._outage = Outage("rankings", "be read", MAX_FEED_RETRY_SECONDS)
        self._outages: dict[str, Outage] = {}
        #: The outages of the feed itself.
        self._feed_outage = Outage("feed", "run", MAX_FEED_RETRY_SECONDS)
        #: Feeds that hang and have been replaced.
        self._hung: list[Feed] = []
        self.feed: Feed | None = None
        #: What the feed watches.
        self._rankings: list[Ranking] = []
        #: Whether there should be a feed.
        self._is_wanted = False
        #: Since when the feed has been running, or idle.
        self.since = datetime.now(UTC)

    @property
    def state(self) -> FeedState:
        """Whether the feed runs. It is idle while nobody uses the hub."""
        if not self._is_wanted:
            return "idle"
        if self.feed is None or not self.feed.is_alive():
            return "dead"
        return "hung" if self.feed.is_hung else "running"

    def watch(self, rankings: Iterable[Ranking]) -> None:
        """Watch these rankings from now on, and no others."""
        self._rankings = list(rankings)
        for ranking in self._rankings:
            if ranking.id not in self._outages:
                self._outages[ranking.id] = Outage(f"ranking {ranking.id}", "be read", MAX_FEED_RETRY_SECONDS)
        if self.feed is not None:
            self.feed.watch(self._rankings)

    @property
    def intervals(self) -> dict[str, float]:
        """The seconds between two reads of the rankings that no request hurries, by Ranking.id."""
        return {} if self.feed is None else dict(self.feed.intervals)

    def ensure(self) -> None:
        """Start the feed if it doesn't run; replace it if it hangs. Logs why if that fails."""
        if not self._is_wanted:
            self._is_wanted, self.since = True, datetime.now(UTC)
        state = self.state
        if state == "running" or not self._rankings:
            return
        try:
            if self.feed is not None and state == "hung":
                self._abandon(self.feed)
            elif self.feed is not None:
                self._feed_outage.fail(RuntimeError("its thread has ended"))
            self._start()
        except (OSError, RuntimeError) as error:  # No file descriptor or no thread is left.
            self._feed_outage.fail(error)

    def cut_overdue(self) -> None:
        """End the waits of the feed, and of those that it has replaced, for a server that hangs."""
        self._hung = [feed for feed in self._hung if feed.is_alive()]
        for feed in (self.feed, *self._hung):
            if feed is not None:
                feed.cut_overdue()

    def stop(self) -> None:
        """End the feed, and its outages: nobody knows any more when they end."""
        if self.feed is not None:
            self.feed.stop()
        for outage in (self._outage, self._feed_outage, *self._outages.values()):
            outage.give_up()
        self.feed, self._is_wanted, self.since = None, False, datetime.now(UTC)
        self._rankings = []

    def _abandon(self, feed: Feed) -> None:
        """Leave a feed that hangs to itself. Raises RuntimeError if too many hang already."""
        if len(self._hung) >= MAX_HUNG_FEEDS:
            raise RuntimeError(f"{len(self._hung)} threads hang; only a restart of the process ends them")
        feed.stop()
        self._hung.append(feed)
        self.feed = None
        error = RuntimeError("its thread hangs and is replaced")
        self._feed_outage.fail(error)
        self._outage.fail(error)
        self._reader.on_failure()

    def _start(self) -> None:
        reader = _OnLoop(self._reader)
        feed = Feed(self._rankings, self._last, reader, self._outage, self._outages)
        reader.stop = feed.stop
        feed.start()
        self.feed, self.since = feed, datetime.now(UTC)
        self._feed_outage.succeed()


class _OnLoop:
    """Passes on to the event loop what the feed tells from its thread; stops the feed of a closed loop."""

    stop: Callable[[], None]

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._loop = asyncio.get_running_loop()

    def on_read(self, changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
        self._call(self._reader.on_read, changed, read_at)

    def on_fault(self, slug: str, fault: Fault | None) -> None:
        self._call(self._reader.on_fault, slug, fault)

    def on_failure(self) -> None:
        self._call(self._reader.on_failure)

    def _call(self, callback: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            # The loop is closed.
            self.stop()
