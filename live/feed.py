"""Notices that a ranking may have changed, reads it once, and hands on the new snapshot.

The feed is a thread because database drivers block. The hub starts it with the first request or subscriber
and stops it when nobody has used the hub for a while.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from django.db import Error, connections, router

from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.selectable_event import SelectableEvent
from live.conf import live_settings
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

    Calls `on_read(changed, read_at)` after each read, with the snapshots whose rows differ from the last ones
    and the time of the read by slug. Calls `on_failure()` after each failed attempt to read.
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
        #: What each ranking is read from, by slug. Found again after each reconnect.
        self.sources: dict[str, Source] = {}
        #: Whether the database announces changes, and all announced ones have been read.
        self.is_up_to_date = False
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
                    self.sources = find_sources(self.alias, self.rankings)
                    relations = {source.relation for source in self.sources.values()}
                    with closing(ChangeListener(self.alias, relations)) as listener:
                        self._watch(listener)
                except Error as error:
                    delay = self.outage.fail(error)
                    if not self._is_stopping:
                        self.on_failure()
                    self._sleep(delay)
                finally:
                    self.is_up_to_date = False
                    connections[self.alias].close()

    def _watch(self, listener: ChangeListener) -> None:
        """Read what changes until stopped. Raises django.db.Error when the database is lost."""
        announces = listener.start()
        listener.connection.limit_queries(live_settings.QUERY_TIMEOUT_SECONDS)
        # A check before the first read would call the snapshots of an earlier feed up to date.
        dirty, may_read_at, check_at = listener.relations, 0.0, math.inf
        while not self._is_stopping:
            now = time.monotonic()
            if self._is_read_requested or (now >= check_at and not announces):
                dirty = listener.relations
            elif now >= check_at:
                self._check()
                check_at = now + live_settings.SERVER_CHECK_SECONDS
            if dirty and now >= may_read_at:
                if dirty == listener.relations:
                    # Before the read, so that a request during it causes another one.
                    self._is_read_requested = False
                    check_at = now + (
                        live_settings.SERVER_CHECK_SECONDS if announces else live_settings.REFRESH_SECONDS
                    )
                self._read([source for source in self.sources.values() if source.relation in dirty])
                dirty, may_read_at = frozenset(), now + live_settings.UPDATE_SECONDS
                self.is_up_to_date = announces
            until = may_read_at if dirty or self._is_read_requested else check_at
            dirty = dirty | listener.wait(until - time.monotonic(), self._wake_up)
            self._wake_up.clear()

    def _check(self) -> None:
        """Make sure that the server is alive: a lost one announces no change. Raises django.db.Error."""
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT 1")
        now = datetime.now(UTC)
        if not self._is_stopping:
            self.on_read([], {ranking.slug: now for ranking in self.rankings})

    def _read(self, sources: Iterable[Source]) -> None:
        """Read these rankings and hand on what has changed. Raises django.db.Error."""
        server = cast("DatabaseWrapper", connections[self.alias]).server_name
        changed, read_at = [], {}
        for source in sources:
            ranking = source.ranking
            values, totals = source.rows(), source.totals()
            now = datetime.now(UTC)
            snapshot = Snapshot(ranking, values, changed_at=now, source=server, totals=totals)
            last = self.last.get(ranking.slug)
            if last is None or last.etag != snapshot.etag:
                self.last[ranking.slug] = snapshot
                changed.append(snapshot)
            read_at[ranking.slug] = now
        self.outage.succeed()
        if not self._is_stopping:
            self.on_read(changed, read_at)

    def _sleep(self, seconds: float) -> None:
        """Sleep unless stopped. A requested read doesn't end it: it must not hurry the next attempt."""
        until = time.monotonic() + seconds
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            self._wake_up.wait(left)
            self._wake_up.clear()
