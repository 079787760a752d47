"""The SQL of a materialized view's stand-in, which is called its summary.

PostgreSQL doesn't keep its materialized views up to date. A summary is a table `standin.<name>` of counts
and sums, triggers on the view's source that keep it up to date, and a plain view `<name>` over it with the
columns of the materialized view, in the schema of the session. The cost of a write grows with the rows
written, not with those in the source.
"""

# ruff: noqa: S608 - names are quoted here, and the expressions are the migration's own SQL

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import NotSupportedError

from django_risingwave.standin.sql import MAX_NAME_BYTES, join, literal, quote
from django_risingwave.streaming.aggregates import Average, Sum

if TYPE_CHECKING:
    from typing import Any

    from django_risingwave.streaming.aggregates import Aggregate
    from django_risingwave.streaming.definitions import MaterializedViewDefinition

#: The channel of pg_notify(): the payload is the name of a view whose rows changed.
CHANNEL = "risingwave_changes"

#: The key of an advisory lock. A BEFORE trigger takes it at a transaction's first write to the source of a
#: view, before any row lock, and the transaction holds it until its end. Without it, two transactions that
#: change the same groups or the same rows of the source in different orders deadlock. All sources share one
#: lock: with one each, transactions that write to two sources in different orders would deadlock.
WRITERS_LOCK_KEY = 0x52495349

# The longest name made from a view's name is that of its trigger for TRUNCATE.
_MAX_VIEW_NAME_BYTES = MAX_NAME_BYTES - len("_truncate")

# The types that sum() of integers and of numerics returns. They add up exactly, in any order.
_EXACT_OIDS = {20: "bigint", 1700: "numeric"}

_SETUP = f"""
CREATE SCHEMA IF NOT EXISTS standin;

CREATE OR REPLACE FUNCTION standin.lock_writers() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock({WRITERS_LOCK_KEY});
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION standin.refuse_write() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'cannot change materialized view "%"', TG_TABLE_NAME;
END
$function$;
"""


class Summary:
    """The SQL that checks, creates and drops what takes the place of a materialized view.

    Raises NotSupportedError if the view's name is too long for PostgreSQL.

    create_sql() and drop_sql() are strings of several statements, which PostgreSQL runs as one transaction:
    https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
    """

    def __init__(self, view: MaterializedViewDefinition, schema: str) -> None:
        """Describe the stand-in for `view`, which is in `schema` as its source is."""
        length = len(view.name.encode())
        if length > _MAX_VIEW_NAME_BYTES:
            raise NotSupportedError(
                f"The name of materialized view {view.name!r} has {length} bytes, but the stand-in allows "
                f"at most {_MAX_VIEW_NAME_BYTES}. Choose a shorter name, or use a RisingWave server."
            )
        self.view = view
        self.schema = quote(schema)

    def check(self, cursor: Any) -> None:
        """Raise NotSupportedError if the source isn't a table, or a measure adds floats."""
        self._check_source(cursor)
        self._check_sums(cursor)

    def _check_source(self, cursor: Any) -> None:
        # Only tables, partitioned ones too, take triggers with transition tables.
        # https://www.postgresql.org/docs/18/sql-createtrigger.html
        cursor.execute(
            "SELECT relkind IN ('r', 'p') FROM pg_catalog.pg_class WHERE oid = to_regclass(%s)",
            [self._source],
        )
        # No row: create_sql() fails with PostgreSQL's own error.
        if cursor.fetchone() == (False,):
            raise NotSupportedError(
                f"{self.view.source!r}, the source of materialized view {self.view.name!r}, is not a table, "
                "but the stand-in supports tables only. Choose a table, or use a RisingWave server."
            )

    def _check_sums(self, cursor: Any) -> None:
        summed = {name: m for name, m in self.view.measures.items() if isinstance(m, Sum | Average)}
        if not summed:
            return
        cursor.execute(f"SELECT {join(summed.values())} FROM {self._source} LIMIT 0")
        for (name, measure), column in zip(summed.items(), cursor.description, strict=True):
            if column[1] not in _EXACT_OIDS:
                aggregate = type(measure).__name__
                raise NotSupportedError(
                    f"The stand-in can't keep {self.view.name}.{name} exact: {measure} adds floats, whose "
                    "rounding errors stay when rows are added and removed. Cast to numeric: "
                    f'{aggregate}("({measure.expression})::numeric").'
                )

    def create_sql(self) -> str:
        """Return the SQL that creates the view, with the rows of the source, and the triggers."""
        name, source = quote(self.view.name), self._source
        return f"""{_SETUP}
LOCK TABLE {source} IN SHARE ROW EXCLUSIVE MODE;

CREATE VIEW standin.{quote(self.view.name + ".query")} AS {self.view.query(quote, source)};

-- Rows change often: half of each page stays free for their new versions.
CREATE TABLE standin.{name} WITH (fillfactor = 50) AS {self._totals(source)};
CREATE UNIQUE INDEX ON standin.{name} ({self._keys}) NULLS NOT DISTINCT;

CREATE VIEW {self._name} AS SELECT {self._columns} FROM standin.{name};
CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON {self._name}
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
        """Return the SQL that undoes create_sql().

        It drops the lock trigger with the last view over a source, and the schema with the last view of all.
        """
        name, source = quote(self.view.name), self._source
        drop_triggers = "\n".join(
            f"DROP TRIGGER {self._trigger(event)} ON {source};"
            for event in ("insert", "update", "delete", "truncate")
        )
        return f"""
