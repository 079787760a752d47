"""Tells all processes which sessions have ended, with PostgreSQL's NOTIFY in the database of the users.

Where the users are in another kind of database nothing is sent. A socket of a session that ended in another
process is then closed by the next check of its login.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import Error, connections, router

from django_risingwave.streaming.notifications import Notifications
from django_risingwave.streaming.selectable_event import SelectableEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from live.outages import Outage

logger = logging.getLogger(__name__)

#: The channel of NOTIFY. Its payloads are digests of session keys.
CHANNEL = "live_logouts"


def is_supported() -> bool:
    """Return whether the users are in a PostgreSQL database."""
    return connections[_alias()].vendor == "postgresql"


def announce(session: str) -> None:
    """Announce to all processes that a session has ended; in a transaction, once it is committed.

    A failure is only logged.
    """
    if not is_supported():
        return
    try:
        with connections[_alias()].cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, session])
    except Error:
        logger.exception("logout: can't be announced to other processes")


class LogoutListener(threading.Thread):
    """Calls `on_logout(session)` for each session that ends in any process, from its own thread.

    Calls `on_listening()` when it begins to listen, and again after the database was lost: it may have missed
    logouts before that.
    """

    def __init__(
        self, on_logout: Callable[[str], None], on_listening: Callable[[], None], outage: Outage
    ) -> None:
        super().__init__(name="logouts", daemon=True)
        self._on_logout, self._on_listening, self._outage = on_logout, on_listening, outage
        self._stopping = SelectableEvent()

    def stop(self) -> None:
        """End the thread soon, without waiting for it. May be called from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Listen until stopped; reconnect when the database is lost."""
        with closing(self._stopping):
            while not self._stopping.wait(0):
                try:
                    notifications = Notifications(connections[_alias()], CHANNEL)
                    self._outage.succeed()
                    self._on_listening()
                    while not self._stopping.wait(None, notifications):
                        for session in notifications.receive():
                            self._on_logout(session)
                except Error as error:
                    self._stopping.wait(self._outage.fail(error))
                finally:
                    connections[_alias()].close()


def _alias() -> str:
    return router.db_for_write(get_user_model())
