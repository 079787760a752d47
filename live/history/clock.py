"""The thread that keeps the history: it records each minute, and tells what rankings are compared with.

It starts with the process, whether or not anybody watches, and ends with it.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import Error

from live.alerts import telling
from live.alerts.judging import judge
from live.conf import RETRY_HISTORY_SECONDS, TELL_ALERTS_AFTER_SECONDS, live_settings
from live.declared.registry import declared
from live.history import records
from live.history.comparisons import find_comparisons
from live.history.lookups import ends
from live.history.recording import Recorder
from live.history.records import MINUTE
from live.history.sparklines import find_sparklines
from live.history_support import is_supported
from live.models import DeclaredRanking, Record
from live.outages import Outage
from live.rankings import RelationRanking, variants
from live.users.database import is_unmigrated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from live.history.sparklines import Sparklines
    from live.rankings import Ranking
    from live.snapshots import Comparison

    #: Gets the comparisons and the sparklines of all rankings by Ranking.id, in the clock's thread.
    Follower = Callable[[Mapping[str, Comparison], Mapping[str, Sparklines]], None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class History:
    """What is known of the history in one minute."""

    minute: datetime
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    sparklines: dict[str, Sparklines] = field(default_factory=dict)
    #: How long the last read of each ranking took.
    milliseconds: dict[str, float | None] = field(default_factory=dict)
    #: The time of the newest record of any ranking.
    newest: datetime | None = None


class HistoryClock(threading.Thread):
    """Records all rankings at each minute that no other process has claimed, and reads the history once."""

    def __init__(self) -> None:
        super().__init__(name="history", daemon=True)
        self.process = os.getpid()
        self.known: History | None = None
        self._followers: list[Follower] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._outage = Outage("history", "be kept", MINUTE.total_seconds())
        self._judging_outage = Outage("thresholds", "be judged", MINUTE.total_seconds())
        self._recorder = Recorder()
        self._is_missing_logged = False
        #: Those of the last minute.
        self._rankings: list[Ranking] = []
        #: When this process thinned out the records last.
        self._thinned_at: datetime | None = None

    def follow(self, follower: Follower) -> None:
        """Tell the history each minute, and at once if something is known.

        One that raises RuntimeError, because its event loop is closed, is told no more.
        """
        with self._lock:
            self._followers.append(follower)
        if self.known is not None:
            self._tell(follower, self.known)

    def stop(self) -> None:
        """End the thread soon, without waiting for it. May be called from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Keep the history until stopped. Survives any exception."""
        while not self._stopping.is_set():
            try:
                seconds = self._attempt(datetime.now(UTC))
            except Exception:
                logger.exception("history: its clock has failed")
                seconds = RETRY_HISTORY_SECONDS
            if seconds > TELL_ALERTS_AFTER_SECONDS and not self._stopping.wait(TELL_ALERTS_AFTER_SECONDS):
                self._tell_alerts()
                seconds -= TELL_ALERTS_AFTER_SECONDS
            self._stopping.wait(seconds)
        self._outage.give_up()
        self._judging_outage.give_up()
        self._recorder.give_up()

    def _attempt(self, now: datetime) -> float:
        """Do what this minute needs, and return the seconds until the next attempt."""
        minute = records.floor(now)
        delay = MINUTE.total_seconds()
        try:
            self.keep(minute)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next minute may be recorded
            delay = self._fail(error)
        else:
            self._outage.succeed()
            self._is_missing_logged = False
        finally:
            # It is needed for a few milliseconds in a minute.
            with suppress(Error):
                records.connection().close()
        # A clock that is set back must not stop the history.
        until_next = (minute + MINUTE - datetime.now(UTC)).total_seconds()
        return min(delay, max(until_next, 0.0), MINUTE.total_seconds())

    def keep(self, minute: datetime) -> None:
        """Tell the history of this minute, then record it. Raises django.db.Error.

        In this order, so that all processes tell it at the same time: the records of this minute don't count.
        """
        # Those of users as they are now: RANKINGS has them only while somebody looks at this process.
        coded = [ranking for ranking in variants() if not isinstance(ranking, RelationRanking)]
        self._rankings = rankings = [*coded, *declared().values()]
        if not rankings:
            return
        known_ends = ends(ranking.id for ranking in rankings)
        comparisons = find_comparisons(((ranking, minute) for ranking in rankings), minute, known_ends)
        sparklines = find_sparklines(rankings, minute - MINUTE, known_ends)
        milliseconds = {id_: known.milliseconds for id_, known in known_ends.items()}
        newest = max((known.newest for known in known_ends.values()), default=None)
        self.known = History(minute, comparisons, sparklines, milliseconds, newest)
        with self._lock:
            followers = list(self._followers)
        for follower in followers:
            self._tell(follower, self.known)
        telling.tell(rankings)
        has_claimed = False
        for ranking, record in self._recorder.record(minute, rankings):
            has_claimed = True
            self._judge(ranking, record)
        if has_claimed:
            telling.tell(rankings)
        is_due = self._thinned_at is None or minute - self._thinned_at >= records.QUARTER_HOUR
        if has_claimed and is_due:
            records.thin(minute, self._thinned_at)
            self._thinned_at = minute

    def _tell_alerts(self) -> None:
        """Tell what other processes have found in their records of this minute."""
        # Whatever is wrong is told of in the next minute.
        with suppress(Exception):
            telling.tell(self._rankings)
        with suppress(Error):
            records.connection().close()

    def _judge(self, ranking: Ranking, record: Record) -> None:
        try:
            judge(ranking, record)
        except Exception as error:  # noqa: BLE001 - the other rankings must be recorded all the same
            self._judging_outage.fail(error)
        else:
            self._judging_outage.succeed()

    def _tell(self, follower: Follower, known: History) -> None:
        try:
            follower(known.comparisons, known.sparklines)
        except RuntimeError:
            with self._lock, suppress(ValueError):
                self._followers.remove(follower)

    def _fail(self, error: Exception) -> float:
        """Log what is wrong, and return the seconds until the next attempt."""
        if not is_unmigrated(error, Record, DeclaredRanking):
            return max(self._outage.fail(error), RETRY_HISTORY_SECONDS)
        if not self._is_missing_logged:
            self._is_missing_logged = True
            logger.warning(
                "history: isn't kept (%s). Run: manage.py migrate --database %s",
                str(error).split("\n")[0],
                records.connection().alias,
            )
        return MINUTE.total_seconds()


_clock: HistoryClock | None = None
_lock = threading.Lock()
_is_unsupported_logged = False


def start() -> HistoryClock | None:
    """Start this process's clock if it doesn't run, and return it; None if no history is kept here."""
    global _clock, _is_unsupported_logged  # noqa: PLW0603 - one process, one clock
    if not live_settings.HISTORY:
        return None
    with _lock:
        if not is_supported():
            if not _is_unsupported_logged:
                _is_unsupported_logged = True
                logger.warning("history: isn't kept, because the database of users isn't PostgreSQL")
            return None
        # A thread doesn't survive the fork by which some servers start their workers.
        if _clock is None or not _clock.is_alive() or _clock.process != os.getpid():
            _clock = HistoryClock()
            try:
                _clock.start()
            except RuntimeError as error:  # The process has as many threads as it may have.
                logger.warning("history: isn't kept, because no thread can be started (%s)", error)
                _clock = None
        return _clock


def follow(follower: Follower) -> None:
    """Tell a function the comparisons and the sparklines each minute, and at once if some are known.

    It is called in the clock's thread or in this one. One that raises RuntimeError is told no more.
    """
    clock = start()
    if clock is not None:
        clock.follow(follower)


def running() -> HistoryClock | None:
    """Return this process's clock, None if it doesn't run. May be called from any thread."""
    return _clock if _clock is not None and _clock.is_alive() else None


def sparklines() -> dict[str, Sparklines]:
    """Return the small charts of this minute, by Ranking.id; none while no history is known."""
    known = _known()
    return {} if known is None else known.sparklines


def milliseconds(ranking: Ranking) -> float | None:
    """Return how long the last read for a record of a ranking took; None if that isn't known."""
    known = _known()
    return None if known is None else known.milliseconds.get(ranking.id)


def _known() -> History | None:
    """Return what is known in this minute, and see to it that something will be."""
    clock = start()
    return None if clock is None else clock.known


def stop() -> None:
    """End this process's clock, and wait for it. For tests."""
    global _clock
    with _lock:
        clock, _clock = _clock, None
    if clock is not None:
        clock.stop()
        clock.join()
