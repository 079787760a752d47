"""Ends connections to a database whose server doesn't answer: no PostgreSQL driver has a timeout of its own.

A frozen server, or a proxy that drops what it is sent, keeps the TCP connection open, so that neither
tcp_user_timeout nor statement_timeout ends a query.
https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNECT-TCP-USER-TIMEOUT
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from django_risingwave.streaming.sessions import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

#: Time between two looks at the deadlines. It is how late a connection may end.
LOOK_SECONDS = 0.25


class _Deadlines:
    """Shuts down the sockets of connections whose deadline has passed, in a thread of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        #: The connections in use, each with its deadline on the monotonic clock.
        self._waiting: dict[object, tuple[Any, float]] = {}
        self._thread: threading.Thread | None = None

    def add(self, connection: Any, seconds: float) -> object:
        entry = object()
        with self._changed:
            self._waiting[entry] = connection, time.monotonic() + seconds
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                # If no other thread may be started, the query has no deadline, as with Django alone.
                with suppress(RuntimeError):
                    thread.start()
                    self._thread = thread
            self._changed.notify()
        return entry

    def remove(self, entry: object) -> None:
        # The lock keeps the connection's descriptor from being closed and used again while it is shut down.
        with self._changed:
            self._waiting.pop(entry, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                now = time.monotonic()
                for entry, (connection, deadline) in list(self._waiting.items()):
                    if now >= deadline:
                        del self._waiting[entry]
                        self._cut(connection)
            time.sleep(LOOK_SECONDS)

    @staticmethod
    def _cut(connection: Any) -> None:
        try:
            cut(connection)
        except Exception:
            # Without this thread, no query would have a deadline any more.
            logger.exception("deadlines: a connection can't be ended")


_deadlines = _Deadlines()


@contextmanager
def within(connection: BaseDatabaseWrapper, seconds: float) -> Iterator[None]:
    """End the connection, so that its query raises OperationalError, if the block takes longer.

    Does nothing if it isn't connected, or if its driver's connections have no file descriptor.
    """
    if not hasattr(connection.connection, "fileno"):
        yield
        return
    entry = _deadlines.add(connection, seconds)
    try:
        yield
    finally:
        _deadlines.remove(entry)
