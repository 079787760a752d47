"""Keeps the newest snapshot of each ranking, and hands what is new to whoever watches.

One an event loop, so one a process: `get_hub()`. All of it runs on that loop; the feed's thread calls in.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from live import daphne
from live.conf import RESERVED_FILES, TICK_SECONDS, live_settings
from live.feed import Feed
from live.rankings import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from live.rankings import Ranking
    from live.snapshots import Snapshot

logger = logging.getLogger(__name__)


class NoDataError(Exception):
    """Nothing has been read yet, and nothing can be read now."""


class TooManySubscribersError(Exception):
    """This process takes no more subscribers."""


class EndingError(Exception):
    """This process is about to end."""


@dataclass(frozen=True, eq=False)
class Ping:
    """Sent every PING_SECONDS: the server's time, and when each ranking was last read successfully."""

    now: datetime
    checked_at: dict[str, datetime]


class Subscriber(Protocol):
    """Who is handed snapshots and pings, on the event loop. Must not block; who raises is dropped."""

    def deliver(self, message: Snapshot | Ping) -> None: ...

    def end(self) -> None:
        """The process is about to end: come back to another one, or to the next."""


class Hub:
    """The newest snapshot of each ranking, and the subscribers of each."""

    def __init__(self) -> None:
        self.snapshots: dict[str, Snapshot] = {}
        self.checked_at: dict[str, datetime] = {}
        self._subscribers: dict[Subscriber, frozenset[str]] = {}
        #: The same by ranking. Dictionaries keep the order, so that nobody is always the last.
        self._watchers: defaultdict[str, dict[Subscriber, None]] = defaultdict(dict)
        self._feed: Feed | None = None
        self._failing = False
        self._read: asyncio.Future[None] | None = None
        self._used_at = 0.0
        self._pinged_at = 0.0
        self._ending = False
        self._room = room()
        daphne.before_end(self.end)

    async def current(self, rankings: Sequence[Ranking]) -> list[Snapshot]:
        """The snapshots of these rankings, no older than POLL_SECONDS if the server can be read.

        Where the server tells what changes, they are up to date and nothing is read. All who wait share one
        read. While the server is lost this answers at once with the last snapshots. Raises NoDataError where
        there is none.
        """
        self._watch()
        if not (self._failing or all(self._fresh(ranking.slug) for ranking in rankings)):
            await self._shared_read()
        try:
            return [self.snapshots[ranking.slug] for ranking in rankings]
        except KeyError as error:
            raise NoDataError(error.args[0]) from None

    def oldest_check(self, rankings: Sequence[Ranking]) -> datetime:
        """When the least recently read of these rankings was read; they must have been read once."""
        return min(self.checked_at[ranking.slug] for ranking in rankings)

    def is_stale(self, rankings: Sequence[Ranking]) -> bool:
        """Whether one of these rankings could not be read for STALE_SECONDS."""
        return is_old(self.oldest_check(rankings))

    def subscribe(self, subscriber: Subscriber, rankings: Sequence[Ranking]) -> None:
        """Hand each new snapshot of these rankings, and each ping, to `subscriber` until unsubscribed.

        Raises TooManySubscribersError, EndingError.
        """
        if self._ending:
            raise EndingError
        if len(self._subscribers) >= self._room:
            raise TooManySubscribersError
        self._subscribers[subscriber] = frozenset(ranking.slug for ranking in rankings)
        for ranking in rankings:
            self._watchers[ranking.slug][subscriber] = None
        self._watch()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Hand it nothing any more; no error if it gets nothing."""
        slugs = self._subscribers.pop(subscriber, None)
        if slugs is not None:
            for slug in slugs:
                del self._watchers[slug][subscriber]
            self._used_at = asyncio.get_running_loop().time()

    async def end(self) -> None:
        """Send all subscribers away, and take no more: the process is about to end."""
        self._ending = True
        for subscriber in list(self._subscribers):
            subscriber.end()

    def ping(self) -> Ping:
        """What all subscribers are told next."""
        return Ping(datetime.now(UTC), dict(self.checked_at))

    def _fresh(self, slug: str) -> bool:
        if self._feed is not None and self._feed.up_to_date and slug in self.snapshots:
            return True
        checked_at = self.checked_at.get(slug)
        return (
            checked_at is not None
            and (datetime.now(UTC) - checked_at).total_seconds() <= live_settings.POLL_SECONDS
        )

    async def _shared_read(self) -> None:
        if self._read is None:
            self._read = asyncio.get_running_loop().create_future()
            if self._feed is not None:
                self._feed.request_read()
        # wait, not wait_for: one request that is cancelled must not take the others' read away.
        done, _ = await asyncio.wait([self._read], timeout=live_settings.REQUEST_WAIT_SECONDS)
        if not done:
            self._failing = True

    def _watch(self) -> None:
        """Somebody wants to know: see to it that the feed runs, and goes on for IDLE_SECONDS."""
        self._used_at = asyncio.get_running_loop().time()
        if self._feed is None:
            asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)
        self._ensure_feed()

    def _ensure_feed(self) -> None:
        if self._feed is not None and self._feed.is_alive():
            return
        loop = asyncio.get_running_loop()

        def call(callback: Callable[..., None], *args: object) -> None:
            try:
                loop.call_soon_threadsafe(callback, *args)
            except RuntimeError:
                feed.stop()  # The loop was closed.

        feed = Feed(
            RANKINGS.values(), self.snapshots, partial(call, self._on_read), partial(call, self._on_failure)
        )
        feed.start()
        self._feed, self._failing = feed, False

    def _tick(self) -> None:
        """While the feed runs: ping, and stop the feed when nobody has watched for IDLE_SECONDS."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._subscribers:
            self._ensure_feed()
        elif now - self._used_at > live_settings.IDLE_SECONDS:
            if self._feed is not None:
                self._feed.stop()
            self._feed = None
            return
        if now - self._pinged_at >= live_settings.PING_SECONDS:
            self._pinged_at = now
            self._hand_out(self.ping(), self._subscribers)
        loop.call_later(TICK_SECONDS, self._tick)

    def _on_read(self, changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
        self._failing = False
        self.checked_at.update(read_at)
        for snapshot in changed:
            slug = snapshot.ranking.slug
            self.snapshots[slug] = snapshot
            self._hand_out(snapshot, self._watchers[slug])
        if len(read_at) == len(RANKINGS):
            self._read_done()

    def _on_failure(self, _message: str) -> None:
        self._failing = True
        self._read_done()

    def _read_done(self) -> None:
        if self._read is not None and not self._read.done():
            self._read.set_result(None)
        self._read = None

    def _hand_out(self, message: Snapshot | Ping, subscribers: Iterable[Subscriber]) -> None:
        for subscriber in list(subscribers):
            try:
                subscriber.deliver(message)
            except Exception:
                # One broken subscriber must not take the others' news away.
                logger.exception("A subscriber failed, and gets nothing any more")
                self.unsubscribe(subscriber)


def is_old(checked_at: datetime) -> bool:
    """Whether what was read then is to be called stale."""
    return (datetime.now(UTC) - checked_at).total_seconds() > live_settings.STALE_SECONDS


def room() -> int:
    """Subscribers that this process can take, with its limit of files raised where it is too low."""
    wanted = live_settings.MAX_SUBSCRIBERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and soft < wanted + RESERVED_FILES:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft == resource.RLIM_INFINITY:
        return wanted
    most = max(min(wanted, soft - RESERVED_FILES), 0)
    if most < wanted:
        logger.warning(
            "There is room for %s subscribers, since this process may open no more than %s files."
            " Raise the hard limit (ulimit -Hn) for up to %s.",
            most,
            soft,
            wanted,
        )
    return most


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def get_hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def last(ranking: Ranking) -> tuple[Snapshot, datetime] | None:
    """The newest snapshot of this process, and when it was read; None before the first. From any thread."""
    slug = ranking.slug
    known = [
        (hub.checked_at[slug], hub.snapshots[slug]) for hub in list(_hubs.values()) if slug in hub.snapshots
    ]
    if not known:
        return None
    checked_at, snapshot = max(known, key=lambda pair: pair[0])
    return snapshot, checked_at
