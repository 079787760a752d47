from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Protocol, cast

from django.db import connections

from django_risingwave.streaming.polling import PolledSubscriptions
from django_risingwave.streaming.sessions import POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from django.db import Error

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.notifications import Notifications
    from django_risingwave.streaming.selectable_event import SelectableEvent

#: Seconds between two reads of a view with now() on the stand-in, and between two calls that let rows leave.
#: RisingWave removes rows that are too old at
#: its next barrier, by default each second.
MOVING_SECONDS = 1.0
#: Seconds until the next call where rows have still to leave.
LEAVING_SECONDS = 0.05

logger = logging.getLogger(__name__)

# Relations whose missing subscription has been logged, so that each is logged once per process.
_logged_as_missing: set[str] = set()


class ChangeListener:
    """Wait for materialized views to change.

    On the stand-in it listens for notifications, on the calling thread's own connection. On RisingWave it
    needs a subscription to each view, which the migration operation CreateSubscription creates. wait() polls
    all of them every `interval` seconds, in one session beside the calling thread's. Views without a
    subscription never change for it: read those at intervals instead. With `skip_failing`, so do those whose
    subscription fails while the server doesn't.

    Close it when done.
    """

    def __init__(
        self,
        using: str,
        relations: Collection[str],
        *,
        interval: float = POLL_SECONDS,
        skip_failing: bool = False,
    ) -> None:
        self.connection = cast("DatabaseWrapper", connections[using])
        self.relations = frozenset(relations)
        self.interval = interval
        self._skip_failing = skip_failing
        self._heard: frozenset[str] = frozenset()
        self._source: _ChangeSource | None = None

    def start(self) -> bool:
        """Connect and listen. Return whether wait() will return the changes of all views.

        If not, `heard` has the others. Read the views after this call: then no change is missed. Raises
        django.db.Error.
        """
        self.connection.ensure_connection()
        if standin := self.connection.standin:
            self._source = _NotifiedChanges(standin.listen(), standin.expire)
        return self.listen_to(self.relations)

    def listen_to(self, relations: Collection[str]) -> bool:
        """Listen to these views from now on, after start(). Return and raise what start() does.

        No change is missed of those that it has listened to already; read the others after this call.
        """
        self.relations = frozenset(relations)
        if standin := self.connection.standin:
            self._heard = standin.get_announced(self.relations)
            moving = standin.get_moving(self.relations)
            cast("_NotifiedChanges", self._source).listen_to(self.relations, moving)
        else:
            subscriptions = self._find_subscriptions()
            if isinstance(self._source, PolledSubscriptions):
                self._source.listen_to(subscriptions)
            elif subscriptions:
                self._source = PolledSubscriptions(
                    self.connection.alias, subscriptions, self.interval, skip_failing=self._skip_failing
                )
            self._heard = frozenset(subscriptions)
        return self.heard == self.relations

    def wait(self, timeout: float, wake: SelectableEvent) -> set[str]:
        """Return the names of the views that have changed since the last call.

        If none has, wait at most `timeout` seconds for a change, or until `wake` is set; the set may be empty
        then. Raises django.db.Error when a connection or a subscription is lost.
        """
        timeout = max(timeout, 0)
        if self._source is None:
            wake.wait(timeout)
            return set()
        with self.connection.wrap_database_errors:
            return self._source.wait(timeout, wake)

    def close(self) -> None:
        """Stop listening."""
        if self._source is not None:
            self._source.close()
            self._source = None

    @property
    def heard(self) -> frozenset[str]:
        """The relations whose changes wait() returns. Fewer when a subscription has failed."""
        return self._heard - self.failed.keys()

    @property
    def failed(self) -> dict[str, Error]:
        """Why subscriptions fail, by relation. Another listener may be able to poll them."""
        return {} if self._source is None else self._source.failed

    @property
    def sessions(self) -> list[DatabaseWrapper]:
        """The sessions whose server wait() may wait for."""
        own = [] if self._source is None else self._source.sessions
        return [self.connection, *own]

    def _find_subscriptions(self) -> dict[str, str]:
        """Return the name of a subscription for each relation that has one, and log which have none."""
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
        return {relation: found[relation] for relation in sorted(self.relations & found.keys())}


class _ChangeSource(Protocol):
    """Where a listener learns of changes."""

    @property
    def failed(self) -> dict[str, Error]:
        """Why relations are left out."""

    @property
    def sessions(self) -> list[DatabaseWrapper]:
        """Its own sessions."""

    def wait(self, timeout: float, wake: SelectableEvent) -> set[str]:
        """Return the names of changed relations; wait for one, until the timeout, or until `wake`."""

    def close(self) -> None: ...


class _NotifiedChanges:
    """Receives the names that the stand-in's triggers send.

    Each second it calls `expire`, which lets rows leave as time passes. Nothing tells when the rows of other
    views with now() change, so `moving` views count as changed each second.
    """

    def __init__(self, notifications: Notifications, expire: Callable[[], bool]) -> None:
        self._notifications = notifications
        self._expire = expire
        self._relations: frozenset[str] = frozenset()
        self._moving: frozenset[str] = frozenset()
        self._move_at, self._expire_at = math.inf, -math.inf
        self.sessions: list[DatabaseWrapper] = []
        self.failed: dict[str, Error] = {}

    def listen_to(self, relations: frozenset[str], moving: frozenset[str]) -> None:
        if not self._moving:
            self._move_at = time.monotonic() + MOVING_SECONDS if moving else math.inf
        self._relations, self._moving = relations, moving

    def wait(self, timeout: float, wake: SelectableEvent) -> set[str]:
        until = time.monotonic() + timeout
        while not (names := self._receive()):
            now = time.monotonic()
            left = min(until, self._move_at, self._expire_at) - now
            if wake.wait(max(left, 0), self._notifications) or now >= until:
                return self._receive()
        return names

    def _receive(self) -> set[str]:
        names = set[str]()
        if time.monotonic() >= self._expire_at:
            seconds = MOVING_SECONDS if self._expire() else LEAVING_SECONDS
            self._expire_at = time.monotonic() + seconds
        if time.monotonic() >= self._move_at:
            self._move_at = time.monotonic() + MOVING_SECONDS
            names |= self._moving
        return names | (self._notifications.receive() & self._relations)

    def close(self) -> None:
        """Do nothing: the connection is the caller's, and listens until it is closed."""
