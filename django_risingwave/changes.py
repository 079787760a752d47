"""Tells which materialized views have changed, where the server tells it."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING, cast

from django.db import connections
from django.db.backends.postgresql.psycopg_any import is_psycopg3

from django_risingwave.standin import CHANNEL

if TYPE_CHECKING:
    import socket

    from django_risingwave.base import DatabaseWrapper


class ChangeListener:
    """Waits on the calling thread's own connection for materialized views to change.

    The stand-in tells each change by NOTIFY. RisingWave has no LISTEN, so nothing is told there: read again
    every now and then. https://www.postgresql.org/docs/18/sql-notify.html
    """

    def __init__(self, using: str) -> None:
        self.connection = cast("DatabaseWrapper", connections[using])

    def start(self) -> bool:
        """Connect and listen; tell whether changes will be told.

        Read only after this, so that no change falls between. Raises django.db.Error.
        """
        self.connection.ensure_connection()
        if self.connection.is_risingwave:
            return False
        with self.connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        return True

    def wait(self, timeout: float, wake: socket.socket) -> set[str]:
        """Wait up to `timeout` seconds, or until `wake` can be read; give the names of what has changed.

        Raises django.db.Error when the connection is lost.
        """
        with self.connection.wrap_database_errors, selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            if self.connection.is_risingwave:
                selector.select(max(timeout, 0))
                return set()
            if names := self._told():
                return names
            selector.register(self.connection.connection, selectors.EVENT_READ)
            selector.select(max(timeout, 0))
            return self._told()

    def _told(self) -> set[str]:
        """Take what has been told, in the middle of queries too, which both drivers collect."""
        connection = self.connection.connection
        if is_psycopg3:
            # https://www.psycopg.org/psycopg3/docs/advanced/async.html#asynchronous-notifications
            return {notify.payload for notify in connection.notifies(timeout=0)}
        # https://www.psycopg.org/docs/advanced.html#asynchronous-notifications
        connection.poll()
        names = {notify.payload for notify in connection.notifies}
        connection.notifies.clear()
        return names
