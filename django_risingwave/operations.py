from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.operations import DatabaseOperations as PostgreSQLDatabaseOperations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.core.management.color import Style
    from django.db.models.expressions import Expression

_TEXT_TYPES = ("GenericIPAddressField", "IPAddressField", "UUIDField")


class DatabaseOperations(PostgreSQLDatabaseOperations):
    """How Django's SQL is put together, where RisingWave takes less than PostgreSQL."""

    compiler_module = "django_risingwave.compiler"

    # Automatic keys are bigint, whatever the field is called: keys.py needs 63 bits.
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
        """Return nothing: no constraint is ever made that could be deferred."""
        return ""

    def tablespace_sql(self, tablespace: str | None, inline: bool = False) -> str:  # noqa: FBT001, FBT002 - Django's
        """Return nothing: there are no tablespaces."""
        return ""

    # uuid and inet are text: RisingWave has neither type.

    def get_db_converters(self, expression: Expression) -> list[Callable[..., Any]]:
        converters = super().get_db_converters(expression)
        if expression.output_field.get_internal_type() == "UUIDField":
            converters.append(_to_uuid)
        return converters

    def adapt_ipaddressfield_value(self, value: str | None) -> str | None:
        return value or None

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        # PostgreSQL's backend wraps an inet into HOST().
        return super().lookup_cast(lookup_type, None if internal_type in _TEXT_TYPES else internal_type)

    def sql_flush(
        self,
        style: Style,
        tables: Iterable[str],
        *,
        reset_sequences: bool = False,
        allow_cascade: bool = False,
    ) -> list[str]:
        """Empty the tables one by one: TRUNCATE is an "unhandled statement"."""
        return [
            f"{style.SQL_KEYWORD('DELETE')} {style.SQL_KEYWORD('FROM')} "
            f"{style.SQL_FIELD(self.quote_name(table))};"
            for table in tables
        ]

    def sequence_reset_by_name_sql(self, style: Style, sequences: Any) -> list[str]:
        """Return nothing: there are no sequences."""
        return []

    def sequence_reset_sql(self, style: Style, model_list: Any) -> list[str]:
        """Return nothing: there are no sequences."""
        return []


def _to_uuid(value: str | None, expression: Expression, connection: Any) -> uuid.UUID | None:
    return None if value is None else uuid.UUID(value)
