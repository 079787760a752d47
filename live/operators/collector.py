"""What Prometheus gets beside the counters of live.metrics: how things are at the moment it asks."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from weakref import WeakSet

from django.db import connections
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from live import outages
from live.history import clock as history_clock
from live.hub import get_hub
from live.rankings import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.backends.base.base import BaseDatabaseWrapper
    from prometheus_client import Metric


class Connections:
    """The open connections to each database, of all threads. Receives Django's connection_created."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Django's connections by alias. Those of some drivers, such as sqlite3, can't be in a WeakSet.
        self._by_alias: dict[str, WeakSet[BaseDatabaseWrapper]] = {}

    def on_created(self, connection: BaseDatabaseWrapper, **_: object) -> None:
        """Remember a connection as long as it exists; it may be closed and opened again."""
        with self._lock:
            self._by_alias.setdefault(connection.alias, WeakSet()).add(connection)

    def count(self) -> dict[str, int]:
        """Return the number of open connections by alias. May be called from any thread."""
        with self._lock:
            known = {alias: list(found) for alias, found in self._by_alias.items()}
        return {alias: sum(map(_is_open, known.get(alias, ()))) for alias in connections}


class LiveCollector(Collector):
    """Reads the hub and the outages."""

    def __init__(self, open_connections: Connections) -> None:
        self._connections = open_connections

    def collect(self) -> Iterable[Metric]:
        """Return the metrics. Called by prometheus-client, in any thread."""
        hubs = [hub.health() for _, hub in get_hub.items()]
        yield _gauge(
            "live_subscribers",
            "Open WebSockets: of pages (html) and of programs (json).",
            "format",
            {kind: sum(health["subscribers"][kind] for health in hubs) for kind in ("html", "json")},
        )
        yield _counter("live_frames", "Messages sent over WebSockets.", sum(h["frames"] for h in hubs))
        yield _counter(
            "live_frame_bytes", "Bytes of the messages sent over WebSockets.", sum(h["bytes"] for h in hubs)
        )
        yield _counter(
            "live_coalesced_frames",
            "Messages that a newer one replaced before a slow client took them.",
            sum(h["coalesced"] for h in hubs),
        )
        checked_at = {slug: moment for health in hubs for slug, moment in health["checked_at"].items()}
        now = datetime.now(UTC)
        yield _gauge(
            "live_ranking_age_seconds",
            "Time since the last successful read of a ranking.",
            "ranking",
            {slug: (now - moment).total_seconds() for slug, moment in checked_at.items()},
        )
        yield from _history(now)
        # Those in windows too, which only some processes watch.
        watched = {id_: 0.0 for health in hubs for id_ in (*health["checked_at"], *health["faults"])}
        faulty = {id_: 1.0 for health in hubs for id_ in health["faults"]}
        yield _gauge(
            "live_ranking_fault",
            "Whether a ranking can't be read while others can.",
            "ranking",
            dict.fromkeys(RANKINGS, 0.0) | watched | faulty,
        )
        yield _gauge(
            "live_outage",
            "Outages that last: 1 for each subject.",
            "subject",
            dict(Counter(outage.name for outage in outages.current())),
        )
        yield _gauge(
            "live_database_connections",
            "Open connections to each database.",
            "database",
            self._connections.count(),
        )


def _history(now: datetime) -> Iterable[Metric]:
    clock = history_clock.running()
    newest = clock.known.newest if clock is not None and clock.known is not None else None
    if newest is not None:
        text = "Time since the newest record of the history that this process has seen."
        yield GaugeMetricFamily("live_history_age_seconds", text, value=(now - newest).total_seconds())


def _is_open(connection: BaseDatabaseWrapper) -> bool:
    # The connections of psycopg2 and psycopg 3 have `closed`, which is true of a lost one, too.
    return connection.connection is not None and not getattr(connection.connection, "closed", False)


def _gauge(name: str, text: str, label: str, values: dict[str, float] | dict[str, int]) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)