LOCK TABLE {source} IN ACCESS EXCLUSIVE MODE;
DROP VIEW {self._name};
{drop_triggers}
DROP FUNCTION standin.{name}();
DROP VIEW standin.{quote(self.view.name + ".query")};
DROP TABLE standin.{name};
DO $do$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid = {literal(source)}::regclass
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

    # Parts -----------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return f"{self.schema}.{quote(self.view.name)}"

    @property
    def _source(self) -> str:
        return f"{self.schema}.{quote(self.view.source)}"

    @property
    def _keys(self) -> str:
        return join(map(quote, self.view.group_by))

    @property
    def _accumulators(self) -> dict[str, str]:
        """The columns of the table in `standin` besides the keys, and their SQL over rows of the source."""
        columns = {quote("*.count"): "count(*)"}
        for name, measure in self.view.measures.items():
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
        columns = [quote(key) for key in self.view.group_by]
        columns += [
            f"{value_sql(name, measure)} AS {quote(name)}" for name, measure in self.view.measures.items()
        ]
        return join(columns)

    def _totals(self, rows: str, sign: str = "") -> str:
        totals = (f"{sign}{value} AS {column}" for column, value in self._accumulators.items())
        # The alias is the source's name, so that an expression can use "orders.qty".
        alias = quote(self.view.source)
        return f"SELECT {self._keys}, {join(totals)} FROM {rows} AS {alias} GROUP BY {self._keys}"

    def _trigger_function(self) -> str:
        inserted, deleted = self._totals("new_rows"), self._totals("old_rows", "-")
        sums = join(f"sum({column}) AS {column}" for column in self._accumulators)
        changes = " OR ".join(f"sum({column}) <> 0" for column in self._accumulators)
        updated = (
            f"SELECT {self._keys}, {sums} FROM ({inserted} UNION ALL {deleted}) AS changes "
            f"GROUP BY {self._keys} HAVING {changes}"
        )
        name = quote(self.view.name)
        # A user who may write to the source needs no rights in `standin`, whatever the session's search_path.
        return f"""CREATE FUNCTION standin.{name}() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, {self.schema}, pg_temp AS $function$
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
        PERFORM pg_notify({literal(CHANNEL)}, {literal(self.view.name)});
    END IF;
    RETURN NULL;
END
$function$;"""

    def _add(self, changes: str) -> str:
        """Return the statement that adds changes, which may be negative, to the totals of their groups."""
        columns = self._accumulators
        additions = join(f"{column} = summary.{column} + excluded.{column}" for column in columns)
        return f"""WITH changed AS (
            INSERT INTO standin.{quote(self.view.name)} AS summary ({self._keys}, {join(columns)})
            {changes}
            ON CONFLICT ({self._keys}) DO UPDATE SET {additions}
            RETURNING summary.ctid AS place, summary."*.count" AS row_count
        )
        SELECT count(*), array_agg(place) FILTER (WHERE row_count = 0)
        INTO standin_changed, standin_emptied FROM changed"""

    def _trigger(self, event: str) -> str:
        return quote(f"{self.view.name}_{event}")

    def _create_trigger(self, event: str, transition_tables: str) -> str:
        return (
            f"CREATE TRIGGER {self._trigger(event)} AFTER {event.upper()} ON {self._source} "
            f"{transition_tables} FOR EACH STATEMENT EXECUTE FUNCTION standin.{quote(self.view.name)}();"
        )


def value_sql(name: str, measure: Aggregate) -> str:
    """Return the measure `name` of a view, as SQL over the columns of the table in `standin`."""
    total, count = quote(f"{name}.sum"), quote(f"{name}.count")
    if isinstance(measure, Sum):
        return f"CASE WHEN {count} > 0 THEN {total} END"
    if isinstance(measure, Average):
        # As PostgreSQL's own avg() does it: int8_avg() and numeric_avg() in numeric.c.
        return f"{total}::numeric / NULLIF({count}, 0)"
    return count if measure.expression != "*" else quote("*.count")
