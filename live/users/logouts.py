"""Tells all processes which sessions have ended, with PostgreSQL's NOTIFY in the database of the users.

Where the users are in another kind of database nothing is sent. The sockets of a session that ended in
another process are then closed by the next check of all sessions.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from django.db import Error, connections

from django_risingwave.streaming.notifications import Notifications
from django_risingwave.streaming.selectable_event import SelectableEvent
from live.conf import LISTENER_HEARTBEAT_SECONDS
from live.logs.repeated_lines import RepeatedLines
from live.users import deadlines
from live.users.database import UsersUnavailableError, alias

if TYPE_CHECKING:
    from collections.abc import Callable

    from live.outages import Outage

_lines = RepeatedLines(logging.getLogger(__name__), logging.ERROR)

#: The channel of NOTIFY. Its payloads are digests of session keys.
CHANNEL = "live_logouts"


def is_supported() -> bool:
    """Return whether the users are in a PostgreSQL database."""
    return connections[alias()].vendor == "postgresql"


def announce(session: str) -> None:
    """Announce to all processes that a session has ended; in a transaction, once it is committed.

    A failure is only logged.
    """
    if not is_supported():
        return
    try:
        with connections[alias()].cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, session])
    except UsersUnavailableError:
        raise
    except Error as error:
        _lines.log("announcement", "logout: can't be announced to other processes", error)


class LogoutListener(threading.Thread):
    """Calls `on_logout(session)` for each session that ends in any process, from its own thread."""

    def __init__(self, on_logout: Callable[[str], None], outage: Outage) -> None:
        super().__init__(name="logouts", daemon=True)
        self._on_logout, self._outage = on_logout, outage
        self._stopping = SelectableEvent()

    def stop(self) -> None:
        """End the thread soon, without waiting for it. May be called from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Listen until stopped; reconnect when the database is lost."""
        with closing(self._stopping):
            while not self._stopping.wait(0):
                try:
                    self._listen()
                except Exception as error:  # noqa: BLE001 - without the listener, only the checks notice logouts
                    self._stopping.wait(self._outage.fail(error))
                finally:
                    with suppress(Error):
                        connections[alias()].close()

    def _listen(self) -> None:
        """Listen until stopped. Raises django.db.Error when the database is lost, or hangs."""
        connection = connections[alias()]
        connection.ensure_connection()
        with deadlines.within(connection, LISTENER_HEARTBEAT_SECONDS):
            notifications = Notifications(connection, CHANNEL)
        self._outage.succeed()
        while not self._stopping.wait(LISTENER_HEARTBEAT_SECONDS, notifications):
            sessions = notifications.receive()
            for session in sessions:
                self._on_logout(session)
            if sessions:
                continue
            with deadlines.within(connection, LISTENER_HEARTBEAT_SECONDS), connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
