"""Tells the other processes which sessions have ended, through the database of the users.

By PostgreSQL's NOTIFY. Where the users are in another database nothing is told, and sockets end when they are
next looked at.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import Error, connections, router

from django_risingwave.streaming.notifications import Notifications
from live.conf import FIRST_RETRY_SECONDS, MAX_LISTENER_RETRY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

#: Told of all sessions that end, each by its digest.
CHANNEL = "live_logouts"


def can_tell() -> bool:
    """Whether the users are in a PostgreSQL."""
    return connections[_alias()].vendor == "postgresql"


def tell(session: str) -> None:
    """Tell all processes, once the transaction is committed if there is one. A failure is logged, no more."""
    if not can_tell():
        return
    try:
        with connections[_alias()].cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, session])
    except Error:
        logger.exception("The other processes could not be told of a logout")


class LogoutListener(threading.Thread):
    """Calls `on_logout(session)` for each session that ends in any process, from its own thread.

    And `on_listening()` when it begins to listen, also after a loss: what ended before was not heard of.
    """

    def __init__(self, on_logout: Callable[[str], None], on_listening: Callable[[], None]) -> None:
        super().__init__(name="logouts", daemon=True)
        self._on_logout, self._on_listening = on_logout, on_listening
        self._wake, self._waker = socket.socketpair()

    def stop(self) -> None:
        """End the thread soon, without waiting for it. From any thread."""
        self._waker.close()

    def run(self) -> None:
        """Listen until stopped; a lost server is looked for again."""
        delay = FIRST_RETRY_SECONDS
        with self._wake:
            while not self._stopped(0):
                try:
                    notifications = Notifications(connections[_alias()], CHANNEL)
                    delay = FIRST_RETRY_SECONDS
                    self._on_listening()
                    while not self._stopped(None, notifications):
                        for session in notifications.receive():
                            self._on_logout(session)
                except Error as error:
                    logger.warning("Logouts in other processes aren't heard of: %s", error)
                    self._stopped(delay)
                    delay = min(delay * 2, MAX_LISTENER_RETRY_SECONDS)
                finally:
                    connections[_alias()].close()

    def _stopped(self, timeout: float | None, *others: Notifications) -> bool:
        """Wait to be stopped, for so many seconds or until there is something else to take."""
        # Not select(), which takes no file numbers above 1,023.
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            for notifications in others:
                selector.register(notifications, selectors.EVENT_READ)
            return any(key.fileobj is self._wake for key, _ in selector.select(timeout))


def _alias() -> str:
    return router.db_for_write(get_user_model())
