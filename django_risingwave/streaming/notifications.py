from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.psycopg_any import is_psycopg3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.backends.base.base import BaseDatabaseWrapper


class Notifications:
    """The notifications that PostgreSQL sends on some channels from now on. RisingWave has no LISTEN.

    A selector can wait for them. The connection must be in autocommit mode: PostgreSQL sends none within a
    transaction. Raises django.db.Error if it can't listen. https://www.postgresql.org/docs/18/sql-listen.html
    """

    def __init__(self, connection: BaseDatabaseWrapper, *channels: str) -> None:
        with connection.cursor() as cursor:
            for channel in channels:
                cursor.execute(f"LISTEN {connection.ops.quote_name(channel)}")
        self._wrapper = connection
        self._connection: Any = connection.connection

    def fileno(self) -> int:
        """Return the file descriptor that is readable when a notification has arrived."""
        number: int = self._connection.fileno()
        return number

    def receive(self) -> set[str]:
        """Return the lines of all payloads that have arrived since the last call, during other queries too.

        Doesn't wait. Raises django.db.Error when the connection is lost.
        """
        return {line for _, line in self.receive_with_channels()}

    def receive_with_channels(self) -> set[tuple[str, str]]:
        """Return the same as pairs of (channel, line)."""
        with self._wrapper.wrap_database_errors:
            if is_psycopg3:
                # https://www.psycopg.org/psycopg3/docs/advanced/async.html#asynchronous-notifications
                return _lines(self._connection.notifies(timeout=0))
            # https://www.psycopg.org/docs/advanced.html#asynchronous-notifications
            self._connection.poll()
            lines = _lines(self._connection.notifies)
            self._connection.notifies.clear()
            return lines

    def close(self) -> None:
        """Do nothing: the connection belongs to the caller and listens until it is closed."""


def _lines(notifications: Iterable[Any]) -> set[tuple[str, str]]:
    return {
        (notification.channel, line)
        for notification in notifications
        for line in notification.payload.splitlines()
    }
