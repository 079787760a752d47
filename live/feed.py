"""Notices that a ranking may have changed, reads it once, and hands on the new snapshot.

The feed is a thread because database drivers block. The hub starts it with the first request or subscriber
and stops it when nobody has used the hub for a while.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from django.db import Error, connections, router

from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.selectable_event import SelectableEvent
from live.conf import live_settings
from live.gathering import Gathering
from live.snapshots import Snapshot
from live.sources import find_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django_risingwave.base import DatabaseWrapper
    from live.outages import Outage
    from live.rankings import Ranking
    from live.sources import Source


class Feed(threading.Thread):
    """Reads rankings and calls back, from its own thread.

    Calls `on_read(changed, read_at)` after each read, with the snapshots whose rows or totals differ from the
    last ones, and the time of the read by slug, unless only totals were read. Calls `on_failure()` after each
    failed attempt to read.
    """

    def __init__(
        self,
        rankings: Iterable[Ranking],
        last: Mapping[str, Snapshot],
        on_read: Callable[[list[Snapshot], dict[str, datetime]], None],
        on_failure: Callable[[], None],
        outage: Outage,
    ) -> None:
        super().__init__(name="rankings-feed", daemon=True)
        self.rankings = list(rankings)
        #: The newest snapshot by slug.
        self.last = dict(last)
        self.on_read = on_read
        self.on_failure = on_failure
        #: May have begun under an earlier feed.
        self.outage = outage
        self.alias = router.db_for_read(self.rankings[0].model)
        #: The slugs of the rankings that have been read since the database announces their changes.
        self.up_to_date: frozenset[str] = frozenset()
        self._is_stopping = False
        self._is_read_requested = False
        #: Set whenever one of these two becomes True.
        self._wake_up = SelectableEvent()

    def request_read(self) -> None:
        """Read all rankings soon. May be called from any thread."""
        self._is_read_requested = True
        self._wake_up.set()

    def stop(self) -> None:
        """End the thread soon, without waiting for it. May be called from any thread."""
        self._is_stopping = True
        self._wake_up.set()

    def run(self) -> None:
        """Watch the rankings until stopped; reconnect when the database is lost."""
        with closing(self._wake_up):
            while not self._is_stopping:
                try:
                    self._watch()
                except Error as error:
                    delay = self.outage.fail(error)
                    if not self._is_stopping:
                        self.on_failure()
                    self._sleep(delay)
                finally:
                    self.up_to_date = frozenset()
                    connections[self.alias].close()

    def _watch(self) -> None:
        """Connect, and read what changes until stopped. Raises django.db.Error when the database is lost."""
        sources = find_sources(self.alias, self.rankings)
        relations = {source.relation for source in sources.values()}
        interval = live_settings.SUBSCRIPTION_POLL_SECONDS
        with closing(ChangeListener(self.alias, relations, interval=interval)) as listener:
            listener.start()
            listener.connection.limit_queries(live_settings.QUERY_TIMEOUT_SECONDS)
            self._follow(listener, sources)

    def _follow(self, listener: ChangeListener, sources: Mapping[str, Source]) -> None:
        """Read each ranking once, then what changes: one at a time, and listen after each read.

        All are read before the first poll, so that a subscription that fails keeps none from being read.
        """
        unheard = {slug for slug, source in sources.items() if source.relation not in listener.heard}
        unread = set(sources)
        gathering = Gathering()
        gathering.add(sources)
        check_at = time.monotonic() + live_settings.SERVER_CHECK_SECONDS
        refresh_at = 0.0
        totals_due: list[str] = []
        while not self._is_stopping:
            now = time.monotonic()
            if self._is_read_requested:
                self._is_read_requested = False
                gathering.add(sources)
            if now >= refresh_at:
                gathering.add(unheard)
                refresh_at = now + live_settings.REFRESH_SECONDS if unheard else math.inf
            if now >= check_at:
                self._check()
                totals_due = list(sources)
                check_at = now + live_settings.SERVER_CHECK_SECONDS
            if slug := gathering.take(now, live_settings.UPDATE_SECONDS):
                self._read(sources[slug])
                self.up_to_date |= {slug} - unheard
                unread.discard(slug)
                if unread:
                    continue
            elif totals_due:
                self._read_totals(sources[totals_due.pop()])
            is_due = totals_due or self.outage.is_on
            until = now if is_due else min(check_at, refresh_at, gathering.next_at)
            changed = listener.wait(until - time.monotonic(), self._wake_up)
            self.outage.succeed()
            gathering.add(slug for slug, source in sources.items() if source.relation in changed)
            self._wake_up.clear()

    def _check(self) -> None:
        """Make sure that the server is alive: a lost one announces no change. Raises django.db.Error."""
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT 1")
        self._hand_on([], dict.fromkeys(self.up_to_date, datetime.now(UTC)))

    def _read(self, source: Source) -> None:
        """Read a ranking and hand it on if its rows have changed. Raises django.db.Error."""
        slug, values = source.ranking.slug, source.rows()
        now = datetime.now(UTC)
        server = cast("DatabaseWrapper", connections[self.alias]).server_name
        snapshot = Snapshot(source.ranking, values, changed_at=now, source=server)
        last = self.last.get(slug)
        changed = []
        if last is None or last.etag != snapshot.etag:
            self.last[slug] = replace(snapshot, totals=source.totals())
            changed = [self.last[slug]]
        self._hand_on(changed, {slug: now})

    def _read_totals(self, source: Source) -> None:
        """Read a ranking's totals alone: most of their changes are in rows whose changes aren't announced."""
        totals = source.totals()
        last = self.last.get(source.ranking.slug)
        if last is not None and last.totals != totals:
            self.last[source.ranking.slug] = replace(last, totals=totals, rendered={})
            self._hand_on([self.last[source.ranking.slug]], {})

    def _hand_on(self, changed: list[Snapshot], read_at: dict[str, datetime]) -> None:
        if not self._is_stopping:
            self.on_read(changed, read_at)

    def _sleep(self, seconds: float) -> None:
        """Sleep unless stopped. A requested read doesn't end it: it must not hurry the next attempt."""
        until = time.monotonic() + seconds
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            self._wake_up.wait(left)
            self._wake_up.clear()
