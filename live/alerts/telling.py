"""Tells this process which thresholds are crossed, as any process has kept it in the database of users."""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from django.db import connections, router

from live.conf import live_settings
from live.models import Crossing
from live.thresholds import Alert
from live.users import deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from live.rankings import Ranking

    #: By Ranking.id; rankings without alerts are left out.
    Alerts = Mapping[str, tuple[Alert, ...]]
    Follower = Callable[[Alerts], None]

_lock = threading.Lock()
_followers: list[Follower] = []
_known: Alerts = {}


@contextmanager
def bounded() -> Iterator[None]:
    """End the connection to the database of users if the queries in the block take QUERY_TIMEOUT_SECONDS."""
    connection = connections[router.db_for_write(Crossing)]
    connection.ensure_connection()
    with deadlines.within(connection, live_settings.QUERY_TIMEOUT_SECONDS):
        yield


def follow(follower: Follower) -> None:
    """Tell a function the alerts whenever they have changed, and at once if there are some.

    It is called in any thread. One that raises RuntimeError, since its event loop is closed, is told no more.
    """
    with _lock:
        _followers.append(follower)
        known = _known
    if known:
        _tell(follower, known)


def tell(rankings: Iterable[Ranking]) -> None:
    """Read which thresholds of these rankings are crossed, and tell it if it has changed.

    One query, or none if no ranking has a threshold. Raises django.db.Error.
    """
    global _known  # noqa: PLW0603 - one process, one state
    alerts = open_alerts(rankings)
    with _lock:
        if alerts == _known:
            return
        _known = alerts
        followers = list(_followers)
    for follower in followers:
        _tell(follower, alerts)


def open_alerts(rankings: Iterable[Ranking]) -> dict[str, tuple[Alert, ...]]:
    """Return the alerts of these rankings by Ranking.id, the oldest first. Raises django.db.Error."""
    thresholds = {
        (ranking.id, threshold.name): threshold
        for ranking in rankings
        for threshold in ranking.thresholds
        if threshold.window is ranking.window
    }
    if not thresholds:
        return {}
    crossings = Crossing.objects.filter(ended_at=None, ranking__in={id_ for id_, _ in thresholds})
    found: defaultdict[str, list[Alert]] = defaultdict(list)
    with bounded():
        known = list(crossings.order_by("began_at", "pk"))
    for crossing in known:
        # One that was declared once, and isn't any more, alerts nobody.
        if threshold := thresholds.get((crossing.ranking, crossing.threshold)):
            found[crossing.ranking].append(
                Alert(crossing.pk, threshold, crossing.key, crossing.began_at, crossing.value)
            )
    return {id_: tuple(alerts) for id_, alerts in found.items()}


def _tell(follower: Follower, alerts: Alerts) -> None:
    try:
        follower(alerts)
    except RuntimeError:
        with _lock, suppress(ValueError):
            _followers.remove(follower)
