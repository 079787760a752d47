"""The SQL by which rows leave a summary with a temporal filter as time passes.

Such a summary counts the rows whose column is later than its floor, which a record has. A tick,
standin.expire(), finds the rows that no longer meet the filter, subtracts them and raises the floor. Its cost
grows with the rows that leave, which an index on the column finds.

Somebody must call it: ChangeListener does each second. Where the last tick is too old, the view computes its
SELECT, so it is right without ticks too.
"""

# ruff: noqa: S608 - names and literals are quoted here

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django_risingwave.standin.sql import MAX_NAME_BYTES, literal, quote

if TYPE_CHECKING:
    from django_risingwave.standin.temporal_filters import TemporalFilter

#: The floors of summaries with a temporal filter. No table or view of a model has such a name.
FLOORS = f"standin.{quote('*.floors')}"
#: Indexes that the stand-in creates on tables of models have names that begin so.
INDEX_PREFIX = "standin."

#: Seconds after which the last tick is too old for a view to rely on it: several times those between two.
FRESH_SECONDS = 5
#: Seconds within which a second tick does nothing, so that several listeners don't tick more often than one.
TICK_SECONDS = 0.9
#: Milliseconds that a tick waits for transactions that write. Then the next tick makes up for it.
LOCK_MILLISECONDS = 100
#: Rows of a table that may leave a summary in one tick, which takes some 15 ms then: writers wait for it.
MAX_LEAVING_ROWS = 10_000


def setup_sql(writers_lock_key: int) -> str:
    """Return the SQL that creates the record of floors and the functions, or brings them up to date."""
    return f"""
CREATE TABLE IF NOT EXISTS {FLOORS} (
    summary regclass PRIMARY KEY,
    floor timestamptz NOT NULL,
    -- The index on the source by which the rows that leave are found.
    index_name text NOT NULL,
    -- The last tick after which no row was left that had to leave.
    ticked_at timestamptz NOT NULL
);
GRANT SELECT ON {FLOORS} TO PUBLIC;

CREATE OR REPLACE FUNCTION standin.is_fresh(kept regclass) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS $function$
    SELECT ticked_at > now() - interval '{FRESH_SECONDS} seconds' FROM {FLOORS} WHERE summary = kept
$function$;

-- Lets the rows leave that a temporal filter leaves out by now. Returns whether there is no more to do now.
CREATE OR REPLACE FUNCTION standin.expire() RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    SET lock_timeout = {LOCK_MILLISECONDS} AS $function$
DECLARE
    due record;
    have_left boolean;
    have_all_left boolean := true;
BEGIN
    IF NOT EXISTS (SELECT FROM {FLOORS} WHERE ticked_at <= now() - interval '{TICK_SECONDS} seconds') THEN
        RETURN true;
    ELSIF current_setting('transaction_read_only')::boolean THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock({writers_lock_key});
    FOR due IN
        SELECT summary, relname FROM {FLOORS} JOIN pg_class ON pg_class.oid = summary
        WHERE ticked_at <= now() - interval '{TICK_SECONDS} seconds' ORDER BY relname
    LOOP
        BEGIN
            EXECUTE format('SELECT standin.%I()', due.relname || '.expire') INTO have_left;
            UPDATE {FLOORS} SET ticked_at = now() WHERE summary = due.summary AND have_left;
            have_all_left := have_all_left AND have_left;
        EXCEPTION WHEN OTHERS THEN
            -- The other summaries go on, and the view of this one is computed.
            RAISE LOG 'no row can leave %: %', due.summary, sqlerrm;
        END;
    END LOOP;
    RETURN have_all_left;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$function$;
"""


#: Drops the indexes by which no summary finds rows any more.
DROP_INDEXES = f"""
    FOR place IN
        SELECT pg_class.oid::regclass AS name FROM pg_class
        WHERE relkind IN ('i', 'I') AND starts_with(relname, {literal(INDEX_PREFIX)})
            AND relname NOT IN (SELECT index_name FROM {FLOORS} JOIN pg_class ON pg_class.oid = summary)
    LOOP
        EXECUTE format('DROP INDEX %s', place.name);
    END LOOP;
"""


