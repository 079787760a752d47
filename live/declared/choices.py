"""What a user can choose from: the relations that the site may read, and their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.migrations.recorder import MigrationRecorder

from django_risingwave.readable import Relation, find_columns, find_relations
from live.leading import leading_name, totals_name
from live.rankings import variants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.readable import Column

#: Relations on a page of the list: a database may have thousands.
RELATIONS_PER_PAGE = 50
#: The names of types by their oids, which RisingWave and PostgreSQL share: those that can be ranked by.
#: https://github.com/risingwavelabs/risingwave/blob/v2.8.0/src/common/src/types/postgres_type.rs
MEASURE_TYPES = {
    20: "bigint",
    21: "smallint",
    23: "integer",
    700: "real",
    701: "double precision",
    1301: "rw_int256",
    1700: "numeric",
}
#: Those that can tell rows apart, and be printed.
KEY_TYPES = MEASURE_TYPES | {
    16: "boolean",
    18: "char",
    19: "name",
    25: "text",
    1042: "character",
    1043: "varchar",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    2950: "uuid",
}
#: Kinds that are offered, the cheapest to read first. A plain view is computed at each read.
KINDS = ("materialized view", "table")


@dataclass(frozen=True)
class Page:
    """A page of the relations that match a search."""

    #: With their kinds.
    relations: Sequence[tuple[Relation, str]]
    #: How many match.
    count: int
    #: How many materialized views there are at all.
    materialized_views: int
    number: int

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number * RELATIONS_PER_PAGE < self.count else None

    @property
    def previous(self) -> int | None:
        return self.number - 1 or None


def find_page(connection: DatabaseWrapper, search: str, number: int) -> Page:
    """Return a page of the relations whose name has all words of a search: materialized views first.

    What is kept for rankings and migrations is left out. Raises django.db.Error.
    """
    kept = {MigrationRecorder.Migration._meta.db_table}
    for ranking in variants():
        kept |= {leading_name(ranking.kept_id), totals_name(ranking.kept_id)}
    kinds = {
        relation: kind
        for relation, kind in find_relations(connection).items()
        if kind in KINDS and relation.name not in kept
    }
    words = search.casefold().split()
    found = sorted(
        (
            (relation, kind)
            for relation, kind in kinds.items()
            if all(word in str(relation).casefold() for word in words)
        ),
        key=lambda pair: (KINDS.index(pair[1]), pair[0]),
    )
    start = (number - 1) * RELATIONS_PER_PAGE
    return Page(
        found[start : start + RELATIONS_PER_PAGE],
        len(found),
        sum(kind == KINDS[0] for kind in kinds.values()),
        number,
    )


@dataclass(frozen=True)
class Columns:
    """The columns of a relation that can be chosen, by name, with the names of their types."""

    relation: Relation
    keys: dict[str, str]
    measures: dict[str, str]

    @property
    def is_rankable(self) -> bool:
        """Whether there is a key and another column that is a measure."""
        return bool(self.measures) and len(self.keys.keys() | self.measures.keys()) > 1

    @property
    def likely_key(self) -> str:
        """The column that most likely tells the rows apart: the first, unless only it is a measure."""
        others = [name for name in self.keys if name not in self.measures]
        return next(iter(others or self.keys), "")

    @property
    def likely_measure(self) -> str:
        """The column that the rows are most likely ranked by: the last number that isn't the key."""
        return next((name for name in reversed(self.measures) if name != self.likely_key), "")


def find_chosen(connection: DatabaseWrapper, relation: Relation) -> Columns | None:
    """Return the columns of a relation that is offered; None if it isn't. Raises django.db.Error."""
    if find_relations(connection).get(relation) not in KINDS:
        return None
    return columns_of(relation, find_columns(connection, relation))


def columns_of(relation: Relation, columns: Sequence[Column]) -> Columns:
    """Return which columns can be a key and which a measure."""
    return Columns(
        relation,
        {column.name: KEY_TYPES[column.type_oid] for column in columns if column.type_oid in KEY_TYPES},
        {
            column.name: MEASURE_TYPES[column.type_oid]
            for column in columns
            if column.type_oid in MEASURE_TYPES
        },
    )
