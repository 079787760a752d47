from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, closing
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol, cast

from django.db import Error, connections

from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.streaming.subscriptions import SubscriptionCursor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from django_risingwave.base import DatabaseWrapper

logger = logging.getLogger(__name__)

#: Seconds that one FETCH waits for a change. It can't be cancelled, so a thread takes this long to end.
FETCH_TIMEOUT_SECONDS = 5

# Relations whose missing subscription has been logged, so that each is logged once per process.
_logged_as_missing: set[str] = set()


class ChangeListener:
    """Wait for materialized views to change.

    On the stand-in it listens for notifications, on the calling thread's own connection. On RisingWave it
    needs a subscription to each view, which the migration operation CreateSubscription creates; each takes a
    thread and a connection. If a subscription is missing, start() returns False and wait() never returns a
    name: read the views at intervals instead.

    Close it when done.
    """

    def __init__(self, using: str, relations: Collection[str]) -> None:
        self.connection = cast("DatabaseWrapper", connections[using])
        self.relations = frozenset(relations)
        self._source: _ChangeSource | None = None

    def start(self) -> bool:
        """Connect and listen. Return whether wait() will return changes.

        Read the views after this call: then no change is missed. Raises django.db.Error.
        """
        self.connection.ensure_connection()
        if standin := self.connection.standin:
            self._source = standin.listen()
        elif subscriptions := self._find_subscriptions():
            self._source = _SubscribedChanges(self.connection, subscriptions)
        return self._source is not None

    def wait(self, timeout: float, wake: SelectableEvent) -> set[str]:
        """Return the names of the views that have changed since the last call.

        If none has, wait at most `timeout` seconds for a change, or until `wake` is set; the set may be empty
        then. Raises django.db.Error when a connection or a subscription is lost.
        """
        timeout = max(timeout, 0)
        with self.connection.wrap_database_errors:
            if self._source is None:
                wake.wait(timeout)
                return set()
            if names := self._source.receive() & self.relations:
                return names
            wake.wait(timeout, self._source)
            return self._source.receive() & self.relations

    def close(self) -> None:
        """Stop listening. Doesn't wait for the threads, which end within FETCH_TIMEOUT_SECONDS."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def _find_subscriptions(self) -> dict[str, str]:
        """Return the name of a subscription for each relation; an empty dictionary if one is missing."""
        with self.connection.cursor() as cursor:
            found = self.connection.introspection.get_subscriptions(cursor)
        missing = self.relations - found.keys()
        for relation in sorted(missing - _logged_as_missing):
            logger.info(
                "%s: no subscription, or none that this user may read; its changes must be polled. "
                'Create one in a migration: CreateSubscription("%s_changes", source="%s")',
                relation,
                relation,
                relation,
            )
        _logged_as_missing.update(missing)
        return {} if missing else {relation: found[relation] for relation in self.relations}


class _ChangeSource(Protocol):
    """Where a listener receives the names of changed views from."""

    def fileno(self) -> int:
        """Return the file descriptor that is readable when there is something to receive."""

    def receive(self) -> set[str]:
        """Return the names that have arrived since the last call, without waiting."""

    def close(self) -> None: ...


class _SubscribedChanges:
    """Receive changes from RisingWave's subscriptions, each followed by a thread of its own."""

    def __init__(self, connection: DatabaseWrapper, subscriptions: Mapping[str, str]) -> None:
        self._queue: SimpleQueue[str | Exception] = SimpleQueue()
        self._stopping = threading.Event()
        with ExitStack() as opened:
            cursors = {
                relation: opened.enter_context(SubscriptionCursor(name, using=connection.alias))
                for relation, name in subscriptions.items()
            }
            # A change has the timestamp at which its epoch began, and the cursors begin with the next epoch
            # (prev_epoch() in src/meta/src/barrier/command.rs at v3.0.3). FLUSH ends the current epoch, so
            # that a later read sees all of its changes.
            connection.flush()
            opened.pop_all()
        self._arrived = SelectableEvent()
        for relation, cursor in cursors.items():
            _SubscriptionThread(relation, cursor, self._put, self._stopping).start()

    def fileno(self) -> int:
        return self._arrived.fileno()

    def receive(self) -> set[str]:
        """Return the names of changed relations, or raise the error that ended a thread."""
        self._arrived.clear()
        names = set()
        while not self._queue.empty():
            received = self._queue.get()
            if isinstance(received, Exception):
                raise received
            names.add(received)
        return names

    def close(self) -> None:
        self._stopping.set()
        self._arrived.close()

    def _put(self, received: str | Exception) -> None:
        self._queue.put(received)
        self._arrived.set()


class _SubscriptionThread(threading.Thread):
    """Follow a relation's subscription and put the relation's name for each epoch in which it has changed.

    It fetches one change of each epoch and skips the others, however many rows of the relation have changed.
    """

    def __init__(
        self,
        relation: str,
        cursor: SubscriptionCursor,
        put: Callable[[str | Exception], None],
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=f"changes-of-{relation}", daemon=True)
        self.relation = relation
        self.cursor = cursor
        self.put = put
        self.stopping = stopping

    def run(self) -> None:
        """Follow the subscription until stopped, or until an error, which the listener raises."""
        with closing(self.cursor):
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001 - raised in the listener's thread
                self.put(error)

    def _follow(self) -> None:
        """Raise django.db.Error when the cursor fails twice in a row."""
        may_reopen = False
        while not self.stopping.is_set():
            try:
                changes = self.cursor.fetch(1, timeout=FETCH_TIMEOUT_SECONDS)
                may_reopen = True
                if changes:
                    self.put(self.relation)
                    # A change has a timestamp, unlike the rows that a full cursor begins with.
                    self.cursor.declare(since=cast("int", changes[0].rw_timestamp) + 1)
            except Error as error:
                if not may_reopen or self.stopping.is_set():
                    raise
                may_reopen = False
                logger.info("%s: reopening the cursor of its subscription (%s)", self.relation, error)
                self._reopen()

    def _reopen(self) -> None:
        """Begin with the next epoch, and report a change: earlier ones may have been missed."""
        self.cursor.close()
        self.cursor.open()
        self.cursor.flush()
        self.put(self.relation)
