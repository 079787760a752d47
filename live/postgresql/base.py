"""Django's PostgreSQL backend for the database of users: `ENGINE = "live.postgresql"`.

It differs only while requests are served: what can't be asked raises UsersUnavailableError, within seconds
even if the server hangs, and at once while the database is known to be lost.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from django.db import InterfaceError, OperationalError, ProgrammingError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.asyncio import async_unsafe
from django.utils.functional import cached_property

from live.conf import live_settings
from live.users import database as users_database
from live.users import deadlines

if TYPE_CHECKING:
    from types import TracebackType

#: The table doesn't exist. If it is that of the users or the sessions, the database came back empty.
#: https://www.postgresql.org/docs/18/errcodes-appendix.html
UNDEFINED_TABLE = "42P01"


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the database of users."""

    #: Set by the one thread that finds out when the database is back.
    is_probe = False

    @async_unsafe
    def connect(self) -> None:
        """Connect, unless the database is lost."""
        if not self.is_probe:
            users_database.check_available()
        super().connect()

    def init_connection_state(self) -> None:
        """Prepare a new connection, within QUERY_TIMEOUT_SECONDS: connect_timeout is over by then."""
        with deadlines.within(self, live_settings.QUERY_TIMEOUT_SECONDS):
            super().init_connection_state()

    # It stands around everything that waits for the server: connect, execute, fetch, commit.
    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """Return the context manager in which Django calls the driver."""
        return _UsersErrors(self)


class _UsersErrors(DatabaseErrorWrapper):
    """Bounds the time that the driver takes, and tells a lost database from a bad statement."""

    wrapper: DatabaseWrapper

    def __init__(self, wrapper: DatabaseWrapper) -> None:
        super().__init__(wrapper)
        self._deadlines: list[ExitStack] = []

    def __enter__(self) -> None:
        deadline = ExitStack()
        if users_database.is_serving():
            deadline.enter_context(deadlines.within(self.wrapper, live_settings.QUERY_TIMEOUT_SECONDS))
        self._deadlines.append(deadline)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deadlines.pop().close()
        try:
            super().__exit__(exc_type, exc_value, traceback)
        except (OperationalError, InterfaceError, ProgrammingError) as error:
            if users_database.is_serving() and self._is_lost(error):
                raise users_database.UsersUnavailableError(str(error)) from error
            raise

    def _is_lost(self, error: Exception) -> bool:
        if isinstance(error, ProgrammingError):
            cause: Any = error.__cause__
            is_missing = UNDEFINED_TABLE in {getattr(cause, name, None) for name in ("pgcode", "sqlstate")}
            # Of another table, a migration is missing: that is no reason to turn all viewers away.
            return is_missing and any(table in str(error) for table in users_database.tables())
        connection = self.wrapper.connection
        return connection is None or bool(connection.closed)
