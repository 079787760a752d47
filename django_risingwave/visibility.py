"""Waiting until what was written can be read.

RisingWave shows a write at its next checkpoint, about a second later by default, to the session that wrote it
too. FLUSH forces a checkpoint and waits for it: https://docs.risingwave.com/sql/commands/sql-flush
"""

from __future__ import annotations

from contextlib import ContextDecorator, suppress
from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from django_risingwave.routers import VENDOR, first_risingwave_alias

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper


class Flushed(ContextDecorator):
    """What flushed() returns. Blocks may be nested: each waits at its own end."""

    def __init__(self, using: str | None) -> None:
        self.using = using

    def __enter__(self) -> None:
        # A wrong alias is told before anything is written.
        self._connection()

    def __exit__(self, exc_type: type[BaseException] | None, *args: object) -> None:
        if exc_type is None:
            self._connection().flush()
        elif issubclass(exc_type, Exception):
            # Nothing rolls back: what was written before the error is there, and whoever handles it may look.
            # The error that it is about must not be hidden by another, such as of a connection that is lost.
            with suppress(Error):
                self._connection().flush()

    async def __aenter__(self) -> None:
        await sync_to_async(self.__enter__)()

    async def __aexit__(self, exc_type: type[BaseException] | None, *args: object) -> None:
        # In the thread where the ORM's asynchronous methods run, which has a connection of its own.
        await sync_to_async(self.__exit__)(exc_type, *args)

    def _connection(self) -> DatabaseWrapper:
        alias = self.using or first_risingwave_alias()
        if alias is None:
            raise ImproperlyConfigured('No database has ENGINE "django_risingwave": add one to DATABASES.')
        connection = connections[alias]
        if connection.vendor != VENDOR:
            raise ImproperlyConfigured(
                f'The database {alias!r} is not on RisingWave: its ENGINE is not "django_risingwave".'
            )
        return cast("DatabaseWrapper", connection)


def flushed(using: Any = None) -> Any:
    """Wait, at the end of the block, until all that was written before can be read, by anybody.

    As transaction.atomic() is used: `with flushed():`, `@flushed`; and `async with flushed():`. `using` is an
    alias; by default the first in DATABASES that is on RisingWave. An exception from the block goes on. It
    costs one checkpoint, however much was written; on the stand-in nothing, for it shows writes at once.
    """
    if callable(using):
        function: Callable[..., Any] = using
        return Flushed(None)(function)
    return Flushed(using)
