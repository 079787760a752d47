"""Read the changes of a table or a materialized view, row by row, from a subscription of RisingWave.

The migration operation CreateSubscription creates one. https://docs.risingwave.com/serve/subscription,
src/frontend/src/handler/declare_cursor.rs and src/frontend/src/session/cursor_manager.rs at v3.0.3.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from django.db import NotSupportedError

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
    """A cursor over the changes that a subscription keeps, on a connection of its own.

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
        self._is_closing = threading.Event()
        # Held while statements run, so that close() in another thread doesn't interrupt one.
        self._lock = threading.Lock()

    def open(self) -> None:
        """Connect and declare the cursor at `since`.

        Raises NotSupportedError on the stand-in, which has no subscriptions, and other django.db.Errors.
        """
        self._is_closing.clear()
        self._connection = open_session(self.using)
        try:
            self._check_server(self._connection)
            self._declare(self._since)
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
                self._connection = None

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
            self._execute(f"CLOSE {_CURSOR}")
            self._declare(begin)

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
                changes = self._execute(f"FETCH {size:d} FROM {_CURSOR}")
            left = until - time.monotonic()
            if changes or left <= 0 or self._is_closing.wait(min(left, POLL_SECONDS)):
                return changes

    def flush(self) -> None:
        """Wait until all earlier writes can be read, or fetched. Raises django.db.Error."""
        with self._lock:
            self._opened().flush()

    def _opened(self) -> DatabaseWrapper:
        if self._connection is None:
            raise ValueError(f"The cursor of subscription {self.subscription!r} is not open. Call open().")
        return self._connection

    @staticmethod
    def _check_server(connection: DatabaseWrapper) -> None:
        if not connection.is_risingwave:
            raise NotSupportedError(
                f"{connection.server_name} has no subscriptions. Use ChangeListener of "
                "django_risingwave.streaming.changes, which tells on either server which views have changed."
            )

    def _declare(self, begin: str) -> None:
        name = self._opened().ops.quote_name(self.subscription)
        self._execute(f"DECLARE {_CURSOR} SUBSCRIPTION CURSOR FOR {name} {begin}")

    def _execute(self, sql: str) -> list[Change]:
        with self._opened().cursor() as cursor:
            cursor.execute(sql)
            if cursor.description is None:
                return []
            # Each FETCH has its own: ALTER TABLE changes them. The last two are op and rw_timestamp.
            columns = [column[0] for column in cursor.description[:-2]]
            return [
                Change(op, rw_timestamp, dict(zip(columns, values, strict=True)))
                for *values, op, rw_timestamp in cursor.fetchall()
            ]


def _since_sql(since: Since) -> str:
    if isinstance(since, int) and not isinstance(since, bool) and since >= 0:
        return f"SINCE {since}"
    if isinstance(since, str) and since in _SINCE:
        return _SINCE[since]
    raise ValueError(f'since must be "now", "begin", "full" or milliseconds since 1970, not {since!r}.')


def _is_positive(seconds: Any) -> bool:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return is_number and math.isfinite(seconds) and seconds > 0
