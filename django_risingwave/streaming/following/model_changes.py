"""What Model.changes() returns."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from django.db.models import Model

from django_risingwave.streaming.following.change_reader import Change, ChangeReader, MissingColumnError
from django_risingwave.streaming.following.follower import ChangesLostError, NoSubscriptionError

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from django_risingwave.streaming.checkpoints import Checkpoint
    from django_risingwave.streaming.following.async_changes import AsyncChanges
    from django_risingwave.streaming.subscriptions import Since

__all__ = ["Change", "Changes", "ChangesLostError", "MissingColumnError", "NoSubscriptionError"]

_Model = TypeVar("_Model", bound=Model)


class Changes(Generic[_Model]):
    """The changes of a model's table or view: an iterator, also an async one, which waits for the next.

    A change is done when the next one is asked for. With a checkpoint, what is done is saved: about once a
    second, while nothing changes, when the loop ends, and by each transaction() of a change.

    Leaving the loop closes the connection once nothing refers to this object; a `with` block closes it in
    any case. Any thread may call close(), which ends the loop.
    """

    def __init__(
        self,
        model: type[_Model],
        since: Since | datetime | Checkpoint = "now",
        *,
        using: str | None = None,
        subscription: str | None = None,
    ) -> None:
        """Describe the changes. Raises ValueError for an unknown `since`.

        using: the alias, by default the one that the router chooses. subscription: its name, by default that
        of a subscription to the model's table or view.
        """
        # Changes refer to the reader. If they referred to this object, the variable of a loop would keep it.
        self._reader = ChangeReader(model, since, using, subscription)
        self._async: AsyncChanges[_Model] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Change[_Model]:
        """Return the next change; wait for it.

        Connects again if the connection is lost. Raises the errors of open(), MissingColumnError, and
        NoSubscriptionError if the subscription is dropped.
        """
        while not self._reader.is_stopped:
            self._reader.fill()
            if change := self._reader.take():
                return change
        self._reader.close()
        raise StopIteration

    def open(self) -> Self:
        """Connect, and take the checkpoint. Iteration does it if it wasn't done.

        Raises NoSubscriptionError, ChangesLostError, CheckpointInUseError and other django.db.Errors.
        """
        self._reader.open()
        return self

    def close(self) -> None:
        """Close the connection, and save what is done. Another thread's loop ends, and saves it."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # The loop was left, and nothing else refers to it. A transaction that has failed can save nothing.
        if (reader := getattr(self, "_reader", None)) is not None and self._async is None:
            with suppress(Exception):
                reader.close()

    def __aiter__(self) -> AsyncChanges[_Model]:
        from django_risingwave.streaming.following.async_changes import AsyncChanges  # noqa: PLC0415 - imports asyncio

        self._async = AsyncChanges(self._reader)
        return self._async

    async def __aenter__(self) -> AsyncChanges[_Model]:
        return await self.__aiter__().open()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._async is not None:
            await self._async.aclose()
