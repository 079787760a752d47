"""Sessions of their own for the cursors over subscriptions. A cursor ends with its session."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from django.db import connections
from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

#: Seconds between two polls of a subscription. FETCH must not wait on the server: on RisingWave 2.8.0, one
#: that waits misses 1 wake-up in 20 and returns its row 5 s late. A poll without a change takes 1 ms there.
POLL_SECONDS = 0.1
#: Milliseconds after which a server that doesn't acknowledge what it is sent counts as lost. By default Linux
#: waits about a quarter of an hour. https://www.postgresql.org/docs/18/libpq-connect.html
TCP_USER_TIMEOUT_MILLISECONDS = 10_000
#: Seconds after which a server that accepts a connection and then says nothing counts as lost. By default
#: libpq waits for ever, and psycopg 3 for two minutes.
CONNECT_TIMEOUT_SECONDS = 5


def open_session(using: str) -> DatabaseWrapper:
    """Return a new connection to the database, which any thread may use, one at a time.

    It isn't connected yet. It is never taken from a pool, where it would be missing for a long time.
    """
    session = cast("DatabaseWrapper", connections[using].copy())
    options = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "tcp_user_timeout": TCP_USER_TIMEOUT_MILLISECONDS,
    } | session.settings_dict["OPTIONS"]
    options.pop("pool", None)
    session.settings_dict["OPTIONS"] = options
    session.inc_thread_sharing()
    return session


def cut(session: DatabaseWrapper) -> None:
    """Shut down a session's socket, so that a thread that waits for its server gets an error at once.

    Any thread may call it. A server that hangs enforces no statement_timeout, and over TCP its kernel goes on
    to acknowledge what it is sent, so only the client can end the wait. Does nothing if the session isn't
    connected, or if no file descriptor is left.
    """
    connection = session.connection
    if connection is None:
        return
    with suppress(Database.Error, OSError):
        number = connection.fileno()
        with socket.socket(fileno=os.dup(number)) as duplicate:
            # The driver may have closed it meanwhile, and another thread have got the number.
            if connection.fileno() == number:
                duplicate.shutdown(socket.SHUT_RDWR)
