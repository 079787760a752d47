"""A ranking before it is saved: its rows, how many keys it has, and how long a read takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import Error
from django.utils.translation import gettext

from django_risingwave.readable import identifier
from live.faults import UnshowableError, reason_for, translated
from live.feeding.sources import find_sources
from live.snapshots import Snapshot

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from live.feeding.sources import Source
    from live.rankings import RelationRanking


class PreviewError(Exception):
    """The ranking can't be shown; the message, for users, says why and what to do."""


@dataclass(frozen=True)
class Preview:
    """What the form shows of a ranking that may be saved."""

    snapshot: Snapshot
    #: How long the leading rows and the totals took.
    milliseconds: float
    #: The time between two reads; None if changes are announced.
    refresh_seconds: float | None
    #: Whether it is read from leading rows that the database keeps.
    has_leading_rows: bool

    @property
    def keys(self) -> int | None:
        """The number of keys."""
        return None if self.snapshot.totals is None else self.snapshot.totals.keys


def preview(connection: DatabaseWrapper, ranking: RelationRanking) -> Preview:
    """Read a ranking, each query for at most QUERY_TIMEOUT_SECONDS. Raises PreviewError."""
    try:
        source = find_sources(connection.alias, [ranking])[ranking.id]
        began_at = time.monotonic()
        values = source.rows()
        totals = source.totals()
        seconds = time.monotonic() - began_at
        snapshot = Snapshot(ranking, values, datetime.now(UTC), connection.server_name, totals)
        snapshot.check()
        _check_keys(connection, ranking)
        is_announced = _is_announced(connection, source)
    except UnshowableError as error:
        raise PreviewError(_repeated_keys(ranking.key)) from error
    except Error as error:
        raise PreviewError(
            gettext("%(relation)s can't be ranked: %(reason)s.")
            % {"relation": str(ranking.relation), "reason": translated(reason_for(error))}
        ) from error
    return Preview(
        snapshot,
        seconds * 1_000,
        None if is_announced else source.refresh_seconds(seconds),
        has_leading_rows=source.relation not in (str(ranking.relation), ranking.relation.name),
    )


def _check_keys(connection: DatabaseWrapper, ranking: RelationRanking) -> None:
    """Raise PreviewError if rows share a key. A relation that takes too long to count is let pass."""
    key = identifier(connection, ranking.key)
    relation = identifier(connection, ranking.relation.schema, ranking.relation.name)
    columns = f"count(*), count({key}), count(DISTINCT {key})"
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM {relation}", None)  # noqa: S608 - escaped
            rows, keys, different = cursor.fetchone()
    except Error:
        return
    if different < keys or rows - keys > 1:
        raise PreviewError(_repeated_keys(ranking.key))


def _repeated_keys(key: str) -> str:
    return gettext(
        "Several rows have the same %(key)s. Choose a key whose values are unique, or make a view that is "
        "grouped by it."
    ) % {"key": key}


def _is_announced(connection: DatabaseWrapper, source: Source) -> bool:
    """Return whether the database tells when the relation changes."""
    if standin := connection.standin:
        return source.relation in standin.get_announced([source.relation])
    with connection.cursor() as cursor:
        return source.relation in connection.introspection.get_subscriptions(cursor)
