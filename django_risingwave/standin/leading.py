"""The SQL of the stand-in for the leading rows and for the totals of a view that has a summary.

The leading rows are a plain view that an index on the summary serves. The totals are a table of one row. Both
have triggers on the summary: the first notifies listeners, the second adds what has changed.
"""

# ruff: noqa: S608 - names are quoted here

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import NotSupportedError

from django_risingwave.standin.sql import MAX_NAME_BYTES, join, literal, quote
from django_risingwave.standin.summaries import CHANNEL, value_sql
from django_risingwave.streaming.aggregates import Aggregate, Average, Count, Sum
from django_risingwave.streaming.definitions import LeadingRowsDefinition, TotalsDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

_Definition = TypeVar("_Definition", LeadingRowsDefinition, TotalsDefinition)

#: The transition tables of each trigger, by its event.
_TRIGGERS = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
}
# The columns of a summary, and the SELECT of the view over it.
_SUMMARY = """
    SELECT array_agg(attname::text), pg_catalog.pg_get_viewdef(to_regclass(%s))
    FROM pg_catalog.pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


class OverSummary(Generic[_Definition]):
    """The SQL that creates and drops what stands over a summary.

    Raises NotSupportedError if the name is too long for PostgreSQL. create_sql() and drop_sql() are strings
    of several statements, which PostgreSQL runs as one transaction.
    """

    def __init__(self, definition: _Definition, schema: str) -> None:
        length, allowed = len(definition.name.encode()), MAX_NAME_BYTES - len("_insert")
        if length > allowed:
            raise NotSupportedError(
                f"The name of materialized view {definition.name!r} has {length} bytes, but the stand-in "
                f"allows at most {allowed}. Choose a shorter name, or use a RisingWave server."
            )
        self.definition: _Definition = definition
        self.name = quote(definition.name)
        self.view = f"{quote(schema)}.{self.name}"
        self.source = f"{quote(schema)}.{quote(definition.source)}"
        self.summary = f"standin.{quote(definition.source)}"

    def measure_sql(self, cursor: Any) -> str | None:
        """Return the measure as SQL over the summary, exactly as the view over the summary has it.

        Raises NotSupportedError if the source has no summary.
        """
        cursor.execute(_SUMMARY, [self.source, self.summary])
        columns, query = cursor.fetchone()
        if columns is None:
            raise NotSupportedError(
                f"{self.definition.source!r}, the source of materialized view {self.definition.name!r}, is "
                "not a view that CreateMaterializedView has created, but the stand-in supports no other. "
                "Create it in an earlier migration, or use a RisingWave server."
            )
        name = self.definition.measure
        return None if name is None else value_sql(name, _aggregate(name, columns, query))

    def create_sql(self, measure: str | None) -> str:
        """Return the SQL that creates the view. `measure` is what measure_sql() returned."""
        raise NotImplementedError

    def drop_sql(self) -> str:
        """Return the SQL that undoes create_sql()."""
        raise NotImplementedError

    def _create_view(self, query: str) -> str:
        return f"""CREATE VIEW {self.view} AS {query};
CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON {self.view}
    FOR EACH ROW EXECUTE FUNCTION standin.refuse_write();"""

    def _create_triggers(self, actions: Mapping[str, str]) -> str:
        """Return the SQL of a trigger for each event, which executes the event's action."""
        cases = "\n".join(f"    WHEN '{event.upper()}' THEN {actions[event]}" for event in _TRIGGERS)
        triggers = "\n".join(
            f"CREATE TRIGGER {self._trigger(event)} AFTER {event.upper()} ON {self.summary} {tables} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION standin.{self.name}();"
            for event, tables in _TRIGGERS.items()
        )
        # As the summary's own function: a user who may write to the source needs no rights in `standin`.
        return f"""CREATE FUNCTION standin.{self.name}() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_column
BEGIN
    CASE TG_OP
{cases}
    END CASE;
    RETURN NULL;
END
$function$;
{triggers}"""

    def _drop_triggers(self) -> str:
        dropped = "\n".join(f"DROP TRIGGER {self._trigger(event)} ON {self.summary};" for event in _TRIGGERS)
        return f"{dropped}\nDROP FUNCTION standin.{self.name}();"

    def _trigger(self, event: str) -> str:
        return quote(f"{self.definition.name}_{event}")


