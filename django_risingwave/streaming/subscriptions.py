"""Read the changes of a table or a materialized view, row by row, from a subscription of RisingWave.

The migration operation CreateSubscription creates one. https://docs.risingwave.com/serve/subscription,
src/frontend/src/handler/declare_cursor.rs and src/frontend/src/session/cursor_manager.rs at v3.0.3.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from django_risingwave.streaming.sessions import POLL_SECONDS, open_session

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from django_risingwave.base import DatabaseWrapper

#: Where a cursor begins: with the next epoch, with the oldest change that the subscription keeps, with all
#: existing rows, or with the changes of a timestamp in milliseconds since 1970.
Since = Literal["now", "begin", "full"] | int

_SINCE = {"now": "SINCE now()", "begin": "SINCE begin()", "full": "FULL"}
# Any name will do: the cursor has its session for itself.
_CURSOR = '"changes"'


@dataclass(frozen=True)
class Change:
    """A change of one row."""

    #: "Insert" or "Delete"; for an update "UpdateDelete" with the old row, then "UpdateInsert" with the new.
    op: str
    #: When its epoch began, in milliseconds since 1970; None for the rows that a full cursor begins with.
    rw_timestamp: int | None
    #: Values by column, without hidden columns.
    row: dict[str, Any]


class SubscriptionCursor:
    """A cursor over the changes that a subscription keeps, on a connection of its own. For both servers.

    An example::

        with SubscriptionCursor("state_turnover_changes", using="risingwave", since="full") as cursor:
            while changes := cursor.fetch(100, timeout=5):
                ...

    Changes are ordered by their `rw_timestamp`. Don't rely on the order of those with the same timestamp.

    An epoch is the time between two checkpoints. `since="now"` begins with the next epoch and leaves out the
    changes of the current one: open the cursor, call flush() and then read the rows, and no change is missed.
    A timestamp is inclusive and must lie within the subscription's retention: after the last change of
    `rw_timestamp` t, continue with `since=t + 1`.

    Any thread may use it, one at a time, and another may close it. A cursor ends with its session, and when
    nothing has changed for as long as the subscription's retention. Then each fetch raises an error until the
    cursor is opened or declared again.
    """

    def __init__(self, subscription: str, *, using: str, since: Since = "now") -> None:
        self.subscription = subscription
        self.using = using
        self._since = _since_sql(since)
        self._connection: DatabaseWrapper | None = None
        self._cursor: _ServerCursor | None = None
        #: Of a cursor that begins with "now" or "full", a timestamp that includes all of its changes, for
        #: another cursor. It may include changes that can be read already.
        self.began_at: int | None = None
        self._is_closing = threading.Event()
        # Held while statements run, so that close() in another thread doesn't interrupt one.
        self._lock = threading.Lock()

    def open(self) -> None:
        """Connect and declare the cursor at `since`. Raises django.db.Error."""
        self._is_closing.clear()
        connection = self._connection = open_session(self.using)
        try:
            standin = connection.standin
            self._cursor = (
                standin.open_log(self.subscription)
                if standin
                else _RisingWaveCursor(connection, self.subscription)
            )
            self.began_at = self._cursor.declare(self._since)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, and so the cursor. Does nothing if it isn't open.

        May be called from another thread: a fetch() that waits then returns an empty list.
        """
        self._is_closing.set()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = self._cursor = None

    def interrupt(self) -> None:
        """Let a fetch() in another thread return an empty list soon, and each later one until open()."""
        self._is_closing.set()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def declare(self, since: Since) -> None:
        """Continue at `since`: earlier changes won't be returned any more. Raises django.db.Error."""
        begin = _since_sql(since)
        with self._lock:
            self.began_at = self._opened().declare(begin)

    def fetch(self, size: int = 100, *, timeout: float | None = None) -> list[Change]:
        """Return the next changes, at most `size`. If there are none, wait up to `timeout` seconds.

        Asks the server every POLL_SECONDS until there is a change. Returns an empty list after the timeout,
        at once without a timeout, and when another thread closes the cursor.

        Raises ValueError unless the timeout is a positive number, and django.db.Error.
        """
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"size must be a positive integer, not {size!r}.")
        if timeout is not None and not _is_positive(timeout):
            raise ValueError(f"timeout must be a positive number of seconds or None, not {timeout!r}.")
        self._opened()
        until = time.monotonic() + (timeout or 0)
        while True:
            with self._lock:
                if self._is_closing.is_set():
                    return []
                changes = self._fetch(size)
            left = until - time.monotonic()
            if changes or left <= 0 or self._is_closing.wait(min(left, POLL_SECONDS)):
                return changes

    def flush(self) -> None:
        """Wait until all earlier writes can be read, or fetched. Raises django.db.Error."""
        with self._lock:
            self._opened()
            if self._connection is not None:
                self._connection.flush()

    def read_time(self) -> int | None:
        """Return a time, in milliseconds since 1970, whose earlier changes the next fetches can return.

        Once they return nothing, all later changes have this timestamp or a later one. None if the server
        can't tell at the moment. Raises django.db.Error.
        """
        with self._lock:
            return self._opened().read_time()

    def _opened(self) -> _ServerCursor:
        if self._cursor is None:
            raise ValueError(f"The cursor of subscription {self.subscription!r} is not open. Call open().")
        return self._cursor

    def _fetch(self, size: int) -> list[Change]:
        columns, rows = self._opened().fetch(size)
        # The last two are op and rw_timestamp.
        return [
            Change(op, rw_timestamp, dict(zip(columns[:-2], values, strict=True)))
            for *values, op, rw_timestamp in rows
        ]


