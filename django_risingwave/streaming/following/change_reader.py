"""The changes of a model's table or view as instances, one after the other, and the checkpoint with them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, ProgrammingError, connections, router, transaction
from django.db.models import Model

from django_risingwave.fields import ROW_ID
from django_risingwave.streaming.checkpoints import Checkpoint
from django_risingwave.streaming.following.follower import Follower, Op, find_subscription
from django_risingwave.streaming.subscriptions import check_since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from django_risingwave.streaming.following.follower import RowChange
    from django_risingwave.streaming.following.positions import Position
    from django_risingwave.streaming.subscriptions import Since

_Model = TypeVar("_Model", bound=Model)
_Result = TypeVar("_Result")

#: Seconds of one wait for changes: how late a checkpoint is renewed at most, and how late an async loop that
#: nobody awaits any more ends.
WAIT_SECONDS = 0.5
#: Seconds between two saves of a checkpoint while changes are handled without transaction(). A process that
#: is killed repeats what it has done since.
SAVE_SECONDS = 1.0


class MissingColumnError(ProgrammingError):
    """A field of the model whose column the changes don't have."""


@dataclass(frozen=True)
class Change(Generic[_Model]):
    """A change of a row, as an instance of the model."""

    #: "insert", "update" or "delete".
    op: Op
    #: The new row; of a delete, the deleted one.
    instance: _Model
    #: The old row of an update, otherwise None.
    before: _Model | None
    #: When its epoch began, in UTC; None for the rows that a snapshot begins with.
    timestamp: datetime | None
    _reader: ChangeReader[_Model] = field(repr=False)
    _position: Position | None = field(repr=False)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block in a transaction on the checkpoint's database, which saves the checkpoint too.

        So what the block does there is done exactly once. Without a checkpoint, it is transaction.atomic().
        Rows of a snapshot don't move the checkpoint: a snapshot that was cut off starts again.
        """
        checkpoint = self._reader.checkpoint
        if checkpoint is None:
            with transaction.atomic(using=DEFAULT_DB_ALIAS):
                yield
            return
        if self._reader.current is not self:
            raise ValueError("transaction() is for the change that the loop has reached. Use it there.")
        before = checkpoint.saved
        try:
            with transaction.atomic(using=checkpoint.using):
                yield
                checkpoint.save(self._position)
        except BaseException:
            checkpoint.note_rollback(before)
            raise
        self._reader.note_done(self._position)

    async def ahandle(self, handler: Callable[[Self], _Result]) -> _Result:
        """Call a function with this change, in a thread for Django's database access and in transaction().

        Return what it returns. Transactions of Django don't work in async code.
        """

        def handle() -> _Result:
            with self.transaction():
                return handler(self)

        return await sync_to_async(handle)()


class ChangeReader(Generic[_Model]):
    """Reads the changes of a model, and keeps the checkpoint. Changes and AsyncChanges iterate by it."""

    def __init__(
        self,
        model: type[_Model],
        since: Since | datetime | Checkpoint,
        using: str | None,
        subscription: str | None,
    ) -> None:
        self.model = model
        self.checkpoint = since if isinstance(since, Checkpoint) else None
        self._since = since.start if isinstance(since, Checkpoint) else check_since(since)
        self._using = using or router.db_for_read(model)
        self._subscription = subscription
        self._follower: Follower | None = None
        #: The change that the loop has reached.
        self.current: Change[_Model] | None = None
        self._done: Position | None = None
        self._stopped = threading.Event()
        self._is_finished = False
        self._thread: int | None = None

    def fill(self) -> None:
        """Note that the current change is done, and wait a moment for the next ones if none are left."""
        self._thread = threading.get_ident()
        if self.current is not None:
            self.note_done(self.current._position)
            self.current = None
        follower = self._follower or self._open()
        if follower.has_changes:
            if self.checkpoint is not None:
                self.checkpoint.save(self._done, interval=SAVE_SECONDS)
            return
        # All that was read is done.
        self.note_done(follower.position)
        if self.checkpoint is not None:
            self.checkpoint.save(self._done)
        follower.fill(WAIT_SECONDS)

    def note_done(self, position: Position | None) -> None:
        """Note a position that is done. None: it is within a snapshot."""
        self._done = position or self._done

    @property
    def is_stopped(self) -> bool:
        """Whether stop() or close() was called."""
        return self._stopped.is_set()

    def take(self) -> Change[_Model] | None:
        """Return the next of the changes that fill() has read. Raises MissingColumnError."""
        row = self._follower.take() if self._follower is not None else None
        if row is None or self._stopped.is_set():
            return None
        self.current = self._change(row)
        return self.current

    # Opening and closing ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect, and take the checkpoint, if that wasn't done. Raises the errors of Changes.open()."""
        self._thread = threading.get_ident()
        if self._follower is None:
            self._open()

    def _open(self) -> Follower:
        since: Since | Position = self._since
        remedy = 'since="full"'
        if self.checkpoint is not None:
            remedy = f"{self.checkpoint!r}.reset()"
            relation = self.model._meta.db_table
            since = self.checkpoint.acquire(relation, self._stopped) or since
        try:
            subscription = self._subscription or find_subscription(self._using, self.model._meta.db_table)
            follower = Follower(subscription, using=self._using, since=since, remedy=remedy)
            follower.start()
        except BaseException:
            if self.checkpoint is not None:
                self.checkpoint.release()
            raise
        self._follower, self._done = follower, follower.position
        return follower

    def close(self) -> None:
        """Close the connection, and save what is done. Another thread's loop ends, and saves it."""
        self.stop()
        if self._thread in (None, threading.get_ident()):
            self.finish()

    def stop(self) -> None:
        """Let the loop end soon, without waiting for it."""
        self._stopped.set()
        if self._follower is not None:
            self._follower.stop()

    def finish(self) -> None:
        """Save what is done and release the checkpoint, once."""
        if self._is_finished or self._follower is None:
            return
        self._is_finished = True
        self._follower.close()
        if self.checkpoint is not None:
            self.checkpoint.save(self._done)
            self.checkpoint.release()

    # Instances -------------------------------------------------------------------------------------------

    def _change(self, row: RowChange) -> Change[_Model]:
        timestamp = None if row.timestamp is None else datetime.fromtimestamp(row.timestamp / 1000, UTC)
        before = None if row.before is None else self._instance(row.before)
        return Change(row.op, self._instance(row.row), before, timestamp, self, row.position)

    def _instance(self, row: dict[str, Any]) -> _Model:
        """Return the instance that a query would return for the row."""
        fields, compiler, converters = self._conversion
        values = []
        for column in fields:
            if column.column not in row and column.column != ROW_ID:
                raise MissingColumnError(
                    f"The changes of {self.model._meta.db_table!r} have no column {column.column!r}, which "
                    f"the field {self.model._meta.label}.{column.name} needs. Its table or view was altered: "
                    "migrate, and start again with the model that fits."
                )
            values.append(row.get(column.column))
        if converters:
            ((*values,),) = compiler.apply_converters([values], converters)
        return self.model.from_db(self._using, [column.attname for column in fields], values)

    @cached_property
    def _conversion(self) -> tuple[list[Any], Any, Any]:
        """The model's fields, and what converts the values of their columns, as in a query."""
        fields: list[Any] = list(self.model._meta.concrete_fields)
        queryset = self.model._base_manager.using(self._using)
        compiler: Any = queryset.query.get_compiler(connection=connections[self._using])
        columns = [column.get_col(self.model._meta.db_table) for column in fields]
        return fields, compiler, compiler.get_converters(columns)
