from __future__ import annotations

from copy import copy
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import NotSupportedError
from django.db.backends.ddl_references import Statement
from django.db.backends.postgresql.schema import DatabaseSchemaEditor as PostgreSQLDatabaseSchemaEditor
from django.db.models import CompositePrimaryKey
from django.db.models.functions import Random

from django_risingwave.fields import RowIdField, has_generated_columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from django.db.models import Field, Model
    from django.db.models.constraints import BaseConstraint

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.definitions import Definition


class DatabaseSchemaEditor(PostgreSQLDatabaseSchemaEditor):
    """Creates and alters tables, with SQL that both servers accept.

    RisingWave implements neither UNIQUE nor FOREIGN KEY nor CHECK, so none is created
    (src/frontend/src/handler/create_table.rs at v3.0.3).
    """

    connection: DatabaseWrapper

    # Without CASCADE, with which RisingWave silently drops the materialized views on the table too.
    sql_delete_table = "DROP TABLE %(table)s"
    # RisingWave doesn't implement CASCADE: https://github.com/risingwavelabs/risingwave/issues/6903
    sql_delete_column = "ALTER TABLE %(table)s DROP COLUMN %(column)s"
    # Without %(condition)s: supports_partial_indexes is False.
    sql_create_index = "CREATE INDEX %(name)s ON %(table)s%(using)s (%(columns)s)%(include)s%(extra)s"

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc_value, traceback)
        if exc_type is None and not self.collect_sql:
            # The next migration must see the rows that this one wrote.
            self.connection.flush()

    def execute(self, sql: Any, params: Any = ()) -> None:
        """Run a statement, or nothing if it is None, which stands for a constraint that isn't created."""
        if sql is not None:
            super().execute(sql, params)

    def _flush(self) -> None:
        if self.connection.is_risingwave:
            self.execute("FLUSH", None)

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

    def _create_like_index_sql(self, model: type[Model], field: Field) -> None:
        # Operator classes are a syntax error.
        return None

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

    def skip_default_on_alter(self, field: Field) -> bool:
        """Return True, so that ADD COLUMN isn't followed by DROP DEFAULT, which RisingWave lacks.

        A NOT NULL column keeps its default. Django doesn't use it, since its INSERT names every column.
        """
        return True

    def add_field(self, model: type[Model], field: Field) -> None:
        """Add a column, or copy the table if RisingWave can't add it.

        RisingWave can't add a generated column, nor a NOT NULL column without a default (not even to an empty
        table) or after generated columns: see _create_table_sql(). A nullable column's default is set by an
        UPDATE, because of skip_default_on_alter().
        """
        if field.generated or (
            not (field.many_to_many or field.null or field.primary_key)
            and (
                has_generated_columns(model)
                or not (field.has_db_default() or self.effective_default(field) is not None)
            )
        ):
            self._remake_table(model, None, field)
            return
        super().add_field(model, field)
        if field.column is None or not field.null or field.has_db_default():
            return
        default = self.effective_default(field)
        if default is not None:
            self._flush()
            table, column = self.quote_name(model._meta.db_table), self.quote_name(field.column)
            self.execute(f"UPDATE {table} SET {column} = %s", [default])  # noqa: S608 - quoted

    def remove_field(self, model: type[Model], field: Field) -> None:
        """Drop a column after its indexes: RisingWave refuses to drop an indexed column."""
        if field.column is not None:
            names = self._constraint_names(model, [field.column], index=True)  # type: ignore[attr-defined]  # not in the stubs
            for name in names:
                self.execute(self._delete_index_sql(model, name))  # type: ignore[attr-defined]  # not in the stubs
        super().remove_field(model, field)

    def _alter_many_to_many(self, model: type[Model], old_field: Any, new_field: Any, strict: bool) -> None:  # noqa: FBT001 - Django's signature
        """Rename one column before the table and one after it, each time in the model that has the table."""
        old, new = old_field.remote_field.through, new_field.remote_field.through
        reverse = copy(new._meta.get_field(new_field.m2m_reverse_field_name()))
        reverse.model = old
        self.alter_field(old, old._meta.get_field(old_field.m2m_reverse_field_name()), reverse)
        self.alter_db_table(new, old._meta.db_table, new._meta.db_table)
        self.alter_field(
            new,
            old._meta.get_field(old_field.m2m_field_name()),
            new._meta.get_field(new_field.m2m_field_name()),
        )

    def _alter_field(
        self,
        model: type[Model],
        old_field: Field,
        new_field: Field,
        old_type: str,
        new_type: str,
        *args: Any,
    ) -> None:
        same_column = old_field.column == new_field.column
        if same_column and self.column_sql(model, old_field) == self.column_sql(model, new_field):
            if old_field.db_comment != new_field.db_comment:
                # Django would set the type in the same statement.
                comment = new_field.db_comment
                self.execute(*self._alter_column_comment_sql(model, new_field, new_type, comment))  # type: ignore[attr-defined]  # not in the stubs
                old_field = copy(old_field)
                old_field.db_comment = comment
            # At most the index changes.
            super()._alter_field(model, old_field, new_field, old_type, new_type, *args)  # type: ignore[misc]  # not in the stubs
        else:
            self._remake_table(model, old_field, new_field, old_type, new_type)

    def _remake_table(
        self, model: Any, old_field: Any, new_field: Any, old_type: str = "", new_type: str = ""
    ) -> None:
        """Copy the rows into a new table, which replaces the old one.

        Without an old field, the new field is added; the server refuses rows for which a NOT NULL column
        would be NULL.

        RisingWave can't change a column's type, NOT NULL or DEFAULT, or rename it (src/frontend/src/handler/
        alter_table_column.rs at v3.0.3). Neither server drops a table that a materialized view reads.
        """
        # The field of a migration belongs to the model as it will be.
        new_model = getattr(new_field, "model", model)
        if new_field.primary_key and old_type != new_type and _is_referred_to(new_model):
            raise NotSupportedError(
                f"The type of {new_field} can't be changed, because columns of other tables refer to it. "
                "Create a new model and copy the rows."
            )
        table, new_table = model._meta.db_table, f"new__{model._meta.db_table}"
        old, new = self.quote_name(table), self.quote_name(new_table)
        fields = _fields_of_new_table(model, old_field, new_field)
        columns, params = self._copied_columns(fields, old_field, new_field, old_type, new_type)
        try:
            definition, definition_params = self._create_table_sql(new_model, new, fields)
        except FieldError as error:
            if old_field is None:
                raise
            raise NotSupportedError(
                f"{old_field} can't be renamed, because a generated field refers to it. Remove the generated "
                "field before the change, and add it again afterwards."
            ) from error

        # A failed attempt may have left the table behind.
        self.execute(f"DROP TABLE IF EXISTS {new}", None)
        self.execute(definition, definition_params or None)
        self._flush()
        self.execute(
            f"INSERT INTO {new} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {old}",  # noqa: S608 - quoted
            params or None,
        )
        self._flush()
        self.execute(self.sql_delete_table % {"table": old}, None)
        self.execute(self.sql_rename_table % {"old_table": new, "new_table": old}, None)
        self.deferred_sql = [
            sql
            for sql in self.deferred_sql
            if not (isinstance(sql, Statement) and sql.references_table(table))
        ]
        for field in fields:
            self.deferred_sql.extend(self._field_indexes_sql(model, field))  # type: ignore[attr-defined]  # not in the stubs
        self.deferred_sql.extend(index.create_sql(new_model, self) for index in new_model._meta.indexes)
        if model._meta.db_table_comment:
            self.alter_db_table_comment(model, "", model._meta.db_table_comment)
        for field in fields:
            if field.db_comment:
                self.execute(*self._alter_column_comment_sql(model, field, None, field.db_comment))  # type: ignore[attr-defined]  # not in the stubs

    def _copied_columns(
        self, fields: list[Any], old_field: Any, new_field: Any, old_type: str, new_type: str
    ) -> tuple[dict[str, str], list[Any]]:
        """Return the SQL of the value of each copied column, and the parameters. Skip generated columns."""
        columns: dict[str, str] = {}
        params: list[Any] = []
        for field in fields:
            if field.generated or isinstance(field, RowIdField):
                continue
            if field is not new_field:
                value = self.quote_name(field.column)
            elif old_field is not None:
                value, params = self._conversion_sql(old_field, new_field, old_type, new_type)
            elif field.has_db_default() or (default := self.effective_default(field)) is None:
                continue
            else:
                value, params = f"%s::{field.db_type(self.connection)}", [default]
            columns[self.quote_name(field.column)] = value
        return columns, params

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

    def _conversion_sql(
        self, old_field: Any, new_field: Any, old_type: str, new_type: str
    ) -> tuple[str, list[Any]]:
        """Return the SQL that converts an old column's value to the new column, and the parameters."""
        value: str = self.quote_name(old_field.column)
        params: Any = []
        if old_type != new_type:
            value = f"{value}::{new_type}"
        if old_field.null and not new_field.null:
            if new_field.has_db_default():
                default, params = self.db_default_sql(new_field)
                value = f"coalesce({value}, {default})"
            elif (effective_default := self.effective_default(new_field)) is not None:
                value, params = f"coalesce({value}, %s)", [effective_default]
        return value, list(params)

    def db_default_sql(self, field: Any) -> Any:
        """Refuse Random(), which RisingWave can't evaluate in advance.

        src/frontend/src/handler/create_table.rs at v3.0.3
        """
        if any(isinstance(part, Random) for part in field._db_default_expression.flatten()):
            raise NotSupportedError(
                f"db_default of {field} must be a constant expression or Now(), not Random(). Use default=."
            )
        return super().db_default_sql(field)

    # Materialized views and subscriptions --------------------------------------------------------------

    def create_streaming_object(self, definition: Definition) -> None:
        """Create a materialized view or a subscription, or on PostgreSQL what takes its place."""
        if standin := self.connection.standin:
            standin.create(definition, self)
        else:
            self.execute(definition.create_sql(self.quote_name), None)

    def delete_streaming_object(self, definition: Definition) -> None:
        """Drop what create_streaming_object() created."""
        if standin := self.connection.standin:
            standin.drop(definition, self)
        else:
            self.execute(definition.drop_sql(self.quote_name), None)


def _is_referred_to(model: type[Model]) -> bool:
    return any(
        field.auto_created and not field.concrete and (field.one_to_one or field.one_to_many)
        for field in model._meta.get_fields(include_hidden=True)
    )


def _fields_of_new_table(model: type[Model], old_field: Any, new_field: Any) -> list[Any]:
    """Return the fields that become columns, with the new field in place of the old one, or added.

    The new field of a migration belongs to the model as it will be. Without a migration, the model is the one
    before the change, or one that has both fields.
    """
    future = getattr(new_field, "model", model)._meta.local_concrete_fields
    if any(field is new_field for field in future):
        return list(future)
    if old_field is None:
        return [*model._meta.local_concrete_fields, new_field]
    fields: list[Any] = []
    for field in model._meta.local_concrete_fields:
        if field.name not in (old_field.name, new_field.name):
            fields.append(field)
        elif new_field not in fields:
            fields.append(new_field)
    return fields
