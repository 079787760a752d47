"""Reads of rankings that fail or take long, each in a thread and with a session of its own.

So no other ranking waits for them.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from django.db import Error, connections

from django_risingwave.streaming.sessions import CONNECT_TIMEOUT_SECONDS, cut, open_session
from live.conf import HANG_SLACK_SECONDS, MAX_OWN_SESSIONS, live_settings
from live.feeding.sources import find_sources
from live.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django_risingwave.streaming.selectable_event import SelectableEvent
    from live.feeding.sources import Source
    from live.rankings import Ranking


@dataclass(frozen=True)
class Read:
    """A read that succeeded."""

    ranking: Ranking
    seconds: float
    source: Source
    #: With the totals.
    snapshot: Snapshot


@dataclass(frozen=True)
class FailedRead:
    """A read that failed."""

    ranking: Ranking
    seconds: float
    error: Exception


class OwnSession:
    """Reads one ranking, each time in a thread of its own."""

    def __init__(self, alias: str, ranking: Ranking) -> None:
        self.alias, self.ranking = alias, ranking
        self.session = open_session(alias)
        #: When the next read is due, on the monotonic clock; infinity if none is.
        self.due_at = 0.0
        #: Whether the last read failed, so that a change of the ranking must not hurry the next.
        self.is_failing = False
        #: When the read that is running must have ended; None if none is.
        self.back_by: float | None = None
        self.is_removed = False
        self._is_cut = False

    def start(
        self, done: SimpleQueue[tuple[OwnSession, Read | FailedRead]], wake_up: SelectableEvent
    ) -> None:
        """Read in a new thread; put the result into `done` and set `wake_up`."""
        self.due_at, self.back_by, self._is_cut = math.inf, math.inf, False

        def run() -> None:
            result = self._read()
            self.back_by = None
            if self.is_removed:
                self._close()
            done.put((self, result))
            wake_up.set()

        thread = threading.Thread(target=run, name=f"ranking-{self.ranking.id}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # The process has as many threads as it may have.
            self.due_at, self.back_by = time.monotonic() + 1, None

    def _read(self) -> Read | FailedRead:
        began_at = time.monotonic()
        # The connection of this thread, which the ORM uses.
        connections[self.alias] = self.session
        is_new = self.session.connection is None
        try:
            if self.session.connection is None:
                self._expect(connect_seconds(self.session.settings_dict["OPTIONS"]))
                self.session.limit_queries(live_settings.QUERY_TIMEOUT_SECONDS)
            self._expect()
            source = find_sources(self.alias, [self.ranking])[self.ranking.id]
            self._expect()
            values = source.rows()
            read_at = datetime.now(UTC)
            self._expect()
            totals = source.totals()
            snapshot = Snapshot(self.ranking, values, read_at, self.session.server_name, totals)
            snapshot.check()
        except Exception as error:  # noqa: BLE001 - a ranking's own functions may raise anything
            self._close()
            seconds = time.monotonic() - began_at
            if self._is_cut:
                return FailedRead(self.ranking, seconds, TimeoutError(f"no answer within {seconds:.0f} s"))
            if is_new or self.is_removed:
                return FailedRead(self.ranking, seconds, error)
            # Its session may have been lost while nothing was read.
            return self._read()
        return Read(self.ranking, time.monotonic() - began_at, source, snapshot)

    def _expect(self, more_seconds: float = 0) -> None:
        limit = live_settings.QUERY_TIMEOUT_SECONDS + HANG_SLACK_SECONDS
        self.back_by = time.monotonic() + limit + more_seconds

    def cut_overdue(self, now: float) -> None:
        """End a read whose server doesn't answer, not even that it took too long. Any thread may call it."""
        if self.back_by is not None and now > self.back_by:
            self._is_cut = True
            cut(self.session)

    def remove(self) -> None:
        """Close the session, or let the read that is running close it."""
        self.is_removed = True
        if self.back_by is None:
            self._close()
        else:
            cut(self.session)

    def _close(self) -> None:
        with suppress(Error):
            self.session.close()


class OwnSessions:
    """The rankings that are read with sessions of their own, at most MAX_OWN_SESSIONS at a time.

    One thread, the feed's, calls all methods but cut_overdue().
    """

    def __init__(self, alias: str, wake_up: SelectableEvent) -> None:
        self._alias, self._wake_up = alias, wake_up
        self._sessions: dict[str, OwnSession] = {}
        self._done: SimpleQueue[tuple[OwnSession, Read | FailedRead]] = SimpleQueue()

    def __contains__(self, slug: object) -> bool:
        return slug in self._sessions

    @property
    def slugs(self) -> frozenset[str]:
        """The rankings."""
        return frozenset(self._sessions)

    def add(self, ranking: Ranking) -> None:
        """Read a ranking as soon as there is a session for it."""
        self._sessions.setdefault(ranking.id, OwnSession(self._alias, ranking))

    def remove(self, slug: str) -> None:
        """Read a ranking no more, and close its session."""
        self._sessions.pop(slug).remove()

    def request(self, slug: str) -> None:
        """Read a ranking again, because it may have changed. One that fails waits for its next attempt."""
        own = self._sessions[slug]
        if not own.is_failing:
            own.due_at = time.monotonic()

    def retry_after(self, slug: str, seconds: float) -> None:
        """Read a ranking again after a read that failed."""
        own = self._sessions[slug]
        own.is_failing, own.due_at = True, time.monotonic() + seconds

    def keep(self, slug: str) -> None:
        """Go on with a ranking whose read has succeeded. It keeps its session unless others need one."""
        own = self._sessions[slug]
        own.is_failing = False
        if len(self._sessions) > MAX_OWN_SESSIONS and own.back_by is None:
            own._close()

    def start_due(self, now: float) -> None:
        """Start the reads that are due: those that have waited longest, as many as there may be at a time."""
        for own in sorted(self._idle(), key=lambda own: own.due_at)[: self._room]:
            if own.due_at <= now:
                own.start(self._done, self._wake_up)

    @property
    def next_at(self) -> float:
        """When a read can start next: in the past if one can now, infinity if none is due."""
        return min((own.due_at for own in self._idle()), default=math.inf) if self._room else math.inf

    @property
    def _room(self) -> int:
        running = sum(own.back_by is not None for own in self._sessions.values())
        return max(MAX_OWN_SESSIONS - running, 0)

    def _idle(self) -> Iterable[OwnSession]:
        return [own for own in self._sessions.values() if own.back_by is None]

    def results(self) -> Iterable[Read | FailedRead]:
        """Yield the results of the reads that have ended since the last call."""
        with suppress(Empty):
            while True:
                own, result = self._done.get_nowait()
                if self._sessions.get(result.ranking.id) is own:
                    yield result

    def cut_overdue(self, now: float) -> None:
        """End the reads whose server doesn't answer. Any thread may call it."""
        for own in list(self._sessions.values()):
            own.cut_overdue(now)

    def close(self) -> None:
        """Read nothing more."""
        for slug in list(self._sessions):
            self.remove(slug)
        list(self.results())


def connect_seconds(options: dict[str, Any]) -> float:
    """Return how long a session's connecting may take, by its options."""
    return float(options["connect_timeout"] or CONNECT_TIMEOUT_SECONDS)
