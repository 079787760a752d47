"""Tells which materialized views have changed: on the stand-in by NOTIFY, on RisingWave by subscriptions."""

from __future__ import annotations

import logging
import selectors
import threading
from contextlib import ExitStack, closing
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol, cast

from django.db import Error, connections

from django_risingwave.standin.summaries import CHANNEL
from django_risingwave.streaming.notifications import Notifications
from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.streaming.subscriptions import SubscriptionCursor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.selectable_event import HasFileno

logger = logging.getLogger(__name__)

#: Seconds that a FETCH waits. It can't be cancelled: a thread that is to end does so within them.
FETCH_TIMEOUT = 5

# What has been logged as missing a subscription, so that it is logged once a process.
_polled: set[str] = set()


class ChangeListener:
    """Waits for materialized views to change, of those in `relations`.

    On the stand-in it listens on the calling thread's own connection, to what triggers NOTIFY. RisingWave
    needs a subscription of each (CreateSubscription, in migration_operations.py), which takes a thread and a
    connection; where one is missing nothing is told, so read again every now and then. Close it at the end.
    """

    def __init__(self, using: str, relations: Collection[str]) -> None:
        self.connection = cast("DatabaseWrapper", connections[using])
        self.relations = frozenset(relations)
        self._news: _News | None = None

    def start(self) -> bool:
        """Connect and listen; tell whether changes will be told.

        Read only after this, so that no change falls between. Raises django.db.Error.
        """
        self.connection.ensure_connection()
        if not self.connection.is_risingwave:
            self._news = Notifications(self.connection, CHANNEL)
        elif subscriptions := self._subscriptions():
            self._news = _Subscriptions(self.connection, subscriptions)
        return self._news is not None

    def wait(self, timeout: float, wake: HasFileno) -> set[str]:
        """Wait up to `timeout` seconds, or until `wake` can be read; give the names of what has changed.

        Raises django.db.Error when the connection is lost, or a subscription.
        """
        with self.connection.wrap_database_errors, selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            if self._news is None:
                selector.select(max(timeout, 0))
                return set()
            if names := self._news.receive() & self.relations:
                return names
            selector.register(self._news, selectors.EVENT_READ)
            selector.select(max(timeout, 0))
            return self._news.receive() & self.relations

    def close(self) -> None:
        """Listen no more. Threads end with their FETCH, within FETCH_TIMEOUT, and are not waited for."""
        if self._news is not None:
            self._news.close()
            self._news = None

    def _subscriptions(self) -> dict[str, str]:
        """Return a subscription by relation; none at all unless there is one for each."""
        with self.connection.cursor() as cursor:
            found = self.connection.introspection.get_subscriptions(cursor)
        missing = sorted(self.relations - found.keys())
        if unheard := set(missing) - _polled:
            _polled.update(unheard)
            logger.info(
                "No changes are told, and all is read again and again: there is no subscription, or none "
                "that this user may read, of %s. To be created by a migration: %s.",
                ", ".join(missing),
                ", ".join(f'CreateSubscription("{name}_changes", source="{name}")' for name in missing),
            )
        return {} if missing else {relation: found[relation] for relation in self.relations}


class _News(Protocol):
    """What a listener waits for."""

    def fileno(self) -> int:
        """Return what can be read when there is something to take."""

    def receive(self) -> set[str]:
        """Return what has changed since the last call."""

    def close(self) -> None: ...


class _Subscriptions:
    """RisingWave's, each followed by a thread."""

    def __init__(self, connection: DatabaseWrapper, subscriptions: Mapping[str, str]) -> None:
        self._told: SimpleQueue[str | Exception] = SimpleQueue()
        self._stopping = threading.Event()
        with ExitStack() as opened:
            cursors = {
                relation: opened.enter_context(SubscriptionCursor(name, using=connection.alias))
                for relation, name in subscriptions.items()
            }
            # The cursors begin with the next epoch, for a change has the time when its epoch began
            # (prev_epoch() in src/meta/src/barrier/command.rs at v3.0.3). This ends the one in progress, and
            # what it brought can be read.
            connection.flush()
            opened.pop_all()
        self._has_news = SelectableEvent()
        for relation, cursor in cursors.items():
            _Follower(relation, cursor, self._tell, self._stopping).start()

    def fileno(self) -> int:
        return self._has_news.fileno()

    def receive(self) -> set[str]:
        """Return what was told, or raise what a thread failed with."""
        self._has_news.clear()
        names = set()
        while not self._told.empty():
            told = self._told.get()
            if isinstance(told, Exception):
                raise told
            names.add(told)
        return names

    def close(self) -> None:
        self._stopping.set()
        self._has_news.close()

    def _tell(self, told: str | Exception) -> None:
        self._told.put(told)
        self._has_news.set()


class _Follower(threading.Thread):
    """Tells the name of a relation whenever it has changed, by the cursor of its subscription.

    It takes one change of each epoch and skips the others, however many groups of a view have changed.
    """

    def __init__(
        self,
        relation: str,
        cursor: SubscriptionCursor,
        tell: Callable[[str | Exception], None],
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=f"changes-of-{relation}", daemon=True)
        self.relation = relation
        self.cursor = cursor
        self.tell = tell
        self.stopping = stopping

    def run(self) -> None:
        """Follow until stopped, or until there is an error, which the listener raises."""
        with closing(self.cursor):
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001 - raised in the listener's thread
                self.tell(error)

    def _follow(self) -> None:
        """Raise django.db.Error when the cursor fails twice without an answer between."""
        answered = False
        while not self.stopping.is_set():
            try:
                changes = self.cursor.fetch(1, timeout=FETCH_TIMEOUT)
                answered = True
                if changes:
                    self.tell(self.relation)
                    # Only the rows of a full cursor have none.
                    self.cursor.declare(since=cast("int", changes[0].rw_timestamp) + 1)
            except Error as error:
                if not answered or self.stopping.is_set():
                    raise
                answered = False
                logger.info("The subscription of %s is opened again: %s", self.relation, error)
                self._reopen()

    def _reopen(self) -> None:
        """Begin anew with the next epoch, and let be read what is left out."""
        self.cursor.close()
        self.cursor.open()
        self.cursor.flush()
        self.tell(self.relation)
