"""Reads rankings one after the other with a session that they share, and tells what has changed.

A ranking that fails or takes long is set apart: live/feeding/own_sessions.py reads it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from live import metrics
from live.conf import SHARED_READ_SECONDS, live_settings
from live.faults import Fault, reason_for
from live.feeding.gathering import Gathering
from live.feeding.own_sessions import FailedRead, OwnSessions
from live.feeding.refreshing import Refreshing
from live.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Protocol

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.selectable_event import SelectableEvent
    from live.feeding.own_sessions import Read
    from live.feeding.sources import Source
    from live.outages import Outage
    from live.rankings import Ranking

    class Reader(Protocol):
        """Gets what the feed reads, from the feed's thread."""

        def on_read(self, changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
            """Take the snapshots whose rows or totals differ from the last ones, and the times of the reads.

            The times are by Ranking.id; there is none if only totals were read.
            """

        def on_fault(self, slug: str, fault: Fault | None) -> None:
            """Take what is wrong with a ranking, or that nothing is any more."""

        def on_failure(self) -> None:
            """Take that an attempt to read the rankings has failed."""


class SourceChangedError(Exception):
    """A ranking is now read from another relation, so other changes must be listened to."""


class RankingReads:
    """What the feed reads with one session after another, in its own thread."""

    def __init__(
        self,
        session: DatabaseWrapper,
        last: Mapping[str, Snapshot],
        reader: Reader,
        outages: Mapping[str, Outage],
        wake_up: SelectableEvent,
    ) -> None:
        self._session = session
        #: The newest snapshot by Ranking.id.
        self.last = dict(last)
        self.reader = reader
        #: The outages of single rankings by Ranking.id.
        self.outages = outages
        #: The slugs of the rankings that have been read since the database announces their changes.
        self.up_to_date: frozenset[str] = frozenset()
        #: The slugs of the rankings that are read with sessions of their own.
        self.apart: frozenset[str] = frozenset()
        self.own = OwnSessions(session.alias, wake_up)
        #: Those whose reads the connection was lost during: maybe they are the reason.
        self.suspects: dict[str, Ranking] = {}
        #: Whether nobody wants to be told anything any more.
        self.is_muted = False
        #: What each ranking is read from, by Ranking.id.
        self.sources: dict[str, Source] = {}
        #: The ids of the rankings that haven't been read, or set apart, yet.
        self.unread: set[str] = set()
        self.gathering = Gathering()
        self.refreshing = Refreshing()

    def begin(self, sources: dict[str, Source], heard: Collection[str]) -> None:
        """Prepare to read all rankings, each from its source. Relations in `heard` announce their changes.

        Those are read apart during whose reads the last connection was lost.
        """
        self.sources, self.unread = {}, set()
        self.gathering, self.refreshing = Gathering(), Refreshing()
        self.add(sources, heard)
        for ranking in self.suspects.values():
            if ranking.id in sources:
                self.set_apart(ranking)
        self.suspects.clear()

    def add(self, sources: dict[str, Source], heard: Collection[str]) -> None:
        """Read more rankings. Relations in `heard` announce their changes, also those of other rankings."""
        self.sources |= sources
        self.unread |= sources.keys()
        self.gathering.add(sources)
        self.set_heard(heard)

    def remove(self, id_: str) -> None:
        """Read a ranking no more, and end its outage: nobody knows any more when it would."""
        del self.sources[id_]
        self.unread.discard(id_)
        self.gathering.forget(id_)
        self.refreshing.forget(id_)
        self.up_to_date -= {id_}
        self.suspects.pop(id_, None)
        if id_ in self.own:
            self.own.remove(id_)
            self.apart = self.own.slugs
        if self.outages[id_].is_on and not self.is_muted:
            self.outages[id_].give_up()
            self.reader.on_fault(id_, None)

    def set_heard(self, heard: Collection[str]) -> None:
        """Note which relations announce their changes."""
        self.refreshing.set_sources(
            {id_: source for id_, source in self.sources.items() if source.relation not in heard}
        )
        self.up_to_date -= self.refreshing.ids

    @property
    def intervals(self) -> Mapping[str, float]:
        """The seconds between two reads of the rankings that no request hurries."""
        return self.refreshing.intervals

    def reset(self) -> None:
        """Forget what was true of a session that is lost."""
        self.up_to_date = self.apart = frozenset()
        self.own.close()

    def read_next(self, now: float) -> bool:
        """Read the ranking whose turn it is; return whether there was one. Raises django.db.Error."""
        for result in self.own.results():
            self.take(result)
        self.own.start_due(now)
        slug = self.gathering.take(now, live_settings.UPDATE_SECONDS)
        if slug is None:
            return False
        self.unread.discard(slug)
        if slug in self.own:
            self.own.request(slug)
        elif self.attempt(self.read, self.sources[slug]):
            self.up_to_date |= {slug} - self.refreshing.ids
        return True

    @property
    def next_at(self) -> float:
        """When the next read can begin: in the past if one can now, infinity if nothing has changed."""
        return min(self.gathering.next_at, self.own.next_at)

    def check(self) -> None:
        """Make sure that the server is alive: a lost one announces no change. Raises django.db.Error."""
        with self._session.cursor() as cursor:
            cursor.execute("SELECT 1")
        self._hand_on([], dict.fromkeys(self.up_to_date, datetime.now(UTC)))

    def attempt(self, read: Callable[[Source], None], source: Source) -> bool:
        """Read, and return whether that succeeded. If not, set the ranking apart.

        Raises django.db.Error if not only this ranking, but the server can't be read.
        """
        ranking, began_at = source.ranking, time.monotonic()
        try:
            with metrics.READ_SECONDS.labels(ranking.id).time():
                read(source)
        except Exception:  # noqa: BLE001 - a ranking's own functions may raise anything
            # Only a test of the connection tells whether the server is lost. If it is, this ranking is read
            # apart afterwards, because it may be the reason.
            self.suspects[ranking.id] = ranking
            self.check()
            del self.suspects[ranking.id]
            self.set_apart(ranking)
            return False
        self.refreshing.on_read(ranking.id, time.monotonic() - began_at)
        self._end_fault(ranking.id)
        return True

    def read(self, source: Source) -> None:
        """Read a ranking and hand it on if its rows have changed. Raises any exception."""
        slug, values = source.ranking.id, source.rows()
        now = datetime.now(UTC)
        snapshot = Snapshot(source.ranking, values, changed_at=now, source=self._session.server_name)
        last = self.last.get(slug)
        changed = []
        if last is None or last.values != snapshot.values:
            snapshot = replace(snapshot, totals=source.totals())
            snapshot.check()
            self.last[slug] = snapshot
            changed = [snapshot]
        self._hand_on(changed, {slug: now})

    def read_totals(self, slug: str) -> None:
        """Read a ranking's totals alone: most of their changes are in rows whose changes aren't announced.

        Raises django.db.Error if the server is lost.
        """
        if slug not in self.sources or slug in self.intervals:
            return
        if slug in self.own:
            self.own.request(slug)
        else:
            self.attempt(self._read_totals, self.sources[slug])

    def _read_totals(self, source: Source) -> None:
        totals = source.totals()
        last = self.last.get(source.ranking.id)
        if last is not None and last.totals != totals:
            self.last[source.ranking.id] = replace(last, totals=totals, rendered={})
            self._hand_on([self.last[source.ranking.id]], {})

    def set_apart(self, ranking: Ranking) -> None:
        """Read a ranking with a session of its own from now on."""
        self.own.add(ranking)
        self.apart = self.own.slugs
        self.up_to_date -= {ranking.id}
        self._hand_on([], {})

    def take(self, result: Read | FailedRead) -> None:
        """Hand on what a session of its own has read.

        Raises django.db.Error if the server is lost, SourceChangedError.
        """
        slug = result.ranking.id
        metrics.READ_SECONDS.labels(slug).observe(result.seconds)
        self.refreshing.on_read(slug, result.seconds)
        if isinstance(result, FailedRead):
            # If the server is lost, that is no fault of this ranking.
            self.check()
            self._begin_fault(slug, result.error)
            return
        self._end_fault(slug)
        if result.seconds < SHARED_READ_SECONDS / 2:
            self.own.remove(slug)
            self.apart = self.own.slugs
            # It may have changed meanwhile.
            self.gathering.add([slug])
        else:
            self.own.keep(slug)
            self.up_to_date |= {slug} - self.refreshing.ids
        self._publish(result.snapshot)
        if self.sources[slug].relation != result.source.relation:
            raise SourceChangedError
        self.sources[slug] = result.source

    def _publish(self, snapshot: Snapshot) -> None:
        slug, read_at, last = snapshot.ranking.id, snapshot.changed_at, self.last.get(snapshot.ranking.id)
        changed = []
        if last is None or (last.values, last.totals) != (snapshot.values, snapshot.totals):
            if last is not None and last.values == snapshot.values:
                snapshot = replace(last, totals=snapshot.totals, rendered={})
            self.last[slug] = snapshot
            changed = [snapshot]
        self._hand_on(changed, {slug: read_at})

    def _begin_fault(self, slug: str, error: Exception) -> None:
        metrics.READ_ERRORS.labels(slug).inc()
        self.up_to_date -= {slug}
        outage = self.outages[slug]
        delay = outage.fail(error)
        self.own.retry_after(
            slug, max(delay, self.refreshing.interval(slug)) if slug in self.intervals else delay
        )
        if not self.is_muted and outage.began_at is not None:
            self.reader.on_fault(slug, Fault(reason_for(error), outage.began_at))

    def _end_fault(self, slug: str) -> None:
        if self.outages[slug].is_on and not self.is_muted:
            self.outages[slug].succeed()
            self.reader.on_fault(slug, None)

    def _hand_on(self, changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
        if not self.is_muted:
            self.reader.on_read(changed, read_at)
