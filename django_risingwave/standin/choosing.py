"""Chooses what takes the place of a view: a summary that triggers keep, or a plain view of its SELECT."""

# ruff: noqa: S608 - names are quoted here, and the expressions are the migration's own SQL

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import NotSupportedError

from django_risingwave.standin.functions import IS_MIRRORED
from django_risingwave.standin.grouping import Grouping, NotAGroupingError, recognize, source_of
from django_risingwave.standin.leading import FoundSummary, LeadingRows, Totals, find_summary
from django_risingwave.standin.sql import MAX_NAME_BYTES, join, quote
from django_risingwave.standin.summaries import MAX_VIEW_NAME_BYTES, Summary
from django_risingwave.standin.translation import translate
from django_risingwave.standin.views import PlainView
from django_risingwave.streaming.aggregates import Average, Sum
from django_risingwave.streaming.definitions import LeadingRowsDefinition, TotalsDefinition

if TYPE_CHECKING:
    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.views import ViewDefinition

Form: TypeAlias = PlainView | Summary | LeadingRows | Totals

# The types that sum() of integers and of numerics returns. They add up exactly, in any order.
_EXACT_OIDS = {20: "bigint", 1700: "numeric"}

# Whether the relation is a table, and its columns.
_TABLE = f"""/* standin.choosing */
    SELECT relkind IN ('r', 'p'), {IS_MIRRORED.format("pg_class.oid")}, array_agg(attname::text),
        array_agg(format_type(atttypid, NULL))
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_attribute ON attrelid = pg_class.oid
    WHERE pg_class.oid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
    GROUP BY 1, 2
"""


class Chooser:
    """Chooses the forms of views that are created together.

    `schema` is where they are created; their sources are there too, if they are to have a summary.
    """

    def __init__(self, cursor: Any, schema: str) -> None:
        self._cursor = cursor
        self._schema = schema
        #: The forms that have been chosen so far, by the name of their view.
        self.chosen: dict[str, Form] = {}

    def choose(self, definition: ViewDefinition | LeadingRowsDefinition | TotalsDefinition) -> Form:
        """Return what takes the place of the view. Raises NotSupportedError, naming the limit."""
        name, length = definition.name, len(definition.name.encode())
        if length > MAX_NAME_BYTES:
            raise NotSupportedError(
                f"The name of materialized view {name!r} has {length} bytes, but the stand-in allows at most "
                f"{MAX_NAME_BYTES}. Choose a shorter name, or use a RisingWave server."
            )
        if isinstance(definition, LeadingRowsDefinition | TotalsDefinition):
            form = self._over_summary(definition)
        else:
            form = self._of_select(definition)
        self.chosen[name] = form
        return form

    def _of_select(self, definition: ViewDefinition) -> Form:
        query = select_sql(definition)
        try:
            _check_length(definition)
            grouping, is_mirrored = self._find_grouping(query)
        except NotAGroupingError as reason:
            return PlainView(definition.name, self._schema, query, str(reason))
        return Summary(definition.name, self._schema, query, grouping, is_mirrored)

    def _find_grouping(self, query: str) -> tuple[Grouping, bool]:
        """Return what the SELECT groups, and whether its table is mirrored. Raises NotAGroupingError."""
        source = source_of(query)
        table = f"{quote(self._schema)}.{quote(source)}"
        self._cursor.execute(_TABLE, [table])
        found = self._cursor.fetchone()
        if source in self.chosen or (found and not found[0]):
            raise NotAGroupingError(f"{source!r} is not a table")
        if found is None:
            # Nothing can be created over it. But sqlmigrate may come before the migration that creates it.
            return recognize(query, None), False
        _, is_mirrored, columns, types = found
        grouping = recognize(query, dict(zip(columns, types, strict=True)))
        self._check_sums(grouping, table)
        return grouping, is_mirrored

    def _check_sums(self, grouping: Grouping, table: str) -> None:
        """Raise NotAGroupingError if a measure adds floats, whose rounding errors would stay."""
        summed = [m for m in grouping.measures.values() if isinstance(m, Sum | Average)]
        if not summed:
            return
        self._cursor.execute(f"SELECT {join(summed)} FROM {table} LIMIT 0", None)
        for measure, column in zip(summed, self._cursor.description, strict=True):
            if column[1] not in _EXACT_OIDS:
                raise NotAGroupingError(f"{measure} is inexact; cast to numeric for a summary")

    def _over_summary(self, definition: LeadingRowsDefinition | TotalsDefinition) -> Form:
        try:
            _check_length(definition)
            return self._find_over_summary(definition)
        except NotAGroupingError as reason:
            query = definition.query(quote, f"{quote(self._schema)}.{quote(definition.source)}")
            return PlainView(definition.name, self._schema, query, str(reason))

    def _find_over_summary(self, definition: LeadingRowsDefinition | TotalsDefinition) -> Form:
        summary = self._find_summary(definition.source)
        if summary is None:
            raise NotAGroupingError(f"{definition.source!r} has no summary")
        measure = None if definition.measure is None else summary.measure_sql(definition.measure)
        if isinstance(definition, TotalsDefinition) and (measure or not definition.measure):
            return Totals(definition, self._schema, measure, summary.expires)
        if isinstance(definition, LeadingRowsDefinition) and measure and summary.has_key(definition.key):
            return LeadingRows(definition, self._schema, measure, summary.expires)
        raise NotAGroupingError(f"the summary of {definition.source!r} has other columns")

    def _find_summary(self, view: str) -> FoundSummary | Summary | None:
        if view in self.chosen:
            form = self.chosen[view]
            return form if isinstance(form, Summary) else None
        return find_summary(self._cursor, self._schema, view)


def _check_length(definition: Definition) -> None:
    """Raise NotAGroupingError if the names of the triggers would be too long."""
    if len(definition.name.encode()) > MAX_VIEW_NAME_BYTES:
        raise NotAGroupingError(f"its name has more than {MAX_VIEW_NAME_BYTES} bytes")


def select_sql(definition: ViewDefinition) -> str:
    """Return the SELECT that PostgreSQL runs: the declared one, translated, or the one for the stand-in."""
    if definition.standin is not None:
        return definition.standin.strip().rstrip(";")
    return translate(definition.name, definition.query)
