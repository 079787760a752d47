"""Notices that a ranking may have changed, reads it once, and hands on what is new.

A thread, since psycopg2 blocks. It lives while somebody watches: the hub starts and stops it.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from django.db import Error, connections, router

from django_risingwave.streaming.changes import ChangeListener
from live.conf import FIRST_RETRY_SECONDS, MAX_FEED_RETRY_SECONDS, live_settings
from live.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django_risingwave.base import DatabaseWrapper
    from live.rankings import Ranking

logger = logging.getLogger(__name__)


class Feed(threading.Thread):
    """Reads rankings and calls back, from its own thread.

    `on_read(changed, read_at)` after each read: the snapshots whose rows differ from the last, and the
    time of the read by slug. `on_failure(message)` when the server can't be read, once for each attempt.
    """

    def __init__(
        self,
        rankings: Iterable[Ranking],
        last: Mapping[str, Snapshot],
        on_read: Callable[[list[Snapshot], dict[str, datetime]], None],
        on_failure: Callable[[str], None],
    ) -> None:
        super().__init__(name="rankings-feed", daemon=True)
        self.rankings = list(rankings)
        self.last = dict(last)
        self.on_read = on_read
        self.on_failure = on_failure
        self.alias = router.db_for_read(self.rankings[0].model)
        self.views = {ranking.model._meta.db_table for ranking in self.rankings}
        self.failing_since: datetime | None = None
        #: Whether the server tells what changes, and all that it told has been read.
        self.up_to_date = False
        self._stopping = False
        self._read_wanted = False
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)

    def request_read(self) -> None:
        """Read all rankings as soon as may be. From any thread."""
        self._read_wanted = True
        self._poke()

    def stop(self) -> None:
        """End the thread soon, without waiting for it. From any thread."""
        self._stopping = True
        self._poke()

    def run(self) -> None:
        """Watch until stopped; a lost server is looked for again."""
        delay = FIRST_RETRY_SECONDS
        try:
            while not self._stopping:
                try:
                    with closing(ChangeListener(self.alias, self.views)) as listener:
                        self._watch(listener)
                except Error as error:
                    self.up_to_date = False
                    delay = (
                        FIRST_RETRY_SECONDS
                        if self.failing_since is None
                        else min(delay * 2, MAX_FEED_RETRY_SECONDS)
                    )
                    self._failed(error)
                    self._pause(delay)
                finally:
                    connections[self.alias].close()
        finally:
            self.up_to_date = False
            self._wake.close()
            self._waker.close()

    def _watch(self, listener: ChangeListener) -> None:
        """Read what changes until stopped. Raises django.db.Error when the server is lost."""
        tells = listener.start()
        listener.connection.limit_queries(live_settings.QUERY_TIMEOUT_SECONDS)
        # Nothing is checked before the first read: what an earlier feed has read would be called up to date.
        dirty, may_read_at, check_at = self.views, 0.0, math.inf
        while not self._stopping:
            now = time.monotonic()
            if self._read_wanted or (now >= check_at and not tells):
                dirty = self.views
            elif now >= check_at:
                self._check()
                check_at = now + live_settings.SERVER_CHECK_SECONDS
            if dirty and now >= may_read_at:
                if dirty == self.views:
                    # Before the read: what is asked for while it runs is read again.
                    self._read_wanted = False
                    check_at = now + (
                        live_settings.SERVER_CHECK_SECONDS if tells else live_settings.REFRESH_SECONDS
                    )
                self._read([ranking for ranking in self.rankings if ranking.model._meta.db_table in dirty])
                dirty, may_read_at = set(), now + live_settings.UPDATE_SECONDS
                self.up_to_date = tells
            until = may_read_at if dirty or self._read_wanted else check_at
            dirty = dirty | listener.wait(until - time.monotonic(), self._wake)
            self._drain()

    def _check(self) -> None:
        """Make sure that the server lives, and so would have told a change. Raises django.db.Error."""
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT 1")
        now = datetime.now(UTC)
        if not self._stopping:
            self.on_read([], {ranking.slug: now for ranking in self.rankings})

    def _read(self, rankings: list[Ranking]) -> None:
        source = cast("DatabaseWrapper", connections[self.alias]).server_name
        changed, read_at = [], {}
        for ranking in rankings:
            values = tuple(ranking.queryset().using(self.alias))
            now = datetime.now(UTC)
            snapshot = Snapshot(ranking, values, changed_at=now, source=source)
            last = self.last.get(ranking.slug)
            if last is None or last.etag != snapshot.etag:
                self.last[ranking.slug] = snapshot
                changed.append(snapshot)
            read_at[ranking.slug] = now
        if self.failing_since is not None:
            logger.info("%s can be read again, after %s", source, datetime.now(UTC) - self.failing_since)
            self.failing_since = None
        if not self._stopping:
            self.on_read(changed, read_at)

    def _failed(self, error: Error) -> None:
        message = " ".join(str(error).split()) or type(error).__name__
        if self.failing_since is None:
            self.failing_since = datetime.now(UTC)
            logger.warning("The rankings can't be read, trying again until they can: %s", message)
        if not self._stopping:
            self.on_failure(message)

    def _pause(self, seconds: float) -> None:
        """Sleep, unless stopped meanwhile. A request to read must not hurry an attempt on a lost server."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            self._wake.settimeout(left)
            self._drain()
        self._wake.setblocking(False)

    def _poke(self) -> None:
        # Full: the thread will wake. Closed: it has ended.
        with suppress(OSError):
            self._waker.send(b"\0")

    def _drain(self) -> None:
        with suppress(BlockingIOError, TimeoutError):
            self._wake.recv(4096)
