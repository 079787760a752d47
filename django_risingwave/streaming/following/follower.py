"""Follow a subscription through disconnections, from a position that can be kept."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from django.db import Error, NotSupportedError, OperationalError, ProgrammingError

from django_risingwave.streaming.following.positions import Position, digest
from django_risingwave.streaming.sessions import open_session
from django_risingwave.streaming.subscriptions import SubscriptionCursor

if TYPE_CHECKING:
    from django_risingwave.streaming.subscriptions import Change, Since

logger = logging.getLogger(__name__)

#: What happened to a row.
Op = Literal["insert", "update", "delete"]

#: Changes that one FETCH returns at most. An interrupted follower repeats at most as many.
FETCH_ROWS = 500
#: Seconds between two attempts to connect again: the first pause and the longest.
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
#: Seconds without a change after which the position is moved on. Otherwise it would fall out of the
#: subscription's retention while nothing changes.
IDLE_SECONDS = 5.0
#: Milliseconds that such a position stays behind the server's time: longer than an epoch usually takes.
IDLE_MARGIN_MILLISECONDS = 1_000


class ChangesLostError(OperationalError):
    """The subscription no longer keeps the changes from which to go on."""


class NoSubscriptionError(ProgrammingError):
    """A relation without a subscription, or a subscription that doesn't exist."""


@dataclass(frozen=True)
class RowChange:
    """A change of one row."""

    op: Op
    #: The new row by column; of a delete, the deleted one.
    row: dict[str, Any]
    #: The old row of an update, otherwise None.
    before: dict[str, Any] | None
    #: Milliseconds since 1970; None for a row that was there already.
    timestamp: int | None
    #: Where to go on when this change is done; None within the rows that were there already.
    position: Position | None


def find_subscription(using: str, relation: str) -> str:
    """Return the name of a subscription to a table or materialized view.

    Raises NoSubscriptionError if there is none, and django.db.Error.
    """
    with closing(open_session(using)) as session, session.cursor() as cursor:
        sources = session.introspection.get_subscription_sources(cursor)
    found = [name for name, source in sources.items() if source == relation]
    if not found:
        raise NoSubscriptionError(
            f"{relation!r} has no subscription that this user may read. Declare one in its model "
            '(class Stream: subscription = "1 day") and migrate, or create one in a migration: '
            f'CreateSubscription("{relation}_changes", source="{relation}").'
        )
    # Several: rather that of the relation's model than one that a migration is about to replace.
    return min(found, key=lambda name: (name != f"{relation}_changes", name.startswith("rebuild_"), name))


