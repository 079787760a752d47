"""Definitions of materialized views and subscriptions, with RisingWave's SQL to create and drop them.

The schema editor runs that SQL on RisingWave. On PostgreSQL it hands the definition to the stand-in.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django_risingwave.streaming.aggregates import Aggregate

# The units that RisingWave reads: DateTimeField in src/common/src/types/interval.rs at v3.0.3.
_UNIT = "y|yrs?|years?|mons?|months?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?"
_INTERVAL = re.compile(rf"\s*(?:\d+\s*(?:{_UNIT})(?![a-z])\s*)+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Definition(ABC):
    """A description of an object in RisingWave that Django has no operation for."""

    #: The object's kind as SQL writes it, after CREATE and DROP.
    kind: ClassVar[str]

    name: str

    @abstractmethod
    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        """Return the statement that creates the object on RisingWave."""

    def drop_sql(self, quote_name: Callable[[str], str]) -> str:
        """Return the statement that drops the object on RisingWave."""
        return f"DROP {self.kind} {quote_name(self.name)}"


@dataclass(frozen=True)
class MaterializedViewDefinition(Definition):
    """A materialized view of measures over the rows of `source`, one row for each group.

    Raises ValueError if there is no column to group by, no measure, or two columns of one name.
    """

    kind = "MATERIALIZED VIEW"

    source: str
    group_by: Sequence[str]
    measures: Mapping[str, Aggregate]

    def __post_init__(self) -> None:
        if not self.group_by or not self.measures:
            raise ValueError(
                f"Materialized view {self.name!r} needs at least one column to group by, and one measure."
            )
        columns = [*self.group_by, *self.measures]
        if len(set(columns)) < len(columns):
            raise ValueError(
                f"Materialized view {self.name!r} has two columns of the same name: {', '.join(columns)}. "
                "Rename one."
            )

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        query = self.query(quote_name, quote_name(self.source))
        return f"CREATE MATERIALIZED VIEW {quote_name(self.name)} AS {query}"

    def query(self, quote_name: Callable[[str], str], source: str) -> str:
        """Return the view's SELECT. `source` is quoted already, and may have a schema."""
        keys = ", ".join(map(quote_name, self.group_by))
        measures = ", ".join(f"{measure} AS {quote_name(name)}" for name, measure in self.measures.items())
        return f"SELECT {keys}, {measures} FROM {source} GROUP BY {keys}"  # noqa: S608 - quoted


@dataclass(frozen=True)
class SubscriptionDefinition(Definition):
    """A subscription to the changes of a table or a materialized view, which keeps them for `retention`.

    Raises ValueError for a retention that RisingWave doesn't read.
    """

    kind = "SUBSCRIPTION"

    source: str
    retention: str

    def __post_init__(self) -> None:
        if not _INTERVAL.fullmatch(self.retention) or not re.search("[1-9]", self.retention):
            raise ValueError(
                f"The retention of subscription {self.name!r} must be whole numbers with units, not "
                f'{self.retention!r}. Set it to an interval such as "1 day", "12h" or "1 mon 15 d".'
            )

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        name, source = quote_name(self.name), quote_name(self.source)
        return f"CREATE SUBSCRIPTION {name} FROM {source} WITH (retention = '{self.retention}')"
