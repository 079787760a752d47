"""Wait until writes are visible.

RisingWave makes a write visible at its next checkpoint, about a second later by default, also to the session
that wrote it. FLUSH forces a checkpoint and waits for it: https://docs.risingwave.com/sql/commands/sql-flush
"""

from __future__ import annotations

from contextlib import ContextDecorator, suppress
from typing import TYPE_CHECKING, TypeVar, overload

from asgiref.sync import sync_to_async
from django.db import Error

from django_risingwave.connections import get_connection

if TYPE_CHECKING:
    from collections.abc import Callable


class Flushed(ContextDecorator):
    """The context manager and decorator behind flushed(). Nested blocks each wait at their end."""

    def __init__(self, using: str | None) -> None:
        self.using = using

    def __enter__(self) -> None:
        # Raise for a wrong alias before anything is written.
        get_connection(self.using)

    def __exit__(self, exc_type: type[BaseException] | None, *args: object) -> None:
        if exc_type is None:
            get_connection(self.using).flush()
        elif issubclass(exc_type, Exception):
            # Nothing rolls back, so whoever handles the exception may look for the earlier writes. A second
            # error, such as a lost connection, must not hide the first.
            with suppress(Error):
                get_connection(self.using).flush()

    async def __aenter__(self) -> None:
        await sync_to_async(self.__enter__)()

    async def __aexit__(self, exc_type: type[BaseException] | None, *args: object) -> None:
        # The ORM's asynchronous methods run in this thread, which has a connection of its own.
        await sync_to_async(self.__exit__)(exc_type, *args)


_Function = TypeVar("_Function", bound="Callable[..., object]")


@overload
def flushed(using: _Function) -> _Function: ...
@overload
def flushed(using: str | None = None) -> Flushed: ...
def flushed(using: Callable[..., object] | str | None = None) -> Callable[..., object]:
    """Wait at the end of the block until all earlier writes are visible to every session.

    Use it like transaction.atomic(): `with flushed():`, `async with flushed():` or `@flushed`. `using` is an
    alias; by default, the first in DATABASES that is on RisingWave. Exceptions from the block propagate. A
    block costs one checkpoint, however much was written. On the stand-in it costs nothing, since writes are
    visible at once.
    """
    if callable(using):
        return Flushed(None)(using)
    return Flushed(using)
