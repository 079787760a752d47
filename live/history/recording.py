"""Reads all rankings once a minute, watched or not, and writes the records that this process has claimed."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from django.db import Error, connections, router

from django_risingwave.streaming.expiry import expire
from django_risingwave.streaming.sessions import open_session
from live import metrics
from live.conf import HANG_SLACK_SECONDS, RECORD_SECONDS, live_settings
from live.feeding.sources import find_sources
from live.history import records
from live.outages import Outage
from live.users import deadlines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from django_risingwave.base import DatabaseWrapper
    from live.feeding.sources import Source
    from live.models import Record
    from live.rankings import Ranking
    from live.snapshots import Totals, Values


class Recorder:
    """Writes the records of one minute after another. One thread uses it."""

    def __init__(self) -> None:
        #: Of rankings that can't be read while others can, by Ranking.id.
        self._outages: dict[str, Outage] = {}

    def record(self, minute: datetime, rankings: Sequence[Ranking]) -> Iterator[tuple[Ranking, Record]]:
        """Claim and read one ranking after the other; yield the records that have been written.

        Several processes share a minute's rankings. One that fails leaves a gap and harms no other; those
        that failed last come last. Raises django.db.Error if one of the servers is lost.
        """
        until = time.monotonic() + RECORD_SECONDS
        session: _Session | None = None
        try:
            for ranking in sorted(rankings, key=self._is_failing):
                if time.monotonic() > until or not records.claim(ranking, minute):
                    continue
                # Outside of the block below: who can't connect has lost the server.
                session = session or _Session(rankings)
                try:
                    began_at = time.monotonic()
                    values, totals = session.read(ranking)
                    milliseconds = round((time.monotonic() - began_at) * 1_000, 1)
                    record = records.fill(ranking, minute, values, totals, milliseconds)
                except Exception as error:  # noqa: BLE001 - a ranking's own functions may raise anything
                    session.close()
                    session = None
                    self._fail(ranking, error)
                else:
                    self._succeed(ranking)
                    yield ranking, record
        finally:
            if session is not None:
                session.close()

    def _is_failing(self, ranking: Ranking) -> bool:
        return ranking.id in self._outages and self._outages[ranking.id].is_on

    def _fail(self, ranking: Ranking, error: Exception) -> None:
        metrics.HISTORY_ERRORS.labels(ranking.id).inc()
        if ranking.id not in self._outages:
            minute_seconds = records.MINUTE.total_seconds()
            self._outages[ranking.id] = Outage(f"history of {ranking.id}", "be recorded", minute_seconds)
        self._outages[ranking.id].fail(error)

    def _succeed(self, ranking: Ranking) -> None:
        metrics.HISTORY_RECORDS.labels(ranking.id).inc()
        if self._is_failing(ranking):
            self._outages[ranking.id].succeed()

    def give_up(self) -> None:
        """End the outages: nobody records any more."""
        for outage in self._outages.values():
            outage.give_up()


class _Session:
    """A session in the database of the rankings, as this thread's connection."""

    def __init__(self, rankings: Sequence[Ranking]) -> None:
        """Connect. Raises django.db.Error."""
        self._alias = router.db_for_read(rankings[0].model)
        self._connection: DatabaseWrapper = open_session(self._alias)
        # The ORM uses it until it is closed.
        self._usual = connections[self._alias]
        connections[self._alias] = self._connection
        try:
            self._connection.ensure_connection()
            with self._deadline():
                self._connection.limit_queries(live_settings.QUERY_TIMEOUT_SECONDS)
            with self._deadline():
                self._sources: dict[str, Source] = find_sources(self._alias, rankings)
            with self._deadline():
                # On the stand-in, rows leave the windows that nobody watches only here.
                expire(self._alias, seconds=live_settings.QUERY_TIMEOUT_SECONDS / 2)
        except BaseException:
            self.close()
            raise

    def read(self, ranking: Ranking) -> tuple[Values, Totals | None]:
        """Return the leading rows and the totals of a ranking. Raises django.db.Error."""
        source = self._sources[ranking.id]
        with self._deadline():
            values = source.rows()
        with self._deadline():
            return values, source.totals()

    def _deadline(self) -> AbstractContextManager[None]:
        """End the session if a query takes longer: a server that hangs enforces no limit."""
        return deadlines.within(self._connection, live_settings.QUERY_TIMEOUT_SECONDS + HANG_SLACK_SECONDS)

    def close(self) -> None:
        connections[self._alias] = self._usual
        with suppress(Error):
            self._connection.close()
