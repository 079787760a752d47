"""Learn from RisingWave's subscriptions which relations have changed, with one session for all of them.

https://docs.risingwave.com/serve/subscription, src/frontend/src/session/cursor_manager.rs at v3.0.3.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from django.db import Error
from django.db.backends.postgresql.psycopg_any import is_psycopg3

from django_risingwave.streaming.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.selectable_event import SelectableEvent

logger = logging.getLogger(__name__)

#: Rows that one FETCH returns at most: more than most epochs change of the 50 leading rows of a ranking.
FETCH_ROWS = 100
#: The share of the time that rounds may take. The rest is the caller's, and other users' of the server.
MAX_SHARE = 0.1
#: Seconds to which the interval is stretched at most: later than that, nobody would call it live.
MAX_STRETCHED_SECONDS = 1.0
#: Seconds between two log lines about sessions that are opened again.
LOG_SECONDS = 60.0
#: Rounds over which their duration is averaged, so that a single slow one doesn't delay the next.
AVERAGED_ROUNDS = 8


class Pace:
    """Chooses the interval between rounds of polling: longer than asked for if the rounds take long."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._average = 0.0

    def interval_after(self, round_seconds: float) -> float:
        """Return the seconds from the start of a round, which took `round_seconds`, to that of the next."""
        self._average += (round_seconds - self._average) / AVERAGED_ROUNDS
        return max(self._interval, min(self._average / MAX_SHARE, MAX_STRETCHED_SECONDS))


