"""What processes tell each other, with PostgreSQL's NOTIFY in the database of the users.

Where the users are in another kind of database nothing is sent. Whoever waits for a notice must notice by
itself too, later: one can be lost with the connection.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import closing, suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import Error, connections

from django_risingwave.streaming.notifications import Notifications
from django_risingwave.streaming.selectable_event import SelectableEvent
from live.conf import LISTENER_HEARTBEAT_SECONDS, MAX_LISTENER_RETRY_SECONDS
from live.logs.repeated_lines import RepeatedLines
from live.loops import PerLoop
from live.outages import Outage
from live.users import deadlines
from live.users.database import UsersUnavailableError, alias

if TYPE_CHECKING:
    from collections.abc import Callable

_lines = RepeatedLines(logging.getLogger(__name__), logging.ERROR)


class Channel(StrEnum):
    """The channels of NOTIFY, one for each kind of notice."""

    #: A session has ended. The payload is a digest of its key.
    LOGOUT = "live_logouts"
    #: The rankings that users have declared have changed. The payload is the slug of one.
    RANKINGS = "live_rankings"


def is_supported() -> bool:
    """Return whether the users are in a PostgreSQL database."""
    return connections[alias()].vendor == "postgresql"


def announce(channel: Channel, payload: str) -> None:
    """Announce something to all processes; in a transaction, once it is committed.

    A failure is only logged.
    """
    if not is_supported():
        return
    try:
        with connections[alias()].cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
    except UsersUnavailableError:
        raise
    except Error as error:
        _lines.log(channel, f"{channel}: can't be announced to other processes", error)


class NoticeListener(threading.Thread):
    """Calls `on_notice(channel, payload)` for each notice of any process, from its own thread."""

    def __init__(self, on_notice: Callable[[Channel, str], None], outage: Outage) -> None:
        """Tell `outage` while nothing can be heard. Raises OSError if no file descriptor is left."""
        super().__init__(name="notices", daemon=True)
        self._on_notice, self._outage = on_notice, outage
        self._stopping = SelectableEvent()

    def start(self) -> None:
        """Begin to listen. Raises RuntimeError if the process has as many threads as it may have."""
        try:
            super().start()
        except RuntimeError:
            self._stopping.close()
            raise

    def stop(self) -> None:
        """End the thread soon, without waiting for it. May be called from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Listen until stopped; reconnect when the database is lost."""
        with closing(self._stopping):
            while not self._stopping.wait(0):
                try:
                    self._listen()
                except Exception as error:  # noqa: BLE001 - without the listener, notices come late or not at all
                    self._stopping.wait(self._outage.fail(error))
                finally:
                    with suppress(Error):
                        connections[alias()].close()
        self._outage.give_up()

    def _listen(self) -> None:
        """Listen until stopped. Raises django.db.Error when the database is lost, or hangs."""
        connection = connections[alias()]
        connection.ensure_connection()
        with deadlines.within(connection, LISTENER_HEARTBEAT_SECONDS):
            notifications = Notifications(connection, *Channel)
        self._outage.succeed()
        while not self._stopping.wait(LISTENER_HEARTBEAT_SECONDS, notifications):
            notices = notifications.receive_with_channels()
            for channel, payload in notices:
                self._on_notice(Channel(channel), payload)
            if notices:
                continue
            with deadlines.within(connection, LISTENER_HEARTBEAT_SECONDS), connection.cursor() as cursor:
                cursor.execute(f"LISTEN {Channel.LOGOUT}")


class Notices:
    """Hands notices to those who follow them, on an event loop. It listens while there are some."""

    def __init__(self) -> None:
        self._followers: dict[Channel, Callable[[str], None]] = {}
        self._outage = Outage("notices", "be received from other processes", MAX_LISTENER_RETRY_SECONDS)
        self._listener: NoticeListener | None = None

    def follow(self, channel: Channel, on_notice: Callable[[str], None]) -> None:
        """Call `on_notice(payload)` on this event loop for each notice on the channel, until unfollow()."""
        self._followers[channel] = on_notice
        if self._listener is not None or not is_supported():
            return
        loop = asyncio.get_running_loop()

        def call(channel: Channel, payload: str) -> None:
            with suppress(RuntimeError):  # The loop is closed.
                loop.call_soon_threadsafe(self._hand_on, channel, payload)

        try:
            listener = NoticeListener(call, self._outage)
            listener.start()
        except (OSError, RuntimeError) as error:  # No file descriptor or no thread is left.
            # Whoever follows next tries again.
            self._outage.fail(error)
        else:
            self._listener = listener

    def unfollow(self, channel: Channel) -> None:
        """End follow(). Does nothing if nobody follows the channel."""
        self._followers.pop(channel, None)
        if self._listener is not None and not self._followers:
            self._listener.stop()
            self._listener = None

    def _hand_on(self, channel: Channel, payload: str) -> None:
        if follower := self._followers.get(channel):
            follower(payload)


get_notices = PerLoop(Notices)