@dataclass(frozen=True)
class Expiring:
    """The SQL of what a summary with a temporal filter has besides others."""

    name: str
    schema: str
    #: The table that the view reads.
    source: str
    filter: TemporalFilter

    @property
    def condition(self) -> str:
        """Whether the summary counts a row, in its functions."""
        return f"{quote(self.filter.column)} > standin_floor"

    @property
    def counted(self) -> str:
        """Whether the summary counts a row, anywhere."""
        return f"{quote(self.filter.column)} > ({self._floor})"

    @property
    def read_floor(self) -> str:
        """The statement that reads the floor into the variable of `condition`."""
        return f"SELECT floor INTO standin_floor FROM {FLOORS} WHERE summary = {self._summary};"

    @property
    def _floor(self) -> str:
        return f"SELECT floor FROM {FLOORS} WHERE summary = {self._summary}"

    @property
    def _summary(self) -> str:
        return f"{literal(f'standin.{quote(self.name)}')}::regclass"

    @property
    def _table(self) -> str:
        return f"{quote(self.schema)}.{quote(self.source)}"

    @property
    def _index(self) -> str:
        name = f"{INDEX_PREFIX}{self.source}.{self.filter.column}"
        if len(name.encode()) > MAX_NAME_BYTES:
            name = INDEX_PREFIX + hashlib.sha256(name.encode()).hexdigest()[:32]
        return name

    def mark_stale(self, rows: str) -> str:
        """Return the statement that lets the view be computed until a tick, if it counts rows that must go.

        Whoever writes orders of another time would otherwise see them until then.
        """
        return f"""UPDATE {FLOORS} SET ticked_at = '-infinity' WHERE summary = {self._summary} AND EXISTS (
            SELECT FROM {rows} AS changed_rows WHERE {self.condition} AND NOT ({self.filter.condition})
        );"""

    def begin_sql(self) -> str:
        """Return the statements that create the index and record the first floor."""
        column = quote(self.filter.column)
        return f"""CREATE INDEX IF NOT EXISTS {quote(self._index)} ON {self._table} ({column});
INSERT INTO {FLOORS} (summary, floor, index_name, ticked_at)
SELECT {self._summary}, coalesce(max({column}), '-infinity'), {literal(self._index)}, now()
FROM {self._table} WHERE NOT ({self.filter.condition});"""

    def function_sql(self, subtract: str) -> str:
        """Return the SQL of the summary's part of a tick.

        `subtract` has the statements that subtract the rows of `leaving` from the summary.
        """
        column, name = quote(self.filter.column), f"standin.{quote(self.name + '.expire')}"
        # The first of the rows that are counted is the first to leave. Mostly it stays.
        return f"""CREATE OR REPLACE FUNCTION {name}() RETURNS boolean LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_column
DECLARE
    standin_changed bigint;
    standin_emptied tid[];
    standin_floor timestamptz;
    standin_next timestamptz;
    standin_stays boolean;
    standin_last timestamptz;
BEGIN
    {self.read_floor}
    SELECT {self.filter.condition} INTO standin_stays
    FROM {self._table} WHERE {column} > standin_floor ORDER BY {column} LIMIT 1;
    IF standin_stays IS NOT false THEN
        RETURN true;
    END IF;
    SELECT max({column}) INTO standin_last
    FROM {self._table} WHERE {column} > standin_floor AND NOT ({self.filter.condition});
    SELECT {column} INTO standin_next
    FROM {self._table} WHERE {column} > standin_floor AND {column} <= standin_last
    ORDER BY {column} OFFSET {MAX_LEAVING_ROWS} LIMIT 1;
    standin_next := coalesce(standin_next, standin_last);
    {subtract}
    UPDATE {FLOORS} SET floor = standin_next WHERE summary = {self._summary};
    RETURN standin_next = standin_last;
END
$function$;
REVOKE EXECUTE ON FUNCTION {name}() FROM PUBLIC;"""

    @property
    def leaving(self) -> str:
        """The rows that leave, as a SELECT in parentheses."""
        column = quote(self.filter.column)
        return f"(SELECT * FROM {self._table} WHERE {column} > standin_floor AND {column} <= standin_next)"


def fresh(summary: str, kept: str, computed: str) -> str:
    """Return a SELECT of what ticks keep up to date in a summary, or where they don't, of what is computed.

    `kept` and `computed` are relations or SELECTs in parentheses with an alias.
    """
    # A constant of the type regclass follows the renaming of the summary.
    is_fresh = f"standin.is_fresh({literal(f'standin.{quote(summary)}')}::regclass)"
    return f"SELECT * FROM {kept} WHERE {is_fresh}\nUNION ALL SELECT * FROM {computed} WHERE NOT {is_fresh}"
