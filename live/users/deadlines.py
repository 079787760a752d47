"""Ends connections to a database whose server doesn't answer: no PostgreSQL driver has a timeout of its own.

A frozen server, or a proxy that drops what it is sent, keeps the TCP connection open, so that neither
tcp_user_timeout nor statement_timeout ends a query.
https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNECT-TCP-USER-TIMEOUT
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django_risingwave.streaming.sessions import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

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
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
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
                        cut(connection)
            time.sleep(LOOK_SECONDS)


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
