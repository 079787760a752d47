"""Sessions of their own for the cursors over subscriptions. A cursor ends with its session."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db import connections

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

#: Seconds between two polls of a subscription. FETCH must not wait on the server: on RisingWave 2.8.0, one
#: that waits misses 1 wake-up in 20 and returns its row 5 s late. A poll without a change takes 1 ms there.
POLL_SECONDS = 0.1
#: Milliseconds after which a server that doesn't acknowledge what it is sent counts as lost. By default Linux
#: waits about a quarter of an hour. https://www.postgresql.org/docs/18/libpq-connect.html
TCP_USER_TIMEOUT_MILLISECONDS = 10_000


def open_session(using: str) -> DatabaseWrapper:
    """Return a new connection to the database, which any thread may use, one at a time.

    It isn't connected yet. It is never taken from a pool, where it would be missing for a long time.
    """
    session = cast("DatabaseWrapper", connections[using].copy())
    options = {"tcp_user_timeout": TCP_USER_TIMEOUT_MILLISECONDS} | session.settings_dict["OPTIONS"]
    options.pop("pool", None)
    session.settings_dict["OPTIONS"] = options
    session.inc_thread_sharing()
    return session
