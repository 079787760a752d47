from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import DataError, NotSupportedError
from django.db.backends.postgresql.operations import DatabaseOperations as PostgreSQLDatabaseOperations
from django.db.backends.postgresql.operations import get_json_dumps
from django.db.backends.postgresql.psycopg_any import Jsonb
from django.db.backends.utils import split_tzname_delta

from django_risingwave.columns.limits import checked_dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.core.management.color import Style
    from django.db.models.expressions import Expression

    from django_risingwave.base import DatabaseWrapper

# RisingWave warns of plans with more than 30 levels (PLAN_DEPTH_THRESHOLD in src/frontend/src/optimizer/
# plan_node/mod.rs at v3.0.3), and each UNION ALL may add one.
_TABLES_PER_QUERY = 25

_PLANS = ("LOGICAL", "PHYSICAL", "DISTSQL")
_TEXT_TYPES = frozenset(("GenericIPAddressField", "IPAddressField", "UUIDField"))


class DatabaseOperations(PostgreSQLDatabaseOperations):
    """Pieces of SQL and conversions of values where RisingWave supports less than PostgreSQL."""

    connection: DatabaseWrapper

    compiler_module = "django_risingwave.compiler"

    # Every automatic key is a bigint: columns/keys.py generates 63 bits.
    cast_data_types = {  # noqa: RUF012 - Django's
        "AutoField": "bigint",
        "BigAutoField": "bigint",
        "SmallAutoField": "bigint",
        "IntegerField": "integer",
        "SmallIntegerField": "smallint",
    }
    integer_field_ranges = PostgreSQLDatabaseOperations.integer_field_ranges | {
        "AutoField": PostgreSQLDatabaseOperations.integer_field_ranges["BigAutoField"],
        "SmallAutoField": PostgreSQLDatabaseOperations.integer_field_ranges["BigAutoField"],
    }

    def deferrable_sql(self) -> str:
        """Return nothing: RisingWave has no deferrable constraints."""
        return ""

    def tablespace_sql(self, tablespace: str | None, inline: bool = False) -> str:  # noqa: FBT001, FBT002 - Django's
        """Return nothing: RisingWave has no tablespaces."""
        return ""

    # explain(verbose=True, trace=True, distsql=True, format="json"): src/sqlparser/src/parser.rs
    # (parse_explain_options) at v3.0.3. PostgreSQL's other options are syntax errors there.
    explain_options = frozenset(("VERBOSE", "TRACE", *_PLANS))

    def explain_query_prefix(self, format: str | None = None, **options: Any) -> str:  # noqa: A002 - Django's signature
        """Return EXPLAIN and its options, as the connected server writes them.

        Raises NotSupportedError for `analyze`, which RisingWave supports only for streaming jobs
        (src/frontend/src/handler/explain.rs at v3.0.3), and on the stand-in for options that only RisingWave
        has. Raises ValueError for unknown options and formats.
        """
        wanted = {name.upper() for name, value in options.items() if value}
        if "ANALYZE" in wanted:
            raise NotSupportedError(
                "RisingWave doesn't support EXPLAIN ANALYZE of a query. Remove analyze. For the cost of a "
                "materialized view, use EXPLAIN ANALYZE MATERIALIZED VIEW."
            )
        if unknown := {name.upper() for name in options} - self.explain_options - {"ANALYZE"}:
            raise ValueError(
                f"Unknown options: {', '.join(sorted(unknown))}. Use "
                f"{', '.join(sorted(self.explain_options)).lower()}."
            )
        if len(plans := wanted.intersection(_PLANS)) > 1:
            raise ValueError(
                f"EXPLAIN shows one plan at a time, not {' and '.join(sorted(plans))}. Choose one."
            )
        if (foreign := sorted(wanted - {"VERBOSE"})) and not self.connection.is_risingwave:
            raise NotSupportedError(
                f"The PostgreSQL stand-in doesn't support EXPLAIN ({', '.join(foreign)}). Remove the option."
            )
        # Skip PostgreSQL's method, which gives each option a value: LOGICAL can't have one.
        prefix: str = super(PostgreSQLDatabaseOperations, self).explain_query_prefix(format)
        words = sorted(wanted) + ([f"FORMAT {format}"] if format else [])
        return f"{prefix} ({', '.join(words)})" if words else prefix

    def _prepare_tzname_delta(self, tzname: str) -> str:
        """Return the name of a time zone, which Extract, Trunc and lookups of dates write after AT TIME ZONE.

        Raises NotSupportedError for a fixed offset such as UTC+05:30, which isn't a time zone in RisingWave
        2.8.0. The names of Etc/GMT-5 and the like are such offsets too.
        """
        if split_tzname_delta(tzname)[1]:
            raise NotSupportedError(
                f"RisingWave only knows time zones by their names, not the fixed offset {tzname!r}. Use a "
                'zone with a name, such as zoneinfo.ZoneInfo("Asia/Kolkata").'
            )
        return tzname

    # UUIDs and IP addresses are stored as text: RisingWave has neither type.

    def get_db_converters(self, expression: Expression) -> list[Callable[..., Any]]:
        converters = super().get_db_converters(expression)
        if expression.output_field.get_internal_type() == "UUIDField":
            converters.append(_to_uuid)
        return converters

    def adapt_ipaddressfield_value(self, value: str | None) -> str | None:
        return value or None

    def adapt_datetimefield_value(self, value: Any) -> Any:
        """Return the same moment in UTC: RisingWave can't parse offsets with seconds, as some before 1970.

        See FromStr in src/common/src/types/timestamptz.rs at v3.0.3. Raises DataError if the year in UTC is
        not between 1 and 9999, since Python couldn't read it back.
        """
        if not isinstance(value, datetime) or value.tzinfo is None:
            return value
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise DataError(f"{value} must be in the years 1 to 9999 in UTC.") from None

    def adapt_json_value(self, value: Any, encoder: Any) -> Any:
        """Return the JSON. Raises DataError for values that jsonb would change: columns/limits.py."""
        return Jsonb(value, dumps=checked_dumps(get_json_dumps(encoder)))

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        # PostgreSQL's backend wraps inet in HOST().
        return super().lookup_cast(lookup_type, None if internal_type in _TEXT_TYPES else internal_type)

    def sql_flush(
        self,
        style: Style,
        tables: Iterable[str],
        *,
        reset_sequences: bool = False,
        allow_cascade: bool = False,
    ) -> list[str]:
        """Return a DELETE for each table: RisingWave has no TRUNCATE."""
        return [
            f"{style.SQL_KEYWORD('DELETE')} {style.SQL_KEYWORD('FROM')} "
            f"{style.SQL_FIELD(self.quote_name(table))};"
            for table in tables
        ]

    def execute_sql_flush(self, sql_list: Iterable[str]) -> None:
        """Empty the tables of sql_flush() that have rows, and wait once.

        With implicit_flush RisingWave waits for a checkpoint after each DELETE, also from an empty table.
        Without it, the last writes may still be invisible, also to a DELETE.
        """
        if not self.connection.waits_for_each_write:
            self.connection.flush()
        statements = {sql.removeprefix("DELETE FROM ").removesuffix(";"): sql for sql in sql_list}
        filled = [statements[table] for table in self._tables_with_rows(list(statements))]
        with self.connection.without_implicit_flush(), self.connection.cursor() as cursor:
            for sql in filled:
                cursor.execute(sql)
        if filled:
            self.connection.flush()

    def _tables_with_rows(self, tables: list[str]) -> Iterator[str]:
        """Yield those of the (quoted) tables that have rows."""
        queries = [
            "SELECT '{}' WHERE EXISTS (SELECT 1 FROM {})".format(table.replace("'", "''"), table)  # noqa: S608 - quoted
            for table in tables
        ]
        with self.connection.cursor() as cursor:
            for start in range(0, len(queries), _TABLES_PER_QUERY):
                cursor.execute(" UNION ALL ".join(queries[start : start + _TABLES_PER_QUERY]))
                yield from [table for (table,) in cursor.fetchall()]

    def sequence_reset_by_name_sql(self, style: Style, sequences: Any) -> list[str]:
        """Return nothing: RisingWave has no sequences."""
        return []

    def sequence_reset_sql(self, style: Style, model_list: Any) -> list[str]:
        """Return nothing: RisingWave has no sequences."""
        return []


def _to_uuid(value: str | None, expression: Expression, connection: Any) -> uuid.UUID | None:
    return None if value is None else uuid.UUID(value)