class Follower:
    """Reads the changes of a subscription one by one, and connects again when it must.

    fill() and take() are for one thread at a time. Any thread may call stop() and close().
    """

    def __init__(
        self, subscription: str, *, using: str, since: Since | Position, remedy: str = 'since="full"'
    ) -> None:
        """Follow from `since`. `remedy` says how to begin with all rows if changes are lost."""
        self.subscription = subscription
        self.using = using
        self._since = since
        self._remedy = remedy
        #: Where to go on, once all changes that were taken are done; None at the beginning of a snapshot.
        self.position = since if isinstance(since, Position) else None
        # The position of the last change in the buffer.
        self._read_to = self.position
        self._buffer: deque[RowChange] = deque()
        self._cursor: SubscriptionCursor | None = None
        self._stopped = threading.Event()
        self._in_snapshot = False
        self._snapshot_at = 0
        self._before: dict[str, Any] | None = None
        # Changes of the position's timestamp that are done, and how many of them have been skipped.
        self._skipped: Position | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._failing_since: str | None = None
        self._idle_at = time.monotonic()

    @property
    def is_closed(self) -> bool:
        return self._stopped.is_set()

    def start(self) -> None:
        """Connect. Raises NoSubscriptionError, ChangesLostError and other django.db.Errors."""
        try:
            self._open()
        except Error as error:
            raise self._explained(error) from error

    @property
    def has_changes(self) -> bool:
        """Whether fill() has read changes that weren't taken yet."""
        return bool(self._buffer)

    def stop(self) -> None:
        """Let a fill() in another thread return soon, and read no more."""
        self._stopped.set()
        if (cursor := self._cursor) is not None:
            cursor.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self.stop()
        if (cursor := self._cursor) is not None:
            cursor.close()

    def take(self) -> RowChange | None:
        """Return the next change that fill() has read, or None."""
        if not self._buffer:
            return None
        change = self._buffer.popleft()
        self.position = change.position or self.position
        return change

    def fill(self, timeout: float) -> None:
        """Read the next changes unless some are left; wait at most `timeout` seconds for them.

        Connects again if the connection is lost or the cursor has ended. Raises NoSubscriptionError if the
        subscription is gone, ChangesLostError if it no longer keeps the next changes, and other errors that
        another attempt wouldn't mend.
        """
        if self._buffer or self.is_closed:
            return
        try:
            if self._cursor is None:
                self._open()
            if self._cursor is not None:
                self._read(self._cursor, timeout)
        except ValueError:
            # Another thread has closed the cursor.
            if not self.is_closed:
                raise
        except Error as error:
            self._recover(error, timeout)
        else:
            self._pause = FIRST_PAUSE_SECONDS
            if self._failing_since is not None:
                logger.info("subscription %s: followed again", self.subscription)
                self._failing_since = None

    # Opening ---------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._before = self._skipped = None
        since: Since
        if self._read_to is not None:
            since = self._read_to.timestamp
            if self._read_to.done:
                self._skipped = Position(since)
        else:
            since = self._since.timestamp if isinstance(self._since, Position) else self._since
        cursor = SubscriptionCursor(self.subscription, using=self.using, since=since)
        cursor.open()
        self._cursor = cursor
        if self.is_closed:
            # By another thread, while this one was connecting.
            cursor.close()
        elif since == "now":
            # SINCE now() leaves out the current epoch: changes that a SELECT doesn't see yet.
            began_at = cast("int", cursor.began_at)
            self.position = self._read_to = Position(began_at)
            cursor.declare(began_at)
        elif since == "full":
            self._in_snapshot, self._snapshot_at = True, cast("int", cursor.began_at)

    def _recover(self, error: Error, timeout: float) -> None:
        """Close the cursor, so that the next fill() opens another, after a pause if it can't be opened."""
        was_open = self._cursor is not None
        if self._cursor is not None:
            with suppress(Error):
                self._cursor.close()
            self._cursor = None
        if self.is_closed:
            return
        if was_open and self._failing_since is None:
            # The first attempt needs no pause. Often the cursor alone has ended.
            logger.info("subscription %s: its cursor is opened again (%s)", self.subscription, error)
            self._failing_since = time.strftime("%H:%M:%S")
            return
        explained = self._explained(error)
        if explained is not error or isinstance(error, ProgrammingError | NotSupportedError):
            raise explained from error
        if self._pause == FIRST_PAUSE_SECONDS:
            logger.warning(
                "subscription %s: can't be followed since %s (%s); trying again",
                self.subscription,
                self._failing_since or time.strftime("%H:%M:%S"),
                error,
            )
        self._failing_since = self._failing_since or time.strftime("%H:%M:%S")
        # A long pause takes several calls.
        self._stopped.wait(min(self._pause, timeout))
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    def _explained(self, error: Error) -> Error:
        text = str(error)
        if "rw_timestamp is too small" in text:
            return ChangesLostError(
                f"Subscription {self.subscription!r} no longer keeps the changes from which to go on, so "
                f"some may be lost. Begin with all existing rows: {self._remedy}. A longer retention keeps "
                f"changes longer. ({text})"
            )
        if "subscription" in text and "not found" in text:
            return NoSubscriptionError(
                f"There is no subscription {self.subscription!r}. Declare one in the model (class Stream: "
                'subscription = "1 day") and migrate, or create it in a migration by CreateSubscription. '
                f"({text})"
            )
        return error

    # Reading ---------------------------------------------------------------------------------------------

    def _read(self, cursor: SubscriptionCursor, timeout: float) -> None:
        changes = cursor.fetch(FETCH_ROWS, timeout=timeout)
        if not changes and not self.is_closed:
            if self._in_snapshot:
                self._end_snapshot()
            if time.monotonic() >= self._idle_at + IDLE_SECONDS:
                changes = self._move_on(cursor)
        for change in changes:
            self._idle_at = time.monotonic()
            if not self._add(change):
                # They aren't the changes that were counted: return all of this timestamp.
                logger.warning(
                    "subscription %s: the changes of %s are told again, because they are no longer the same",
                    self.subscription,
                    change.rw_timestamp,
                )
                since = cast("Position", self._read_to).timestamp
                self._read_to = self.position = Position(since)
                self._skipped = self._before = None
                cursor.declare(since)
                break

    def _end_snapshot(self) -> None:
        """Go on from the time before the snapshot, until there is a change whose time is known."""
        self._in_snapshot = False
        self._read_to = Position(self._snapshot_at)
        if not self._buffer:
            self.position = self._read_to

    def _move_on(self, cursor: SubscriptionCursor) -> list[Change]:
        """Move the position to the server's time if there is no change before it."""
        self._idle_at = time.monotonic()
        now = cursor.read_time()
        changes = cursor.fetch(FETCH_ROWS)
        if now is not None and not changes and self._before is None and self._skipped is None:
            behind = now - IDLE_MARGIN_MILLISECONDS
            if self._read_to is None or self._read_to.timestamp < behind:
                self._read_to = self.position = Position(behind)
        return changes

    def _add(self, change: Change) -> bool:
        """Add a change to the buffer. Return False if it is none of those that were done, but should be."""
        timestamp, before = change.rw_timestamp, self._before
        if timestamp is not None and self._in_snapshot:
            self._end_snapshot()
        self._before = None
        if change.op == "UpdateDelete":
            self._before = change.row
            return True
        if change.op == "UpdateInsert":
            return self._append("update", change.row, before, timestamp)
        return self._append("insert" if change.op == "Insert" else "delete", change.row, None, timestamp)

    def _append(
        self, op: Op, row: dict[str, Any], before: dict[str, Any] | None, timestamp: int | None
    ) -> bool:
        if timestamp is None:
            self._buffer.append(RowChange(op, row, before, None, None))
            return True
        number = digest(op, row, before)
        if self._skipped is not None and self._read_to is not None:
            if timestamp != self._skipped.timestamp:
                return False
            self._skipped = self._skipped.after(timestamp, number)
            if self._skipped.done == self._read_to.done:
                is_same = self._skipped == self._read_to
                self._skipped = None
                return is_same
            return True
        position = (self._read_to or Position(timestamp)).after(timestamp, number)
        self._read_to = position
        self._buffer.append(RowChange(op, row, before, timestamp, position))
        return True
