"""Notices that a ranking may have changed, reads it once, and hands on the new snapshot.

The feed is a thread because database drivers block. The hub starts it with the first request or subscriber
and stops it when nobody has used the hub for a while.

One session reads all rankings, one after the other, each for a short time only. A ranking that fails or takes
longer is read with a session of its own: live/feeding/own_sessions.py.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from django.db import Error, connections, router

from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.streaming.sessions import cut, open_session
from live.conf import (
    ABANDON_SECONDS,
    HANG_SLACK_SECONDS,
    RETRY_SUBSCRIPTION_SECONDS,
    SHARED_READ_SECONDS,
    live_settings,
)
from live.feeding.own_sessions import connect_seconds
from live.feeding.ranking_reads import RankingReads, SourceChangedError
from live.feeding.sources import find_sources
from live.outages import Outage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django_risingwave.base import DatabaseWrapper
    from live.feeding.ranking_reads import Reader
    from live.feeding.sources import Source
    from live.rankings import Ranking
    from live.snapshots import Snapshot


class Feed(threading.Thread):
    """Reads rankings and tells `reader`, from its own thread."""

    def __init__(
        self,
        rankings: Iterable[Ranking],
        last: Mapping[str, Snapshot],
        reader: Reader,
        outage: Outage,
        outages: Mapping[str, Outage],
    ) -> None:
        """Take the newest snapshots, and the outages of all rankings together and of each by slug.

        An outage may have begun under an earlier feed. Raises OSError if no file descriptor is left.
        """
        super().__init__(name="rankings-feed", daemon=True)
        #: By Ranking.id. Those that are watched, and those that are to be.
        self.rankings: dict[str, Ranking] = {}
        self._wanted = {ranking.id: ranking for ranking in rankings}
        self.reader = reader
        self.outage = outage
        self.alias = router.db_for_read(next(iter(self._wanted.values())).model)
        self._is_stopping = False
        #: The ids of rankings that requests have asked for.
        self._requests: deque[Collection[str]] = deque()
        #: Set whenever one of these three changes.
        self._wake_up = SelectableEvent()
        self._session = open_session(self.alias)
        self.reads = RankingReads(self._session, last, reader, outages, self._wake_up)
        self._listener: ChangeListener | None = None
        #: By relation.
        self._subscription_outages: dict[str, Outage] = {}
        #: When the thread must have gone on, on the monotonic clock. Later, its server hangs.
        self._back_by = math.inf
        self._is_cut = False

    def start(self) -> None:
        """Begin to read. Raises RuntimeError if the process has as many threads as it may have."""
        try:
            super().start()
        except RuntimeError:
            self._wake_up.close()
            raise

    @property
    def up_to_date(self) -> frozenset[str]:
        """The slugs of the rankings that have been read since the database announces their changes."""
        return self.reads.up_to_date

    @property
    def apart(self) -> frozenset[str]:
        """The slugs of the rankings that are read with sessions of their own."""
        return self.reads.apart

    @property
    def intervals(self) -> Mapping[str, float]:
        """The seconds between two reads of the rankings that no request hurries, by Ranking.id."""
        return self.reads.intervals

    def request_read(self, ids: Collection[str] | None = None) -> None:
        """Read these rankings soon, by default all. May be called from any thread."""
        self._requests.append(list(self._wanted) if ids is None else ids)
        self._wake_up.set()

    def watch(self, rankings: Iterable[Ranking]) -> None:
        """Watch these rankings from now on, and no others. May be called from any thread.

        Those that are watched already aren't read anew, unless their definition has changed.
        """
        self._wanted = {ranking.id: ranking for ranking in rankings}
        self._wake_up.set()

    def stop(self) -> None:
        """End the thread soon, without waiting for it. May be called from any thread."""
        self._is_stopping = self.reads.is_muted = True
        self._wake_up.set()

    def cut_overdue(self) -> None:
        """End waits for a server that hangs. The hub's clock calls it."""
        now = time.monotonic()
        self.reads.own.cut_overdue(now)
        if now > self._back_by:
            self._is_cut = True
            for session in self._sessions():
                cut(session)

    @property
    def is_hung(self) -> bool:
        """Whether the thread hangs in something that can't be cut."""
        return self.is_alive() and time.monotonic() > self._back_by + ABANDON_SECONDS

    def run(self) -> None:
        """Watch the rankings until stopped; reconnect when the database is lost. Survives any exception."""
        # The connection of this thread, which the ORM uses.
        connections[self.alias] = self._session
        with closing(self._wake_up):
            while not self._is_stopping:
                try:
                    self._watch()
                except SourceChangedError:
                    pass
                except Exception as error:  # noqa: BLE001 - without the feed, nothing is read any more
                    if not self._is_stopping:
                        delay = self.outage.fail(self._reason(error))
                        self.reader.on_failure()
                        self._sleep(delay)
                finally:
                    self.reads.reset()
                    with suppress(Error):
                        self._session.close()

    def _reason(self, error: Exception) -> Exception:
        if not self._is_cut:
            return error
        self._is_cut = False
        return TimeoutError(f"no answer within {self._limit:g} s")

    def _sessions(self) -> list[DatabaseWrapper]:
        return [self._session] if self._listener is None else self._listener.sessions

    @property
    def _limit(self) -> float:
        return live_settings.QUERY_TIMEOUT_SECONDS + HANG_SLACK_SECONDS

    def _expect(self, more_seconds: float = 0) -> None:
        """Note that the thread goes on, and when it must do so again."""
        self._back_by = time.monotonic() + self._limit + more_seconds

    def _watch(self) -> None:
        """Connect, and read what changes until stopped. Raises django.db.Error when the database is lost."""
        self._expect(connect_seconds(self._session.settings_dict["OPTIONS"]))
        self._session.limit_queries(live_settings.QUERY_TIMEOUT_SECONDS)
        self._expect()
        self._begin_with_wanted()
        sources = find_sources(self.alias, self.rankings.values())
        relations = {source.relation for source in sources.values()}
        interval = live_settings.SUBSCRIPTION_POLL_SECONDS
        with closing(ChangeListener(self.alias, relations, interval=interval, skip_failing=True)) as listener:
            # A session for the subscriptions, and a flush.
            self._expect(self._limit + connect_seconds(self._session.settings_dict["OPTIONS"]))
            listener.start()
            self._expect()
            self._limit_shared_reads()
            self._listener = listener
            try:
                self._follow(listener, sources)
            finally:
                self._listener = None

    def _follow(self, listener: ChangeListener, sources: dict[str, Source]) -> None:
        """Read each ranking once, then what changes: one at a time, and listen after each read.

        All are read before the first poll, so that a subscription that fails keeps none from being read.
        """
        reads = self.reads
        reads.begin(sources, listener.heard)
        check_at = time.monotonic() + live_settings.SERVER_CHECK_SECONDS
        totals_due: list[str] = []
        failed: Collection[str] = ()
        began_at = time.monotonic()
        while not self._is_stopping:
            now = time.monotonic()
            self._expect()
            if self._wanted is not self.rankings:
                self._change_watched(listener)
            while self._requests:
                reads.gathering.add(reads.sources.keys() & self._requests.popleft())
            reads.gathering.add(reads.refreshing.take_due(now))
            if now >= check_at:
                reads.check()
                self._check_subscriptions(listener, now - began_at)
                totals_due = list(reads.sources)
                check_at = now + live_settings.SERVER_CHECK_SECONDS
            if reads.read_next(now):
                if reads.unread:
                    continue
            elif totals_due:
                reads.read_totals(totals_due.pop())
            is_due = totals_due or self.outage.is_on
            until = now if is_due else min(check_at, reads.refreshing.next_at, reads.next_at)
            self._expect(max(until - now, 0))
            changed = listener.wait(until - time.monotonic(), self._wake_up)
            if listener.failed.keys() - failed:
                failed = list(listener.failed)
                self._on_failed_subscriptions(listener)
            if not self._is_stopping:
                self.outage.succeed()
            reads.gathering.add(id_ for id_, source in reads.sources.items() if source.relation in changed)
            self._wake_up.clear()

    def _change_watched(self, listener: ChangeListener) -> None:
        """Watch what is wanted now: begin with what is new, end with what isn't wanted any more.

        Raises django.db.Error.
        """
        reads = self.reads
        for id_ in self._begin_with_wanted():
            reads.remove(id_)
        new = [ranking for id_, ranking in self.rankings.items() if id_ not in reads.sources]
        # Catalogs may take longer than the reads that this session shares.
        self._session.limit_queries(live_settings.QUERY_TIMEOUT_SECONDS)
        sources = find_sources(self.alias, new) if new else {}
        self._expect()
        relations = {source.relation for source in (*reads.sources.values(), *sources.values())}
        if relations != listener.relations:
            listener.listen_to(relations)
            for relation in self._subscription_outages.keys() - relations:
                self._subscription_outages.pop(relation).give_up()
        self._limit_shared_reads()
        reads.add(sources, listener.heard)

    def _begin_with_wanted(self) -> list[str]:
        """Take over what is wanted; return the ids that were watched and aren't wanted as they are.

        Forget the last rows of those whose definition has changed.
        """
        before, self.rankings = self.rankings, self._wanted
        gone = [id_ for id_, ranking in before.items() if self.rankings.get(id_) != ranking]
        for id_ in self.rankings.keys() & gone:
            self.reads.last.pop(id_, None)
        return gone

    def _limit_shared_reads(self) -> None:
        self._session.limit_queries(min(SHARED_READ_SECONDS, live_settings.QUERY_TIMEOUT_SECONDS))

    def _on_failed_subscriptions(self, listener: ChangeListener) -> None:
        """Read the rankings at intervals whose subscriptions fail."""
        for relation, error in listener.failed.items():
            outage = Outage(f"subscription to {relation}", "be polled", RETRY_SUBSCRIPTION_SECONDS)
            outage = self._subscription_outages.setdefault(relation, outage)
            outage.fail(error)
        self.reads.set_heard(listener.heard)

    def _check_subscriptions(self, listener: ChangeListener, age_seconds: float) -> None:
        """End the outages of subscriptions that work again; listen anew if some still fail after a while.

        Raises SourceChangedError.
        """
        for relation, outage in self._subscription_outages.items():
            if relation in listener.heard:
                outage.succeed()
        if listener.failed and age_seconds > RETRY_SUBSCRIPTION_SECONDS:
            raise SourceChangedError

    def _sleep(self, seconds: float) -> None:
        """Sleep unless stopped. A requested read doesn't end it: it must not hurry the next attempt."""
        until = time.monotonic() + seconds
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            self._expect(left)
            self._wake_up.wait(left)
            self._wake_up.clear()
