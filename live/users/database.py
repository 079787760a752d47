"""How the database of users and sessions is asked, and what happens while it can't be asked.

The first question that fails begins an outage. From then on all questions fail at once, and one thread
tries until the database answers: requests neither wait nor pile up.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import closing
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, ProgrammingError, connections, router

from live.conf import MAX_USERS_RETRY_SECONDS, live_settings
from live.logs.request_context import request_id
from live.outages import Outage
from live.users import deadlines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.db.models import Model

Answer = TypeVar("Answer")

#: The shortest timeout that libpq knows. https://www.postgresql.org/docs/18/libpq-connect.html
PROBE_CONNECT_SECONDS = 2

_outage = Outage("users", "be asked", MAX_USERS_RETRY_SECONDS)
_lock = threading.Lock()
_reason = ""
#: Whether the running code asks on behalf of viewers outside of a request.
_is_asking: ContextVar[bool] = ContextVar("live_is_asking", default=False)


class UsersUnavailableError(OperationalError):
    """The database of users and sessions can't be asked."""


def alias() -> str:
    """Return the alias of the database of the users."""
    return router.db_for_write(get_user_model())


def tables() -> list[str]:
    """Return the tables without which nobody can be looked up."""
    found = [get_user_model()._meta.db_table]
    if settings.SESSION_ENGINE == "django.contrib.sessions.backends.db":
        found.append("django_session")
    return found


def is_unmigrated(error: Exception, *models: type[Model]) -> bool:
    """Return whether an error says that the table of one of the models, or a column of it, doesn't exist.

    It is a ProgrammingError of most databases, and an OperationalError of SQLite.
    """
    text = str(error)
    is_missing = isinstance(error, ProgrammingError) or (
        isinstance(error, OperationalError) and text.startswith("no such ")
    )
    return is_missing and any(model._meta.db_table in text for model in models)


def check_available() -> None:
    """Raise UsersUnavailableError while the database is lost."""
    if _outage.is_on:
        raise UsersUnavailableError(_reason)


def is_serving() -> bool:
    """Return whether the running code serves viewers; otherwise it may be a command, which may take long."""
    return _is_asking.get() or request_id() is not None


async def ask(question: Callable[[], Awaitable[Answer]]) -> Answer:
    """Await and return the answer of `question()`, which may query the database.

    Raises UsersUnavailableError if the database is lost, fails or takes longer than REQUEST_WAIT_SECONDS.
    """
    token = _is_asking.set(True)
    try:
        check_available()
        return await asyncio.wait_for(_awaited(question), live_settings.REQUEST_WAIT_SECONDS)
    except TimeoutError:
        error = UsersUnavailableError(f"no answer within {live_settings.REQUEST_WAIT_SECONDS:g} s")
        report(error)
        raise error from None
    except (OperationalError, InterfaceError) as failure:
        report(failure)
        raise UsersUnavailableError(str(failure)) from failure
    finally:
        _is_asking.reset(token)


async def _awaited(question: Callable[[], Awaitable[Answer]]) -> Answer:
    return await question()


def report(error: Exception) -> None:
    """Count a question that failed; the first begins an outage, which lasts until a probe succeeds."""
    global _reason  # noqa: PLW0603 - one database, one reason
    with _lock:
        begins = not _outage.is_on
        delay = _outage.fail(error)
        if begins:
            _reason = str(error)
            try:
                threading.Thread(target=_probe, args=[delay], name="users-probe", daemon=True).start()
            except RuntimeError:
                # No other thread may be started. Without a probe, nothing would end the outage.
                _outage.succeed()


def _probe(delay: float) -> None:
    """Try until the database answers."""
    while True:
        time.sleep(delay)
        try:
            _read_tables()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next probe may succeed
            with _lock:
                delay = _outage.fail(error)
        else:
            with _lock:
                _outage.succeed()
            return


def _read_tables() -> None:
    """Read what requests read: a table may be locked, or missing in a database that came back empty."""
    connection = connections[alias()].copy()
    connection.is_probe = True  # type: ignore[attr-defined]  # of live.postgresql
    if connection.vendor == "postgresql":
        options = {
            name: value for name, value in connection.settings_dict["OPTIONS"].items() if name != "pool"
        }
        connection.settings_dict["OPTIONS"] = options | {"connect_timeout": PROBE_CONNECT_SECONDS}
    with closing(connection), connection.cursor() as cursor:
        for table in tables():
            with deadlines.within(connection, live_settings.REQUEST_WAIT_SECONDS):
                cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} WHERE 1 = 0")  # noqa: S608
