"""Changes of a table or a materialized view, row by row, from a subscription of RisingWave's.

CreateSubscription, in migration_operations.py, makes one. https://docs.risingwave.com/serve/subscription,
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

#: Where a cursor begins: with the next epoch, with what the subscription still keeps, with all the rows there
#: are, or with the changes of a moment, in milliseconds since 1970.
Since = Literal["now", "begin", "full"] | int

_SINCE = {"now": "SINCE now()", "begin": "SINCE begin()", "full": "FULL"}
# A cursor belongs to its session, which has this one.
_NAME = '"changes"'
# While a FETCH waits nothing is sent, so that nobody would notice that the server's machine has gone: seconds
# until it is asked, and between two attempts. https://www.postgresql.org/docs/18/libpq-connect.html
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


@dataclass(frozen=True)
class Change:
    """One row's change."""

    #: "Insert", "Delete", or of an update "UpdateDelete" with the old row, then "UpdateInsert" with the new.
    op: str
    #: The beginning of its epoch, in milliseconds since 1970; None for the rows a full cursor begins with.
    rw_timestamp: int | None
    #: The columns, without the hidden ones.
    row: dict[str, Any]


class SubscriptionCursor:
    """A cursor over the changes of a subscription, on a connection of its own.

    An example::

        with SubscriptionCursor("state_turnover_changes", using="risingwave", since="full") as cursor:
            while changes := cursor.fetch(100, timeout=5):
                ...

    Changes come in the order of their `rw_timestamp`, and within one in that of the key.

    An epoch is the time between two checkpoints. `since="now"` begins with the next: a change in the one in
    progress isn't told. So open the cursor, flush, and read what there is, and nothing falls between. A
    moment is inclusive: after all changes of `rw_timestamp` t, go on with `since=t + 1`. It must lie within
    the subscription's retention.

    Whoever opens it may hand it to another thread, but only one may use it at a time. A cursor ends with its
    session, and when nothing has changed for as long as the subscription's retention: every fetch is then an
    error, and it must be opened or declared again.
    """

    def __init__(self, subscription: str, *, using: str, since: Since = "now") -> None:
        self.subscription = subscription
        self.using = using
        self._since = _since_sql(since)
        self._connection: DatabaseWrapper | None = None

    def open(self) -> None:
        """Connect and declare the cursor, which begins at `since`.

        Raises NotSupportedError on the stand-in, which has no subscriptions, and django.db.Error.
        """
        connection = cast("DatabaseWrapper", connections[self.using].copy())
        # A pool's connections are for those who give them back soon.
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
        """Close the connection, and so the cursor. No error if it isn't open."""
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
        """Begin anew elsewhere: the changes before that are not told any more. Raises django.db.Error."""
        begin = _since_sql(since)
        self._execute(f"CLOSE {_NAME}")
        self._declare(begin)

    def fetch(self, size: int = 100, *, timeout: int | None = None) -> list[Change]:
        """Return the next changes, at most `size`; if there are none, wait up to `timeout` seconds for some.

        It returns as soon as there is one. The list is empty after the timeout, or at once without one; and
        once when the table was altered. It can't be cancelled meanwhile:
        https://github.com/risingwavelabs/risingwave/issues/22643.

        The timeout is in whole seconds: convert_interval_to_u64_seconds() in src/frontend/src/handler/util.rs
        drops the rest. Raises ValueError for another, and django.db.Error.
        """
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"A size of 1 or more changes is needed, not {size!r}.")
        if timeout is not None and (not isinstance(timeout, int) or timeout < 1):
            raise ValueError(f"A timeout in whole seconds is needed, 1 or more, or None; not {timeout!r}.")
        wait = "" if timeout is None else f" WITH (timeout = '{timeout:d}s')"
        return self._execute(f"FETCH {size:d} FROM {_NAME}{wait}")

    def flush(self) -> None:
        """Wait until all that was written before can be read, or is told. Raises django.db.Error."""
        self._open_connection.flush()

    @property
    def _open_connection(self) -> DatabaseWrapper:
        if self._connection is None:
            raise ValueError(f"The cursor of subscription {self.subscription!r} is not open.")
        return self._connection

    @staticmethod
    def _check_server(connection: DatabaseWrapper) -> None:
        if not connection.is_risingwave:
            raise NotSupportedError(
                f"{connection.server_name} has no subscriptions. ChangeListener, of "
                "django_risingwave.streaming.changes, hears on either server which materialized views change."
            )

    def _declare(self, begin: str) -> None:
        name = self._open_connection.ops.quote_name(self.subscription)
        self._execute(f"DECLARE {_NAME} SUBSCRIPTION CURSOR FOR {name} {begin}")

    def _execute(self, sql: str) -> list[Change]:
        with self._open_connection.cursor() as cursor:
            cursor.execute(sql)
            if cursor.description is None:
                return []
            # For each FETCH anew: columns come and go with ALTER TABLE. The last two are the change's own.
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
    raise ValueError(
        f'A cursor begins at "now", "begin" or "full", or at milliseconds since 1970; not at {since!r}.'
    )