class PolledSubscriptions:
    """Polls a subscription of each relation. All cursors are in one session, whatever their number."""

    def __init__(
        self, using: str, subscriptions: Mapping[str, str], interval: float, *, skip_failing: bool = False
    ) -> None:
        """Connect and declare a cursor for each subscription, given by relation. Raises django.db.Error.

        wait() reports every change that a read after this call may have missed. With `skip_failing`, a
        subscription that fails while the session is alive is left out.
        """
        self._using = using
        self._skip_failing = skip_failing
        #: Why the subscriptions fail that are left out, by relation.
        self.failed: dict[str, Error] = {}
        self._numbers = count(1)
        self._cursors = {
            relation: self._cursor(subscription) for relation, subscription in subscriptions.items()
        }
        self._pace = Pace(interval)
        #: Time of the monotonic clock.
        self._next_round_at = 0.0
        self._may_log_at = 0.0
        #: Whether a round has succeeded since the session was opened.
        self._may_reopen = False
        self._session = self._open()

    @property
    def sessions(self) -> list[DatabaseWrapper]:
        """The session with the cursors."""
        return [self._session]

    def _cursor(self, subscription: str) -> _Cursor:
        return _Cursor(f"changes_{next(self._numbers)}", subscription)

    def listen_to(self, subscriptions: Mapping[str, str]) -> None:
        """Poll these subscriptions from now on, given by relation. The cursors of those polled already stay.

        wait() reports every change that a read of a new one after this call may have missed.
        """
        gone = self._cursors.keys() - subscriptions.keys()
        closed = [self._cursors.pop(relation) for relation in gone]
        self.failed = {
            relation: self.failed[relation] for relation in self.failed.keys() & subscriptions.keys()
        }
        added = subscriptions.keys() - self._cursors.keys() - self.failed.keys()
        for relation in sorted(added):
            self._cursors[relation] = self._cursor(subscriptions[relation])
        try:
            for cursor in closed:
                _execute(self._session, cursor.close_sql)
            for relation in sorted(added):
                self._try(self._session, relation, self._cursors[relation].declare_sql("now()"))
            if added:
                self._session.flush()
        except Error:
            # The next round finds that the session is lost, or a cursor missing: it opens all anew, and
            # reports all relations as changed.
            self._next_round_at = 0.0

    def wait(self, timeout: float, wake: SelectableEvent) -> set[str]:
        """Return the relations that have changed; poll until one has, until the timeout, or until `wake`.

        Begins with a round if one is due. Raises django.db.Error when the session is lost and can't be
        opened again.
        """
        until = time.monotonic() + timeout
        while True:
            if time.monotonic() >= self._next_round_at and (changed := self._poll()):
                return changed
            left = min(until, self._next_round_at) - time.monotonic()
            if wake.wait(max(left, 0)) or time.monotonic() >= until:
                return set()

    def close(self) -> None:
        """Close the session, and so the cursors."""
        self._session.close()

    def _open(self) -> DatabaseWrapper:
        session = open_session(self._using)
        try:
            for relation, cursor in list(self._cursors.items()):
                self._try(session, relation, cursor.declare_sql("now()"))
            # A change has the timestamp at which its epoch began, and the cursors begin with the next epoch
            # (prev_epoch() in src/meta/src/barrier/command.rs at v3.0.3). FLUSH ends the current epoch, so
            # that a later read sees all of its changes.
            session.flush()
        except BaseException:
            session.close()
            raise
        return session

    def _poll(self) -> set[str]:
        """Fetch from each cursor once. If one fails, open all anew and report all relations as changed.

        The answers of the other cursors may be lost, and changes may be missed before all are open again.
        """
        began_at = time.monotonic()
        try:
            changed = self._fetch()
        except Error as error:
            relations = set(self._cursors)
            if not self._may_reopen:
                if not self._skip_failing:
                    raise
                for relation, cursor in list(self._cursors.items()):
                    self._try(self._session, relation, cursor.fetch_sql)
                if relations == set(self._cursors):
                    raise
                return relations
            self._may_reopen = False
            if began_at >= self._may_log_at:
                self._may_log_at = began_at + LOG_SECONDS
                logger.info("subscriptions: the session with their cursors is opened again (%s)", error)
            self._session.close()
            self._session = self._open()
            return relations
        self._may_reopen = True
        self._next_round_at = began_at + self._pace.interval_after(time.monotonic() - began_at)
        return changed

    def _fetch(self) -> set[str]:
        if not self._cursors:
            return set()
        statements = [cursor.fetch_sql for cursor in self._cursors.values()]
        results = dict(zip(self._cursors, _results(self._session, statements), strict=True))
        for relation, rows in results.items():
            if len(rows) == FETCH_ROWS:
                self._skip_epoch(self._cursors[relation], rows[-1][-1])
        return {relation for relation, rows in results.items() if rows}

    def _try(self, session: DatabaseWrapper, relation: str, sql: str) -> None:
        """Execute a statement; leave the relation out if it fails. Raises django.db.Error if any would."""
        try:
            _execute(session, sql)
        except Error as error:
            if not self._skip_failing:
                raise
            _execute(session, "SELECT 1")
            del self._cursors[relation]
            self.failed[relation] = error

    def _skip_epoch(self, cursor: _Cursor, timestamp: int) -> None:
        """Leave out the remaining changes of an epoch: that the relation has changed is known already.

        So a round is short however many rows have changed, and none are left for later rounds.
        """
        _execute(self._session, cursor.close_sql)
        _execute(self._session, cursor.declare_sql(str(timestamp + 1)))


@dataclass(frozen=True)
class _Cursor:
    name: str
    subscription: str

    @property
    def fetch_sql(self) -> str:
        return f'FETCH {FETCH_ROWS} FROM "{self.name}"'

    @property
    def close_sql(self) -> str:
        return f'CLOSE "{self.name}"'

    def declare_sql(self, since: str) -> str:
        return f'DECLARE "{self.name}" SUBSCRIPTION CURSOR FOR "{self.subscription}" SINCE {since}'


def _execute(session: DatabaseWrapper, sql: str) -> None:
    with session.cursor() as cursor:
        cursor.execute(sql)


def _results(session: DatabaseWrapper, statements: list[str]) -> Iterator[list[Any]]:
    """Yield the rows of each statement. psycopg 3 sends all in one query; psycopg2 would drop results."""
    with session.cursor() as cursor:
        for query in ["; ".join(statements)] if is_psycopg3 else statements:
            cursor.execute(query)
            yield cursor.fetchall()
            while is_psycopg3 and cursor.nextset():
                yield cursor.fetchall()
