"""Read the changes of a table or a materialized view, row by row, from a subscription of RisingWave.

The migration operation CreateSubscription creates one. https://docs.risingwave.com/serve/subscription,
src/frontend/src/handler/declare_cursor.rs and src/frontend/src/session/cursor_manager.rs at v3.0.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from django.db import NotSupportedError, connections

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
# Nothing is sent while a FETCH waits, so only TCP's keepalives notice that the server's machine is gone, here
# after 25 s. Seconds until the first, and between two. https://www.postgresql.org/docs/18/libpq-connect.html
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


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

    Any thread may use it, one at a time. A cursor ends with its session, and when nothing has changed for as
    long as the subscription's retention. Then each fetch raises an error until the cursor is opened or
    declared again.
    """

    def __init__(self, subscription: str, *, using: str, since: Since = "now") -> None:
        self.subscription = subscription
        self.using = using
        self._since = _since_sql(since)
        self._connection: DatabaseWrapper | None = None

    def open(self) -> None:
        """Connect and declare the cursor at `since`.

        Raises NotSupportedError on the stand-in, which has no subscriptions, and other django.db.Errors.
        """
        connection = cast("DatabaseWrapper", connections[self.using].copy())
        # The cursor would keep a connection from the pool for as long as it is open.
        connection.settings_dict["OPTIONS"].pop("pool", None)
        connection.settings_dict["OPTIONS"] = _KEEPALIVE | connection.settings_dict["OPTIONS"]
        connection.inc_thread_sharing()
        self._connection = connection
        try:
            self._check_server(connection)
            self._declare(self._since)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, and so the cursor. Does nothing if it isn't open."""
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
        self._execute(f"CLOSE {_CURSOR}")
        self._declare(begin)

    def fetch(self, size: int = 100, *, timeout: int | None = None) -> list[Change]:
        """Return the next changes, at most `size`. If there are none, wait up to `timeout` seconds.

        Returns as soon as there is a change; an empty list after the timeout, at once without a timeout, and
        once after ALTER TABLE. A fetch that waits can't be cancelled, and may miss that a change has arrived
        until its timeout; the next fetch returns it. https://github.com/risingwavelabs/risingwave/issues/22643

        Raises ValueError unless the timeout is a whole number of seconds: RisingWave ignores the fraction
        (convert_interval_to_u64_seconds() in src/frontend/src/handler/util.rs). Raises django.db.Error.
        """
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"size must be a positive integer, not {size!r}.")
        if timeout is not None and (not isinstance(timeout, int) or timeout < 1):
            raise ValueError(f"timeout must be a positive integer of seconds or None, not {timeout!r}.")
        wait = "" if timeout is None else f" WITH (timeout = '{timeout:d}s')"
        return self._execute(f"FETCH {size:d} FROM {_CURSOR}{wait}")

    def flush(self) -> None:
        """Wait until all earlier writes can be read, or fetched. Raises django.db.Error."""
        self._open_connection.flush()

    @property
    def _open_connection(self) -> DatabaseWrapper:
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
        name = self._open_connection.ops.quote_name(self.subscription)
        self._execute(f"DECLARE {_CURSOR} SUBSCRIPTION CURSOR FOR {name} {begin}")

    def _execute(self, sql: str) -> list[Change]:
        with self._open_connection.cursor() as cursor:
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
