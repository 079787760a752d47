"""The SQL of the stand-in for the leading rows and for the totals of a view that has a summary.

The leading rows are a plain view that an index on the summary serves. The totals are a table of one row, with
triggers on the summary that add what has changed.
"""

# ruff: noqa: S608 - names are quoted here

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django_risingwave.standin.expiring import fresh
from django_risingwave.standin.sql import join, quote
from django_risingwave.standin.summaries import value_sql
from django_risingwave.standin.triggers import create_triggers
from django_risingwave.standin.views import create_view
from django_risingwave.streaming.aggregates import Aggregate, Average, Count, Sum

if TYPE_CHECKING:
    from typing import Any

    from django_risingwave.streaming.definitions import LeadingRowsDefinition, TotalsDefinition

# The columns of a summary, and the SELECT of the view over it.
_SUMMARY = """
    SELECT array_agg(attname::text), pg_catalog.pg_get_viewdef(to_regclass(%s))
    FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class ON pg_class.oid = attrelid
    WHERE attrelid = to_regclass(%s) AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
"""


@dataclass(frozen=True)
class LeadingRows:
    """The SQL that creates the leading rows. Their index has the view's name, in the schema `standin`."""

    definition: LeadingRowsDefinition
    schema: str
    #: The measure as SQL over the summary, exactly as the view over the summary has it.
    measure: str
    #: Whether rows leave the summary as time passes.
    expires: bool = False

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def comment(self) -> str:
        return "a plain view that an index on the summary serves"

    def create_sql(self) -> str:
        definition = self.definition
        key = quote(definition.key)
        order = definition.order(key, f"({self.measure})", ascending=definition.ascending)
        source = f"{quote(self.schema)}.{quote(definition.source)}"
        query = definition.query(quote, source)
        if self.expires:
            # PostgreSQL uses no index for the order of a UNION.
            measure, summary = quote(definition.measure), f"standin.{quote(definition.source)}"
            kept = f"SELECT {key}, {self.measure} AS {measure} FROM {summary}"
            leading = f"({definition.query(quote, f'({kept}) AS kept')}) AS kept"
            query = fresh(definition.source, leading, f"({query}) AS computed")
        return f"""{create_view(self.schema, self.name, query)}
CREATE INDEX {quote(self.name)} ON standin.{quote(definition.source)} ({order});"""


@dataclass(frozen=True)
class Totals:
    """The SQL for the totals. A sum of exact numbers stays exact when they are added and subtracted."""

    definition: TotalsDefinition
    schema: str
    #: The measure as SQL over the summary; None if there are only keys to count.
    measure: str | None
    #: Whether rows leave the summary as time passes.
    expires: bool = False

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def comment(self) -> str:
        return "a table of one row that triggers on the summary keep"

    def create_sql(self) -> str:
        name, source = quote(self.name), quote(self.definition.source)
        total = ", CASE WHEN measured > 0 THEN total END AS total" if self.measure else ""
        query = self.definition.query(quote, f"{quote(self.schema)}.{source}")
        counted = _count(f"standin.{source}", self._value)
        shown = f"SELECT keys{total} FROM standin.{name}"
        if self.expires:
            shown = fresh(self.definition.source, f"({shown}) AS kept", f"({query}) AS computed")
        return f"""LOCK TABLE standin.{source} IN SHARE ROW EXCLUSIVE MODE;
-- The SELECT keeps the source from being dropped.
CREATE VIEW standin.{quote(self.name + ".query")} AS {query};
-- Most writes change the row: the rest of its page stays free for new versions.
CREATE TABLE standin.{name} WITH (fillfactor = 10) AS
    SELECT keys, total::numeric AS total, measured FROM ({counted}) AS counted;
{create_view(self.schema, self.name, shown)}
{self.triggers_sql()}"""

    def triggers_sql(self) -> str:
        """Return the SQL that creates the triggers which keep the table up to date, and their function."""
        value = self._value
        inserted, deleted = _count("new_rows", value), _count("old_rows", value, "-")
        updated = (
            "SELECT sum(keys) AS keys, sum(total) AS total, sum(measured) AS measured "
            f"FROM ({inserted} UNION ALL {deleted}) AS changes"
        )
        actions = {"insert": self._add(inserted), "update": self._add(updated), "delete": self._add(deleted)}
        return create_triggers(
            self.name,
            f"standin.{quote(self.definition.source)}",
            actions,
            is_mirrored=False,
        )

    @property
    def _value(self) -> str:
        # Without a measure these columns stay 0, and the view has no total.
        return self.measure or "NULL::numeric"

    def _add(self, changes: str) -> str:
        """Return the statements that add changes, which may be negative."""
        columns = ("keys", "total", "measured")
        additions = join(f"{column} = kept.{column} + change.{column}" for column in columns)
        changed = " OR ".join(f"change.{column} <> 0" for column in columns)
        return f"""UPDATE standin.{quote(self.name)} AS kept SET {additions}
        FROM ({changes}) AS change WHERE {changed};
"""


def _count(rows: str, value: str, sign: str = "") -> str:
    """Return a SELECT of the number of rows, the sum of a value, and how many of the values aren't NULL."""
    return (
        f"SELECT {sign}count(*) AS keys, {sign}coalesce(sum({value}), 0) AS total, "
        f"{sign}count({value}) AS measured FROM {rows}"
    )


@dataclass(frozen=True)
class FoundSummary:
    """A summary in the database: the columns of its table, and the SELECT of the view over it."""

    columns: tuple[str, ...]
    query: str

    @property
    def expires(self) -> bool:
        """Whether rows leave as time passes."""
        return "standin.is_fresh(" in self.query

    def has_key(self, column: str) -> bool:
        """Return whether the column is one of those that the view groups by."""
        return column in self.columns

    def measure_sql(self, column: str) -> str | None:
        """Return a measure of the view as SQL over the table in `standin`; None if it isn't a measure."""
        aggregate = _aggregate(column, self.columns, self.query)
        return None if aggregate is None else value_sql(column, aggregate)


def find_summary(cursor: Any, schema: str, view: str) -> FoundSummary | None:
    """Return the summary of a view that exists, or None."""
    cursor.execute(_SUMMARY, [f"{quote(schema)}.{quote(view)}", f"standin.{quote(view)}"])
    columns, query = cursor.fetchone()
    is_summary = columns and query and "*.count" in columns
    return FoundSummary(tuple(columns), query) if is_summary else None


def _aggregate(name: str, columns: tuple[str, ...], query: str) -> Aggregate | None:
    """Return an aggregate of the kind of the measure, from a summary's columns and the view over it."""
    if f"{name}.sum" in columns:
        # Only an average divides: value_sql(). The column may be qualified.
        divides = rf"NULLIF\((?:[^()]*\.)?{re.escape(quote(f'{name}.count'))}"
        return Average("?") if re.search(divides, query) else Sum("?")
    if f"{name}.count" in columns:
        return Count("?")
    # The view over the summary names the number of rows as its measure.
    is_row_count = f"{quote('*.count')} AS {quote(name)}" in query or f'"*.count" AS {name}' in query
    return Count() if is_row_count else None