class LeadingRows(OverSummary[LeadingRowsDefinition]):
    """The SQL for the leading rows. Their index has the name of the view, and is in the schema `standin`."""

    def create_sql(self, measure: str | None) -> str:
        order = self.definition.order(quote(self.definition.key), f"({measure})")
        notify = f"PERFORM pg_notify({literal(CHANNEL)}, {literal(self.definition.name)})"
        rows = {"insert": "new_rows", "update": "new_rows", "delete": "old_rows"}
        actions = {event: f"{notify} WHERE EXISTS (SELECT FROM {rows[event]});" for event in rows}
        return f"""
{self._create_view(self.definition.query(quote, self.source))}
CREATE INDEX {self.name} ON {self.summary} ({order});
{self._create_triggers(actions)}
"""

    def drop_sql(self) -> str:
        return f"""
DROP VIEW {self.view};
{self._drop_triggers()}
DROP INDEX standin.{self.name};
"""


class Totals(OverSummary[TotalsDefinition]):
    """The SQL for the totals. A sum of exact numbers stays exact when they are added and subtracted."""

    def create_sql(self, measure: str | None) -> str:
        total = ", CASE WHEN measured > 0 THEN total END AS total" if measure else ""
        # Without a measure these columns stay 0, and the view has no total.
        value = measure or "NULL::numeric"
        inserted, deleted = _count("new_rows", value), _count("old_rows", value, "-")
        updated = (
            "SELECT sum(keys) AS keys, sum(total) AS total, sum(measured) AS measured "
            f"FROM ({inserted} UNION ALL {deleted}) AS changes"
        )
        actions = {"insert": self._add(inserted), "update": self._add(updated), "delete": self._add(deleted)}
        return f"""
LOCK TABLE {self.summary} IN SHARE ROW EXCLUSIVE MODE;
CREATE VIEW standin.{self._query_name} AS {self.definition.query(quote, self.source)};
-- Most writes change the row: the rest of its page stays free for new versions.
CREATE TABLE standin.{self.name} WITH (fillfactor = 10) AS
    SELECT keys, total::numeric AS total, measured FROM ({_count(self.summary, value)}) AS counted;
{self._create_view(f"SELECT keys{total} FROM standin.{self.name}")}
{self._create_triggers(actions)}
"""

    def drop_sql(self) -> str:
        return f"""
DROP VIEW {self.view};
{self._drop_triggers()}
DROP VIEW standin.{self._query_name};
DROP TABLE standin.{self.name};
"""

    @property
    def _query_name(self) -> str:
        """The name of a view with the definition, which keeps the source from being dropped before."""
        return quote(f"{self.definition.name}.query")

    def _add(self, changes: str) -> str:
        """Return the statement that adds changes, which may be negative."""
        columns = ("keys", "total", "measured")
        additions = join(f"{column} = kept.{column} + change.{column}" for column in columns)
        changed = " OR ".join(f"change.{column} <> 0" for column in columns)
        return (
            f"UPDATE standin.{self.name} AS kept SET {additions} FROM ({changes}) AS change WHERE {changed};"
        )


def _count(rows: str, value: str, sign: str = "") -> str:
    """Return a SELECT of the number of rows, the sum of a value, and how many of the values aren't NULL."""
    return (
        f"SELECT {sign}count(*) AS keys, {sign}coalesce(sum({value}), 0) AS total, "
        f"{sign}count({value}) AS measured FROM {rows}"
    )


def _aggregate(name: str, columns: list[str], query: str) -> Aggregate:
    """Return an aggregate of the kind of the measure, from a summary's columns and the view over it."""
    if f"{name}.sum" in columns:
        # Only an average divides: value_sql().
        return Average("?") if f"NULLIF({quote(f'{name}.count')}" in query else Sum("?")
    return Count("?") if f"{name}.count" in columns else Count()
