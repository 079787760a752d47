"""Materialized views on PostgreSQL in RisingWave's place.

PostgreSQL doesn't keep its own materialized views up to date. Here each is a plain view, `public.<name>`,
with the columns of the real thing, over a table `standin.<name>` of counts and sums. Triggers on the source
keep that up to date, at a cost that grows with the rows written and not with those that are there.
"""

# ruff: noqa: S608 - names are quoted here, and the expressions are the migration's own SQL

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django_risingwave.streaming.aggregates import Average, Sum

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from django_risingwave.streaming.aggregates import Aggregate

#: `LISTEN risingwave_changes` hears the name of each view whose rows changed.
CHANNEL = "risingwave_changes"

# Held by a transaction from its first write to the source of a view until its end, and taken by a BEFORE
# trigger, ahead of all row locks. Without it, two transactions that change the same groups or the same rows
# of the source in different orders deadlock. It is one for all sources, lest two that write to two sources
# deadlock over it.
_LOCK = 0x52495349

# The names of PostgreSQL's objects are cut at this length. https://www.postgresql.org/docs/18/limits.html
_NAME_LENGTH = 63

# What sum() of integers and of numerics returns: types that add up exactly, in any order.
_EXACT_OIDS = {20: "bigint", 1700: "numeric"}

_SETUP = f"""
CREATE SCHEMA IF NOT EXISTS standin;

CREATE OR REPLACE FUNCTION standin.lock_writers() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock({_LOCK});
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION standin.refuse_write() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'cannot change materialized view "%"', TG_TABLE_NAME;
END
$function$;
"""


