"""The SQL of a view's stand-in that is kept up to date, which is called its summary.

PostgreSQL doesn't keep its materialized views up to date. A summary is a table `standin.<name>` of counts
and sums, triggers on the view's source that keep it up to date, and a plain view `<name>` over it with the
columns of the materialized view, in the schema of the session. The cost of a write grows with the rows
written, not with those in the source.
"""

# ruff: noqa: S608 - names are quoted here, and the expressions are the migration's own SQL

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django_risingwave.standin.expiring import Expiring, fresh
from django_risingwave.standin.functions import CHANNEL
from django_risingwave.standin.sql import MAX_NAME_BYTES, join, literal, quote
from django_risingwave.standin.triggers import create_lock, create_triggers, rows_of
from django_risingwave.standin.views import create_view
from django_risingwave.streaming.aggregates import Average, Sum

if TYPE_CHECKING:
    from django_risingwave.standin.grouping import Grouping
    from django_risingwave.streaming.aggregates import Aggregate

# The longest name made from a view's name is that of its trigger for TRUNCATE.
MAX_VIEW_NAME_BYTES = MAX_NAME_BYTES - len("_truncate")


@dataclass(frozen=True)
class Summary:
    """The SQL that creates what takes the place of a view, in a string of several statements.

    PostgreSQL runs such a string as one transaction:
    https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
    """

    name: str
    #: The schema of the view and of its source.
    schema: str
    #: The SELECT, in PostgreSQL's SQL.
    query: str
    grouping: Grouping
    #: Whether logical replication fills the source.
    is_mirrored: bool = False

    @property
    def comment(self) -> str:
        comment = "a summary that triggers keep: it has sums, counts and averages of one table by key"
        return f"{comment}. Rows leave it as time passes" if self._expiring else comment

    def create_sql(self) -> str:
        """Return the SQL that creates the table, the view, the triggers and their function.

        It waits for transactions that write to the source, so that none of their rows is missed.
        """
        source, kept = self._source, f"standin.{quote(self.name)}"
        query = f"standin.{quote(self.name + '.query')}"
        shown, fill = f"SELECT {self._columns} FROM {kept}", ""
        if self._expiring:
            shown = fresh(self.name, f"({shown}) AS kept", query)
            counted = self._totals(source, "", self._condition(self._expiring.counted))
            fill = f" WITH NO DATA;\n{self._expiring.begin_sql()}\nINSERT INTO {kept} {counted}"
        return f"""LOCK TABLE {source} IN SHARE ROW EXCLUSIVE MODE;

-- The SELECT keeps the source and its columns from being dropped.
CREATE VIEW {query} AS {self.query}
;
-- Rows change often: half of each page stays free for their new versions.
CREATE TABLE {kept} WITH (fillfactor = 50) AS {self._totals(source, "", self.grouping.condition)}{fill};
CREATE UNIQUE INDEX ON {kept} ({self._keys}) NULLS NOT DISTINCT;

{create_view(self.schema, self.name, shown)}

{create_lock(source, is_mirrored=self.is_mirrored)}
{self.triggers_sql()}"""

    def triggers_sql(self) -> str:
        """Return the SQL that creates the triggers which keep the table up to date, and their functions."""
        triggers = create_triggers(
            self.name,
            self._source,
            self._actions,
            is_mirrored=self.is_mirrored,
            before=self._expiring.read_floor if self._expiring else "",
        )
        if self._expiring is None:
            return triggers
        subtract = self._add(self._totals(self._expiring.leaving, "-", self._counted), self._notify)
        return f"{triggers}\n{self._expiring.function_sql(subtract)}"

    def has_key(self, column: str) -> bool:
        """Return whether the column is one of those that the view groups by."""
        return column in self.grouping.keys

    def measure_sql(self, column: str) -> str | None:
        """Return a measure of the view as SQL over the table in `standin`; None if it isn't a measure."""
        measure = self.grouping.measures.get(column)
        return None if measure is None else value_sql(column, measure)

    # Parts -----------------------------------------------------------------------------------------------

    @property
    def _expiring(self) -> Expiring | None:
        found = self.grouping.temporal_filter
        return None if found is None else Expiring(self.name, self.schema, self.grouping.source, found)

    @property
    def expires(self) -> bool:
        """Whether rows leave as time passes."""
        return self._expiring is not None

    def _condition(self, counted: str) -> str:
        """Return what a row of the source must meet, with the part that decides about its time."""
        return f"({self.grouping.condition}) AND {counted}" if self.grouping.condition else counted

    @property
    def _counted(self) -> str | None:
        """What a row of the source must meet, in the functions."""
        return self._condition(self._expiring.condition) if self._expiring else self.grouping.condition

    @property
    def _notify(self) -> str:
        return f"PERFORM pg_notify({literal(CHANNEL)}, {literal(self.name)})"

    @property
    def _source(self) -> str:
        return f"{quote(self.schema)}.{quote(self.grouping.source)}"

    @property
    def _keys(self) -> str:
        return join(map(quote, self.grouping.keys))

    @property
    def _accumulators(self) -> dict[str, str]:
        """The columns of the table in `standin` besides the keys, and their SQL over rows of the source."""
        columns = {quote("*.count"): "count(*)"}
        for name, measure in self.grouping.measures.items():
            total, count = quote(f"{name}.sum"), quote(f"{name}.count")
            if isinstance(measure, Sum | Average):
                columns[total] = f"coalesce(sum({measure.expression}), 0)"
                columns[count] = f"count({measure.expression})"
            elif measure.expression != "*":
                columns[count] = f"count({measure.expression})"
        return columns

    @property
    def _columns(self) -> str:
        """The columns of the view, as SQL over those of the table in `standin`."""
        return join(
            f"{self.measure_sql(kept) or quote(kept)} AS {quote(name)}"
            for name, kept in self.grouping.columns.items()
        )

    def _totals(self, rows: str, sign: str = "", condition: str | None = None) -> str:
        keys = (f"{key} AS {quote(name)}" for name, key in self.grouping.keys.items())
        totals = (f"{sign}{value} AS {column}" for column, value in self._accumulators.items())
        where = f" WHERE {condition}" if condition else ""
        groups = join(range(1, len(self.grouping.keys) + 1))
        return f"SELECT {join([*keys, *totals])} FROM {rows} AS changed_rows{where} GROUP BY {groups}"

    @property
    def _actions(self) -> dict[str, str]:
        """The statements of the triggers' function, by event."""
        new_rows = rows_of("new_rows", is_mirrored=self.is_mirrored)
        late = f"{self._expiring.mark_stale(new_rows)}\n        " if self._expiring else ""
        inserted = self._totals(new_rows, "", self._counted)
        deleted = self._totals(rows_of("old_rows", is_mirrored=self.is_mirrored), "-", self._counted)
        sums = join(f"sum({column}) AS {column}" for column in self._accumulators)
        changes = " OR ".join(f"sum({column}) <> 0" for column in self._accumulators)
        updated = (
            f"SELECT {self._keys}, {sums} FROM ({inserted} UNION ALL {deleted}) AS changes "
            f"GROUP BY {self._keys} HAVING {changes}"
        )
        notify = self._notify
        emptied = f"""DELETE FROM standin.{quote(self.name)};
        GET DIAGNOSTICS standin_changed = ROW_COUNT;
        IF standin_changed > 0 THEN
            {notify};
        END IF;"""
        return {
            "insert": late + self._add(inserted, notify),
            "update": late + self._add(updated, notify),
            "delete": self._add(deleted, notify),
            "truncate": emptied,
        }

    def _add(self, changes: str, notify: str) -> str:
        """Return the statements that add changes, which may be negative, to the totals of their groups."""
        columns, name = self._accumulators, quote(self.name)
        additions = join(f"{column} = summary.{column} + excluded.{column}" for column in columns)
        return f"""WITH changed AS (
            INSERT INTO standin.{name} AS summary ({self._keys}, {join(columns)})
            {changes}
            ON CONFLICT ({self._keys}) DO UPDATE SET {additions}
            RETURNING summary.ctid AS place, summary."*.count" AS row_count
        )
        SELECT count(*), array_agg(place) FILTER (WHERE row_count = 0)
        INTO standin_changed, standin_emptied FROM changed;
        IF standin_emptied IS NOT NULL THEN
            DELETE FROM standin.{name} WHERE ctid = ANY (standin_emptied);
        END IF;
        IF standin_changed > 0 THEN
            {notify};
        END IF;"""


def value_sql(name: str, measure: Aggregate) -> str:
    """Return the measure `name` of a view, as SQL over the columns of the table in `standin`."""
    total, count = quote(f"{name}.sum"), quote(f"{name}.count")
    if isinstance(measure, Sum):
        return f"CASE WHEN {count} > 0 THEN {total} END"
    if isinstance(measure, Average):
        # As PostgreSQL's own avg() does it: int8_avg() and numeric_avg() in numeric.c.
        return f"{total}::numeric / NULLIF({count}, 0)"
    return count if measure.expression != "*" else quote("*.count")
