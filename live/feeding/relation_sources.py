"""What the rankings of relations without a Django model are read from, by SQL of names in the catalog."""

# ruff: noqa: S608 - the driver has escaped all names

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from django.db import DataError, connections

from django_risingwave.readable import identifier
from django_risingwave.streaming.definitions import LeadingRowsDefinition
from live.faults import UnshowableError
from live.feeding.sources import Source, as_key, finite
from live.leading import KEYS, TOTAL, leading_name, totals_name
from live.snapshots import Totals, key_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from django_risingwave.base import DatabaseWrapper
    from live.rankings import RelationRanking

#: Least time between two reads of a relation whose changes nothing announces: each read scans it.
READ_SECONDS = 5.0
#: How many times longer than a read the time until the next one is, so that a relation is read for a
#: twentieth of the time at most.
READS_APART = 20
#: Rows that a server-side cursor fetches at a time.
ROWS_PER_FETCH = 2_000


class RelationSource(Source):
    """What a ranking of a relation is read from: the relation, or its leading rows and totals."""

    ranking: RelationRanking

    def __init__(
        self, alias: str, ranking: RelationRanking, leading: str | None = None, totals: str | None = None
    ) -> None:
        """Read from the views of leading rows and totals with these names; without, from the relation."""
        self.alias, self.ranking = alias, ranking
        self._leading, self._totals_view = leading, totals
        self._totals: Totals | None = None

    @cached_property
    def relation(self) -> str:
        """The relation that the rows are read from, with its schema if that isn't the session's own.

        Changes are announced for the relations of that schema only. Raises django.db.Error.
        """
        if self._leading is not None:
            return self._leading
        relation = self.ranking.relation
        ((schema,),) = self._fetch("SELECT current_schema()")
        return relation.name if relation.schema == schema else str(relation)

    @property
    def view(self) -> str:
        """The name of the relation, whatever its schema."""
        return self.ranking.relation.name

    @property
    def sql(self) -> str:
        """The query of the leading rows."""
        return self._ranked_sql(self._read_from, self.limit)

    def refresh_seconds(self, last_read_seconds: float) -> float:
        """Return the time from a read to the next one, while nothing announces changes."""
        return max(READ_SECONDS, READS_APART * last_read_seconds)

    def _pairs(self, rows: int) -> list[tuple[Any, Any]]:
        pairs: list[tuple[Any, Any]] = self._fetch(self._ranked_sql(self._read_from, rows))
        if self._leading is None and _may_hide_rows(pairs, rows):
            # NaN and infinity lead. The rows that come before them on the card are beyond these.
            ordered = self._fetch(self._ranked_sql(self._whole, rows, self._is_finite))
            pairs = [*ordered, *(pair for pair in pairs if finite(pair[1]) is None)][:rows]
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise UnshowableError(f"several of its rows have the key {str(key)[:60]!r}")
            seen.add(key)
        if self._totals_view is None:
            # Here, so that the time of a read includes it: it scans the relation too.
            self._totals = self._count(f"count(*), {self._sum}", self._whole)
        return pairs

    def totals(self) -> Totals | None:
        """Return the totals: read with the rows, unless the database keeps them. Raises django.db.Error."""
        if self._totals_view is None:
            return self._totals
        total = self._name(TOTAL) if self.ranking.summed else "NULL"
        return self._count(f"{self._name(KEYS)}, {total}", self._name(self._totals_view))

    def _count(self, columns: str, relation: str) -> Totals:
        ((keys, total),) = self._fetch(f"SELECT {columns} FROM {relation}")
        return Totals(keys, finite(total))

    def every(self, limit: int) -> Iterator[tuple[Any, Any]]:
        """Yield the pairs of (key, exact value) of the relation, in the ranking's order, at most `limit`.

        Reads them by a server-side cursor. Raises django.db.Error.
        """
        with self._connection.chunked_cursor() as cursor:
            cursor.execute(self._ranked_sql(self._whole, limit))
            while rows := cursor.fetchmany(ROWS_PER_FETCH):
                yield from rows

    def place_of(self, key: Any) -> tuple[int, float | None] | None:
        """Return a key's rank among all, and its value; None if there is no such key.

        The key is of JSON. Raises django.db.Error.
        """
        # Beside parameters, a "%" in a name is written twice.
        whole, key_column, measure = (
            name.replace("%", "%%")
            for name in (self._whole, self._name(self.ranking.key), self._name(self.ranking.measure))
        )
        is_key = f"{key_column} IS NULL AND %s IS NULL" if key is None else f"{key_column} = %s"
        try:
            # As a text, which the server takes for a value of the column's type: a number or an object isn't
            # comparable with each.
            text = key if key is None or isinstance(key, str) else str(key).lower()
            found = self._fetch(f"SELECT {key_column}, {measure} FROM {whole} WHERE {is_key}", [text])
        except DataError:  # Not a value of the column's type.
            return None
        # The server takes the text "17" for the number, and "today" for a date.
        if not found or key_text(as_key(found[0][0])) != key_text(key):
            return None
        value = found[0][1]
        sign = "<" if self.ranking.ascending else ">"
        is_before = f"{measure} IS NOT NULL AND %s IS NULL" if value is None else f"{measure} {sign} %s"
        ((before,),) = self._fetch(f"SELECT count(*) FROM {whole} WHERE {is_before}", [value])
        return before + 1, finite(value)

    @property
    def _connection(self) -> DatabaseWrapper:
        """The connection, open: the driver needs it to escape names."""
        connection = cast("DatabaseWrapper", connections[self.alias])
        connection.ensure_connection()
        return connection

    def _name(self, *names: str) -> str:
        return identifier(self._connection, *names)

    @property
    def _whole(self) -> str:
        relation = self.ranking.relation
        return self._name(relation.schema, relation.name)

    @property
    def _read_from(self) -> str:
        return self._whole if self._leading is None else self._name(self._leading)

    @property
    def _sum(self) -> str:
        return f"sum({self._name(self.ranking.measure)})" if self.ranking.summed else "NULL"

    @property
    def _is_finite(self) -> str:
        """The condition for a number. NaN is larger than infinity, in RisingWave 2.8.0 as in PostgreSQL."""
        measure = self._name(self.ranking.measure)
        return f" WHERE {measure} < 'Infinity' AND {measure} > '-Infinity'"

    def _ranked_sql(self, relation: str, rows: int, condition: str = "") -> str:
        key, measure = self._name(self.ranking.key), self._name(self.ranking.measure)
        order = LeadingRowsDefinition.order(key, measure, ascending=self.ranking.ascending)
        return f"SELECT {key}, {measure} FROM {relation}{condition} ORDER BY {order} LIMIT {rows:d}"

    def _fetch(self, query: str, parameters: list[Any] | None = None) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters)
            rows: list[Any] = cursor.fetchall()
            return rows


def _may_hide_rows(pairs: list[tuple[Any, Any]], rows: int) -> bool:
    """Return whether values that aren't finite may take the places of others, which come after these."""
    return (
        len(pairs) == rows and pairs[-1][1] is not None and any(finite(value) is None for _, value in pairs)
    )


def find_relation_source(alias: str, ranking: RelationRanking, readable: Collection[str]) -> RelationSource:
    """Return what a ranking is read from, where the session may read the relations with these names."""
    leading, totals = leading_name(ranking.kept_id), totals_name(ranking.kept_id)
    is_kept = leading in readable
    return RelationSource(
        alias,
        ranking,
        leading if is_kept else None,
        totals if is_kept and totals in readable else None,
    )
