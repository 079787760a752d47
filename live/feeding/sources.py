"""Where the feed reads each ranking from: its leading rows and its totals, or else the view itself."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, cast

from django.db import DataError, connections

from live.conf import live_settings
from live.leading import (
    KEYS,
    LEADING_ROWS,
    TOTAL,
    advised_index,
    leading_model,
    leading_name,
    totals_model,
    totals_name,
)
from live.rankings import RelationRanking
from live.snapshots import Totals, key_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import Field

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.models import MaterializedView
    from live.rankings import Ranking
    from live.snapshots import Values

logger = logging.getLogger(__name__)

#: Rows of a whole view that one FETCH returns.
ROWS_PER_FETCH = 2_000

# The slugs of the rankings whose missing leading rows have been logged.
_advised: set[str] = set()


class Source:
    """What one ranking is read from, in the database `alias`."""

    def __init__(
        self,
        alias: str,
        ranking: Ranking,
        rows_model: type[MaterializedView],
        totals_model: type[MaterializedView] | None = None,
    ) -> None:
        self.alias = alias
        self.ranking = ranking
        self._rows_model = rows_model
        self._totals_model = totals_model

    @property
    def relation(self) -> str:
        """The relation that the rows are read from. When it changes, read them again."""
        return self._rows_model._meta.db_table

    @property
    def limit(self) -> int:
        """The number of rows that are read."""
        return max(self.ranking.size, LEADING_ROWS)

    def refresh_seconds(self, last_read_seconds: float) -> float:
        """Return the time from a read to the next one, while nothing announces changes."""
        return live_settings.REFRESH_SECONDS

    def rows(self) -> Values:
        """Read the leading pairs of (key, value), in the ranking's order. Raises django.db.Error.

        A value that isn't finite is none, and comes last. PostgreSQL and RisingWave sort NaN and infinity
        before all numbers.
        """
        shown = [(as_key(key), finite(value)) for key, value in self._pairs(self.limit)]
        shown.sort(key=lambda pair: pair[1] is None)
        return tuple(shown)

    def _pairs(self, rows: int) -> list[tuple[Any, Any]]:
        # Of a relation, the attribute is the stored key, not the related object.
        key = cast("Field[Any, Any]", self._rows_model._meta.get_field(self.ranking.key)).attname
        found = self.ranking.queryset(self._rows_model, rows).using(self.alias)
        return [(getattr(row, key), getattr(row, self.ranking.measure)) for row in found]

    @property
    def sql(self) -> str:
        """The query that reads the leading rows."""
        return str(self.ranking.queryset(self._rows_model, self.limit).query)

    @property
    def view(self) -> str:
        """The name of the view of all keys."""
        return self.ranking.model._meta.db_table

    def every(self, limit: int) -> Iterator[tuple[Any, Any]]:
        """Yield the first `limit` pairs of (key, exact value) of the whole view, in the ranking's order.

        They come over a server-side cursor, so that not all are in memory. Raises django.db.Error.
        """
        key = self.key_field.attname
        rows = self.ranking.queryset(rows=limit).using(self.alias).iterator(ROWS_PER_FETCH)
        return ((getattr(row, key), getattr(row, self.ranking.measure)) for row in rows)

    def place_of(self, key: Any) -> tuple[int, float | None] | None:
        """Return the rank and the value of a key, also beyond the leading rows; None if the view lacks it.

        RisingWave reads all of the view for it. Raises django.db.Error.
        """
        ranking = self.ranking
        rows = ranking.model._default_manager.using(self.alias)
        name, measure = self.key_field.attname, ranking.measure
        condition = {f"{name}__isnull": True} if key is None else {name: key}
        try:
            found = rows.filter(**condition).only(ranking.key, measure).first()
        except (DataError, ValueError):  # No stored key can be so: a text with NUL, a number too large.
            return None
        # 1.5 and 1.50 are equal, and have pages of their own.
        if found is None or key_text(as_key(getattr(found, name))) != key_text(key):
            return None
        value = getattr(found, measure)
        before = rows.filter(**{f"{measure}__isnull": False} if value is None else {f"{measure}__gt": value})
        return before.count() + 1, finite(value)

    @property
    def key_field(self) -> Field[Any, Any]:
        """The model's field of the key. Of a relation, its attribute is the stored key."""
        return cast("Field[Any, Any]", self.ranking.model._meta.get_field(self.ranking.key))

    def totals(self) -> Totals | None:
        """Read the totals; None if the database doesn't keep them. Raises django.db.Error."""
        if self._totals_model is None:
            return None
        (row,) = self._totals_model._default_manager.using(self.alias)
        return Totals(getattr(row, KEYS), finite(getattr(row, TOTAL, None)))


def find_sources(alias: str, rankings: Iterable[Ranking]) -> dict[str, Source]:
    """Return what each ranking is read from, by Ranking.id, after two queries. Raises django.db.Error.

    Log which rankings are read from the view itself, each once per process.
    """
    from live.feeding.relation_sources import find_relation_source  # noqa: PLC0415 - it subclasses Source

    connection = cast("DatabaseWrapper", connections[alias])
    names = {ranking: (leading_name(ranking.kept_id), totals_name(ranking.kept_id)) for ranking in rankings}
    with connection.cursor() as cursor:
        existing = connection.introspection.get_relation_kinds(cursor).keys()
        wanted = sorted(existing & {name for pair in names.values() for name in pair})
        readable = connection.introspection.get_readable(cursor, wanted)
    sources: dict[str, Source] = {}
    for ranking, (leading, totals) in names.items():
        if isinstance(ranking, RelationRanking):
            sources[ranking.id] = find_relation_source(alias, ranking, readable)
            continue
        if leading not in readable:
            _advise(ranking, connection, exists=leading in existing)
        sources[ranking.id] = Source(
            alias,
            ranking,
            leading_model(ranking) if leading in readable else ranking.model,
            totals_model(ranking) if totals in readable else None,
        )
    return sources


def _advise(ranking: Ranking, connection: DatabaseWrapper, *, exists: bool) -> None:
    if ranking.id in _advised:
        return
    _advised.add(ranking.id)
    name, quote_name = leading_name(ranking.id), connection.ops.quote_name
    if exists:
        reason = f"this user may not read {name}"
        remedy = f"Grant the user SELECT on it and on {totals_name(ranking.id)}"
    else:
        reason = f"{name} doesn't exist"
        remedy = "Add the operation CreateLeadingRows to a migration"
    if connection.is_risingwave:
        remedy += f", or create an index: {advised_index(ranking, quote_name)}"
    logger.info(
        "ranking %s: is read from the whole view %s, because %s. %s",
        ranking.id,
        ranking.model._meta.db_table,
        reason,
        remedy,
    )


def finite(value: Any) -> float | None:
    """Return a measure for JSON and the bars; None for NULL, NaN, infinity and what no float can hold.

    The database has exact numbers. RisingWave has no CHECK that could keep NaN and infinity out of a table.
    """
    try:
        number = math.nan if value is None else float(value)
    except (OverflowError, ValueError):  # A huge integer; Decimal("sNaN").
        return None
    return number if math.isfinite(number) else None


def as_key(key: Any) -> Any:
    """Return a key; NaN and infinity as text, since JSON has no such numbers."""
    return str(key) if isinstance(key, float) and not math.isfinite(key) else key