@dataclass(frozen=True)
class SummaryView:
    """A materialized view's stand-in: the SQL that makes it, and the SQL that undoes it.

    Each SQL is one string of several statements, which PostgreSQL runs as one transaction:
    https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
    """

    name: str
    source: str
    group_by: Sequence[str]
    measures: Mapping[str, Aggregate]

    def __post_init__(self) -> None:
        longest = _NAME_LENGTH - len("_truncate")
        if len(self.name) > longest:
            raise ValueError(
                f"{self.name!r} is too long for the stand-in: {longest} characters are the most."
            )

    def check(self, cursor: Any) -> None:
        """Raise ValueError for a sum or an average of floats, which can't be kept exactly."""
        summed = {name: m for name, m in self.measures.items() if isinstance(m, Sum | Average)}
        if not summed:
            return
        cursor.execute(f"SELECT {_join(summed.values())} FROM {self._source} LIMIT 0")
        for (name, measure), column in zip(summed.items(), cursor.description, strict=True):
            if column[1] not in _EXACT_OIDS:
                aggregate = type(measure).__name__
                raise ValueError(
                    f"{self.name}.{name}: {measure} can't be kept exactly, for floats drift when added "
                    f'and taken away. Cast to numeric: {aggregate}("({measure.expression})::numeric").'
                )

    def create_sql(self) -> str:
        """Return what makes the view, filled with the rows there are, and its triggers."""
        name, source = _quote(self.name), self._source
        return f"""{_SETUP}
LOCK TABLE {source} IN SHARE ROW EXCLUSIVE MODE;

CREATE VIEW standin.{_quote(self.name + ".query")} AS {self.query(source)};

-- Its rows change all the time: half of each page is left free, for the new versions.
CREATE TABLE standin.{name} WITH (fillfactor = 50) AS {self._totals(source)};
CREATE UNIQUE INDEX ON standin.{name} ({self._keys}) NULLS NOT DISTINCT;

CREATE VIEW public.{name} AS SELECT {self._columns} FROM standin.{name};
CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON public.{name}
    FOR EACH ROW EXECUTE FUNCTION standin.refuse_write();

{self._trigger_function()}

CREATE OR REPLACE TRIGGER standin_lock BEFORE INSERT OR UPDATE OR DELETE ON {source}
    FOR EACH STATEMENT EXECUTE FUNCTION standin.lock_writers();
{self._create_trigger("insert", "REFERENCING NEW TABLE AS new_rows")}
{self._create_trigger("update", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows")}
{self._create_trigger("delete", "REFERENCING OLD TABLE AS old_rows")}
{self._create_trigger("truncate", "")}
"""

    def drop_sql(self) -> str:
        """Return what undoes create_sql(), and with the last view of a source, or of all, what they share."""
        name, source = _quote(self.name), self._source
        drop_triggers = "\n".join(
            f"DROP TRIGGER {self._trigger(event)} ON {source};"
            for event in ("insert", "update", "delete", "truncate")
        )
        return f"""
LOCK TABLE {source} IN ACCESS EXCLUSIVE MODE;
DROP VIEW public.{name};
{drop_triggers}
DROP FUNCTION standin.{name}();
DROP VIEW standin.{_quote(self.name + ".query")};
DROP TABLE standin.{name};
DO $do$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid = {_literal(source)}::regclass
            AND pronamespace = 'standin'::regnamespace AND proname <> 'lock_writers'
    ) THEN
        DROP TRIGGER standin_lock ON {source};
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'standin'::regnamespace AND relkind = 'r'
    ) THEN
        DROP FUNCTION standin.lock_writers();
        DROP FUNCTION standin.refuse_write();
        DROP SCHEMA standin;
    END IF;
END
$do$;
"""

    def query(self, source: str) -> str:
        """Return the query that the view answers; on RisingWave, the materialized view's own."""
        measures = (f"{measure} AS {_quote(name)}" for name, measure in self.measures.items())
        return f"SELECT {self._keys}, {_join(measures)} FROM {source} GROUP BY {self._keys}"

    # Parts -----------------------------------------------------------------------------------------------

    @property
    def _source(self) -> str:
        return f"public.{_quote(self.source)}"

    @property
    def _keys(self) -> str:
        return _join(map(_quote, self.group_by))

    @property
    def _accumulators(self) -> dict[str, str]:
        """Columns of the table in `standin`, besides the keys, and how they are computed from rows."""
        columns = {_quote("*.count"): "count(*)"}
        for name, measure in self.measures.items():
            total, count = _quote(f"{name}.sum"), _quote(f"{name}.count")
            if isinstance(measure, Sum | Average):
                columns[total] = f"coalesce(sum({measure.expression}), 0)"
                columns[count] = f"count({measure.expression})"
            elif measure.expression != "*":
                columns[count] = f"count({measure.expression})"
        return columns

    @property
    def _columns(self) -> str:
        """Columns of the view, from those of the table."""
        columns = [_quote(key) for key in self.group_by]
        for name, measure in self.measures.items():
            total, count = _quote(f"{name}.sum"), _quote(f"{name}.count")
            if isinstance(measure, Sum):
                value = f"CASE WHEN {count} > 0 THEN {total} END"
            elif isinstance(measure, Average):
                # As PostgreSQL's own avg() does it: int8_avg() and numeric_avg() in numeric.c.
                value = f"{total}::numeric / NULLIF({count}, 0)"
            else:
                value = count if measure.expression != "*" else _quote("*.count")
            columns.append(f"{value} AS {_quote(name)}")
        return _join(columns)

    def _totals(self, rows: str, sign: str = "") -> str:
        totals = (f"{sign}{value} AS {column}" for column, value in self._accumulators.items())
        # Named as the source, so that an expression may say "orders.qty".
        return (
            f"SELECT {self._keys}, {_join(totals)} FROM {rows} AS {_quote(self.source)} GROUP BY {self._keys}"
        )

    def _trigger_function(self) -> str:
        inserted, deleted = self._totals("new_rows"), self._totals("old_rows", "-")
        sums = _join(f"sum({column}) AS {column}" for column in self._accumulators)
        changes = " OR ".join(f"sum({column}) <> 0" for column in self._accumulators)
        updated = (
            f"SELECT {self._keys}, {sums} FROM ({inserted} UNION ALL {deleted}) AS changes "
            f"GROUP BY {self._keys} HAVING {changes}"
        )
        name = _quote(self.name)
        # Who may write to the source needs no rights in `standin`, and a session's search path no say.
        return f"""CREATE FUNCTION standin.{name}() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $function$
#variable_conflict use_column
DECLARE
    standin_changed bigint;
    standin_emptied tid[];
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        {self._add(inserted)};
    WHEN 'DELETE' THEN
        {self._add(deleted)};
    WHEN 'UPDATE' THEN
        {self._add(updated)};
    WHEN 'TRUNCATE' THEN
        DELETE FROM standin.{name};
        GET DIAGNOSTICS standin_changed = ROW_COUNT;
    END CASE;
    IF standin_emptied IS NOT NULL THEN
        DELETE FROM standin.{name} WHERE ctid = ANY (standin_emptied);
    END IF;
    IF standin_changed > 0 THEN
        PERFORM pg_notify({_literal(CHANNEL)}, {_literal(self.name)});
    END IF;
    RETURN NULL;
END
$function$;"""

    def _add(self, changes: str) -> str:
        """Return the statement that adds changes, negative ones too, to the groups' totals."""
        columns = self._accumulators
        additions = _join(f"{column} = summary.{column} + excluded.{column}" for column in columns)
        return f"""WITH changed AS (
            INSERT INTO standin.{_quote(self.name)} AS summary ({self._keys}, {_join(columns)})
            {changes}
            ON CONFLICT ({self._keys}) DO UPDATE SET {additions}
            RETURNING summary.ctid AS place, summary."*.count" AS row_count
        )
        SELECT count(*), array_agg(place) FILTER (WHERE row_count = 0)
        INTO standin_changed, standin_emptied FROM changed"""

    def _trigger(self, event: str) -> str:
        return _quote(f"{self.name}_{event}")

    def _create_trigger(self, event: str, transition_tables: str) -> str:
        return (
            f"CREATE TRIGGER {self._trigger(event)} AFTER {event.upper()} ON {self._source} "
            f"{transition_tables} FOR EACH STATEMENT EXECUTE FUNCTION standin.{_quote(self.name)}();"
        )


def _quote(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _join(parts: Iterable[object]) -> str:
    return ", ".join(map(str, parts))
