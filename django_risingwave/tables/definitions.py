"""The SQL of CREATE TABLE: columns without constraints."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.backends.postgresql.schema import DatabaseSchemaEditor as PostgreSQLDatabaseSchemaEditor
from django.db.models import CompositePrimaryKey
from django.db.models.functions import Random

from django_risingwave.fields import RowIdField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Field, Model
    from django.db.models.constraints import BaseConstraint

    from django_risingwave.base import DatabaseWrapper


class TableDefinitionEditor(PostgreSQLDatabaseSchemaEditor):
    """Defines tables with SQL that both servers accept.

    RisingWave implements neither UNIQUE nor FOREIGN KEY nor CHECK, so none is created
    (src/frontend/src/handler/create_table.rs at v3.0.3).
    """

    connection: DatabaseWrapper

    def execute(self, sql: Any, params: Any = ()) -> None:
        """Run a statement, or nothing if it is None, which stands for a constraint that isn't created."""
        if sql is not None:
            super().execute(sql, params)

    # Constraints ---------------------------------------------------------------------------------------

    def _iter_column_sql(self, *args: Any) -> Iterator[str]:
        parts: Iterator[str] = super()._iter_column_sql(*args)  # type: ignore[misc]  # not in the stubs
        return (part for part in parts if part != "UNIQUE")

    def _unique_supported(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def _check_sql(self, name: str, check: str) -> None:
        return None

    def alter_unique_together(
        self, model: type[Model], old_unique_together: Any, new_unique_together: Any
    ) -> None:
        """Do nothing: RisingWave has no such constraint."""

    def add_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Do nothing: RisingWave has no such constraint."""

    def remove_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Do nothing: RisingWave has no such constraint."""

    # Columns -------------------------------------------------------------------------------------------

    def table_sql(self, model: Any) -> tuple[str, list[Any]]:
        """Return the SQL of a table with its columns, CHECKs and primary key, and the parameters."""
        meta = model._meta
        return self._create_table_sql(model, self.quote_name(meta.db_table), meta.local_concrete_fields)

    def _column_generated_sql(self, field: Any) -> Any:
        """Write `AS (expression)` for RisingWave: GENERATED ALWAYS and STORED are syntax errors there."""
        if self.connection.is_risingwave:
            expression, params = field.generated_sql(self.connection)
            return f"AS ({expression})", params
        return super()._column_generated_sql(field)  # type: ignore[misc]  # not in the stubs

    def column_sql(self, model: type[Model], field: Field, include_default: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        """Leave out `_row_id`, which RisingWave adds to a table without a primary key."""
        if isinstance(field, RowIdField):
            if self.connection.is_risingwave:
                return None, None
            return "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", []
        return super().column_sql(model, field, include_default)

    def _create_table_sql(self, model: Any, name: str, fields: list[Any]) -> tuple[str, list[Any]]:
        """Return the SQL that creates a table of this (quoted) name with these fields, and the parameters.

        Generated columns come last. RisingWave leaves them out when it computes the positions of NOT NULL
        columns. After a generated column it would check the wrong columns, and drop rows that have NULL in
        them (gen_table_plan in src/frontend/src/optimizer/mod.rs at v3.0.3).
        """
        parts, params = [], []
        for field in sorted(fields, key=attrgetter("generated")):
            definition, column_params = self.column_sql(model, field)
            if definition is None:
                continue
            parts.append(f"{self.quote_name(field.column)} {definition}")
            params += column_params
            if check := field.db_parameters(self.connection)["check"]:
                parts[-1] += f" {self.sql_check_constraint % {'check': check}}"
        if isinstance(model._meta.pk, CompositePrimaryKey):
            parts.append(self._pk_constraint_sql(model._meta.pk.columns))  # type: ignore[attr-defined]  # not in the stubs
        return self.sql_create_table % {"table": name, "definition": ", ".join(parts)}, params

    def db_default_sql(self, field: Any) -> Any:
        """Refuse Random(), which RisingWave can't evaluate in advance.

        src/frontend/src/handler/create_table.rs at v3.0.3
        """
        if any(isinstance(part, Random) for part in field._db_default_expression.flatten()):
            raise NotSupportedError(
                f"db_default of {field} must be a constant expression or Now(), not Random(). Use default=."
            )
        return super().db_default_sql(field)
