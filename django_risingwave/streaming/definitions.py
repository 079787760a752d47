"""Definitions of materialized views and subscriptions, with RisingWave's SQL to create and drop them.

The schema editor runs that SQL on RisingWave. On PostgreSQL it hands the definition to the stand-in.
Migration files contain definitions: deconstruct() writes them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from django_risingwave.streaming.identifiers import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from dataclasses import Field

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.aggregates import Aggregate
    from django_risingwave.streaming.secrets import Environment

# The units that RisingWave reads: DateTimeField in src/common/src/types/interval.rs at v3.0.3.
_UNIT = "y|yrs?|years?|mons?|months?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?"
_INTERVAL = re.compile(rf"\s*(?:\d+\s*(?:{_UNIT})(?![a-z])\s*)+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Definition(ABC):
    """A description of an object in RisingWave that Django has no operation for."""

    #: The object's kind as SQL writes it, after CREATE and DROP.
    kind: ClassVar[str]
    #: Whether the object can be rebuilt with a relation that is replaced. A sink would send all rows again.
    can_be_rebuilt: ClassVar[bool] = True
    #: Whether a change alters the object and leaves what stands on it as it is.
    is_altered_in_place: ClassVar[bool] = False

    name: str

    @abstractmethod
    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        """Return the statement that creates the object on RisingWave."""

    def drop_sql(self, quote_name: Callable[[str], str]) -> str:
        """Return the statement that drops the object on RisingWave."""
        return f"DROP {self.kind} {quote_name(self.name)}"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return the path and the arguments for a migration file: those that differ from their defaults."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        arguments = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.init and getattr(self, field.name) != _default(field)
        }
        return path, [], arguments

    def same_as(self, other: Definition) -> bool:
        """Return whether both define the same object, even if they write it differently."""
        return self == other

    def relations_read(self) -> frozenset[str]:
        """Return the names of the relations that the object reads or stands on."""
        source: str | None = getattr(self, "source", None)
        return frozenset() if source is None else frozenset([source])

    def tables_followed(self) -> frozenset[str]:
        """Return the names of the tables in PostgreSQL whose changes the object follows."""
        return frozenset()

    def check_alteration(self, old: Definition) -> None:  # noqa: B027 - most don't alter
        """Raise NotSupportedError if the object can't be altered in place to what this definition says."""

    def alter_first(self, old: Definition, editor: DatabaseSchemaEditor) -> None:  # noqa: B027 - as above
        """Alter what views may need that change in the same migration. Can be run again."""

    def alter_last(self, old: Definition, editor: DatabaseSchemaEditor) -> None:  # noqa: B027 - as above
        """Alter the rest, after those views have changed. Can be run again."""

    def before_create(self, editor: DatabaseSchemaEditor) -> None:  # noqa: B027 - most need nothing
        """Prepare what the object needs on RisingWave besides create_sql(). Nothing by default."""

    def after_drop(self, editor: DatabaseSchemaEditor) -> None:  # noqa: B027 - most need nothing
        """Clean up what before_create() has prepared. Nothing by default."""

    def secrets(self) -> Mapping[str, Definition]:
        """Return the definitions of the secrets that the object uses, by name."""
        return {}

    def environment(self) -> Mapping[str, Environment]:
        """Return the environment variables whose values the statement needs, by what they are for.

        create_sql() has the text of the Environment in place of each value.
        """
        return {}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


@dataclass(frozen=True)
class _ViewDefinition(Definition):
    """A materialized view over one relation, `source`."""

    kind = "MATERIALIZED VIEW"

    source: str

    @abstractmethod
    def query(self, quote_name: Callable[[str], str], source: str) -> str:
        """Return the view's SELECT. `source` is quoted already, and may have a schema."""

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        query = self.query(quote_name, quote_name(self.source))
        return f"CREATE {self.kind} {quote_name(self.name)} AS {query}"


@dataclass(frozen=True)
class MaterializedViewDefinition(_ViewDefinition):
    """A materialized view of measures over the rows of `source`, one row for each group.

    Raises ValueError if there is no column to group by, no measure, or two columns of one name.
    """

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

    def query(self, quote_name: Callable[[str], str], source: str) -> str:
        keys = ", ".join(map(quote_name, self.group_by))
        measures = ", ".join(f"{measure} AS {quote_name(name)}" for name, measure in self.measures.items())
        return f"SELECT {keys}, {measures} FROM {source} GROUP BY {keys}"  # noqa: S608 - quoted

    def select_sql(self) -> str:
        """Return the view's SELECT."""
        return self.query(quote, quote(self.source))

    def same_as(self, other: Definition) -> bool:
        """Return whether the other one is the same view, also where its SELECT is written by hand."""
        return self == other if isinstance(other, MaterializedViewDefinition) else other.same_as(self)


@dataclass(frozen=True)
class LeadingRowsDefinition(_ViewDefinition):
    """A materialized view of the `rows` rows of another one that have the largest measure, or the smallest.

    Its columns are `key` and `measure`. Ties are ordered by key, and NULL comes last. RisingWave 2.8.0 reads
    it without a scan of the other view, and tells its subscription only of changes among these rows.

    Raises ValueError unless `rows` is positive and the columns differ.
    """

    key: str
    measure: str
    rows: int
    #: Whether they are those with the smallest measure.
    ascending: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.rows, int) or self.rows < 1:
            raise ValueError(
                f"Materialized view {self.name!r} must have a positive number of rows, not {self.rows!r}."
            )
        if self.key == self.measure:
            raise ValueError(
                f"Materialized view {self.name!r} has {self.key!r} as its key and as its measure. Use two "
                "columns."
            )

    def query(self, quote_name: Callable[[str], str], source: str) -> str:
        key, measure = quote_name(self.key), quote_name(self.measure)
        order = self.order(key, measure, ascending=self.ascending)
        return f"SELECT {key}, {measure} FROM {source} ORDER BY {order} LIMIT {self.rows}"  # noqa: S608 - quoted

    @staticmethod
    def order(key: str, measure: str, *, ascending: bool = False) -> str:
        """Return what follows ORDER BY, for SQL expressions of the key and the measure."""
        return f"{measure} {'ASC' if ascending else 'DESC'} NULLS LAST, {key} ASC NULLS LAST"


@dataclass(frozen=True)
class TotalsDefinition(_ViewDefinition):
    """A materialized view of one row: the number of rows of another view, and the sum of its measure.

    The columns are `keys` and `total`. Without a measure there is no `total`.
    """

    measure: str | None

    def query(self, quote_name: Callable[[str], str], source: str) -> str:
        total = f", sum({quote_name(self.measure)}) AS {quote_name('total')}" if self.measure else ""
        return f"SELECT count(*) AS {quote_name('keys')}{total} FROM {source}"  # noqa: S608 - quoted


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


@dataclass(frozen=True)
class Subscription:
    """A subscription to the changes of a model's table or view, which keeps them for `retention`.

    Its name is `<db_table>_changes` unless another is given.
    """

    retention: str = "1 day"
    name: str | None = None

    def definition(self, source: str) -> SubscriptionDefinition:
        """Return the definition. Raises ValueError for a retention that RisingWave doesn't read."""
        return SubscriptionDefinition(self.name or f"{source}_changes", source, self.retention)