class _ServerCursor(Protocol):
    """What SubscriptionCursor needs of a server."""

    def declare(self, begin: str) -> int | None:
        """Begin, or begin again, at a value of _since_sql(). Return SubscriptionCursor.began_at."""

    def fetch(self, size: int) -> tuple[list[str], list[Any]]:
        """Return the names of the columns, and the rows that are there."""

    def read_time(self) -> int | None:
        """Return a time whose earlier changes can be fetched."""


class _RisingWaveCursor:
    """A cursor on RisingWave, which has the session for itself."""

    def __init__(self, connection: DatabaseWrapper, subscription: str) -> None:
        self._connection = connection
        self._name = connection.ops.quote_name(subscription)
        self._is_declared = False

    def declare(self, begin: str) -> int | None:
        began_at = self.read_time() if begin in (_SINCE["now"], _SINCE["full"]) else None
        with self._connection.cursor() as cursor:
            if self._is_declared:
                cursor.execute(f"CLOSE {_CURSOR}")
                self._is_declared = False
            cursor.execute(f"DECLARE {_CURSOR} SUBSCRIPTION CURSOR FOR {self._name} {begin}")
            self._is_declared = True
        return began_at

    def fetch(self, size: int) -> tuple[list[str], list[Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"FETCH {size:d} FROM {_CURSOR}")
            # Each FETCH has its own columns: ALTER TABLE changes them.
            return [column[0] for column in cursor.description], cursor.fetchall()

    def read_time(self) -> int:
        """Return now(), which is the time of the last epoch that a SELECT can see (RisingWave 2.8.0)."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM now())")
            ((seconds,),) = cursor.fetchall()
        return int(seconds * 1000)


def check_since(since: Since | datetime) -> Since:
    """Return where to begin, with a time in milliseconds. Raises ValueError if it can't be read."""
    if isinstance(since, datetime):
        if since.tzinfo is None:
            raise ValueError(
                f"since must be a datetime with a time zone, not {since!r}. Use django.utils.timezone."
            )
        return int(since.timestamp() * 1000)
    _since_sql(since)
    return since


def _since_sql(since: Since) -> str:
    if isinstance(since, int) and not isinstance(since, bool) and since >= 0:
        return f"SINCE {since}"
    if isinstance(since, str) and since in _SINCE:
        return _SINCE[since]
    raise ValueError(f'since must be "now", "begin", "full" or milliseconds since 1970, not {since!r}.')


def _is_positive(seconds: Any) -> bool:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return is_number and math.isfinite(seconds) and seconds > 0
