"""Changes for `async for`, read by a thread of their own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import connections
from django.db.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from django_risingwave.streaming.following.change_reader import Change, ChangeReader

_Model = TypeVar("_Model", bound=Model)


class AsyncChanges(Generic[_Model]):
    """An async iterator over a model's changes, and what `async with` gives.

    A thread of its own waits for changes, so neither the event loop nor other code that uses a database
    waits. A cancelled `__anext__()` loses no change.
    """

    def __init__(self, reader: ChangeReader[_Model]) -> None:
        self._reader = reader
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="changes")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change[_Model]:
        """Return the next change. Raises what Changes.__next__() raises."""
        while not self._reader.is_stopped:
            await self._run(self._reader.fill)
            # Here, not in the thread: if this task is cancelled meanwhile, the change is left for the next.
            if change := self._reader.take():
                return change
        await self.aclose()
        raise StopAsyncIteration

    async def open(self) -> Self:
        """Connect, and take the checkpoint."""
        try:
            await self._run(self._reader.open)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def aclose(self) -> None:
        """Close the connection, and save what is done."""
        self._reader.stop()
        # Another task may have closed it.
        with suppress(RuntimeError):
            closing = self._executor.submit(self._finish)
            self._executor.shutdown(wait=False)
            await asyncio.wrap_future(closing)

    def __del__(self) -> None:
        # The loop was left without aclose(). The thread closes the connection and ends.
        self._reader.stop()
        with suppress(RuntimeError):
            self._executor.submit(self._finish)
            self._executor.shutdown(wait=False)

    def _finish(self) -> None:
        try:
            self._reader.finish()
        finally:
            # Those of this thread.
            connections.close_all()

    async def _run(self, function: Callable[[], Any]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, function)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
