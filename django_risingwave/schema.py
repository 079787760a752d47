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
    """Makes and changes tables, in SQL that both servers take.

    Only the primary key is ever unique, and no foreign key or CHECK is ever made: they are "not implemented"
    (src/frontend/src/handler/create_table.rs at v3.0.3).
    """

    connection: DatabaseWrapper

    # No CASCADE: with it RisingWave drops the materialized views over the table too, and says nothing.
    sql_delete_table = "DROP TABLE %(table)s"
    # CASCADE is not implemented: https://github.com/risingwavelabs/risingwave/issues/6903
    sql_delete_column = "ALTER TABLE %(table)s DROP COLUMN %(column)s"
    # No WHERE, as the feature supports_partial_indexes says.
    sql_create_index = "CREATE INDEX %(name)s ON %(table)s%(using)s (%(columns)s)%(include)s%(extra)s"

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc_value, traceback)
        if exc_type is None and not self.collect_sql:
            # So that the next migration sees the rows that this one wrote.
            self.connection.flush()

    def execute(self, sql: Any, params: Any = ()) -> None:
        """Run a statement; None is a UNIQUE that isn't made."""
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
        """Do nothing: none is ever made."""

    def add_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Do nothing: none is ever made."""

    def remove_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Do nothing: none is ever made."""

    def _create_like_index_sql(self, model: type[Model], field: Field) -> None:
        # An operator class is a syntax error.
        return None

    # Columns -------------------------------------------------------------------------------------------

    def table_sql(self, model: Any) -> tuple[str, list[Any]]:
        """Return the SQL, and its parameters, of a table: columns, CHECKs of fields and the key."""
        meta = model._meta
        return self._table_of(model, self.quote_name(meta.db_table), meta.local_concrete_fields)

    def _column_generated_sql(self, field: Any) -> Any:
        """Write `type AS (expression)` for RisingWave, where PostgreSQL's words are a syntax error."""
        if self.connection.is_risingwave:
            expression, params = field.generated_sql(self.connection)
            return f"AS ({expression})", params
        return super()._column_generated_sql(field)  # type: ignore[misc]  # not in the stubs

    def column_sql(self, model: type[Model], field: Field, include_default: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        """Leave `_row_id` to RisingWave, which adds it to a table without a primary key."""
        if isinstance(field, RowIdField):
            if self.connection.is_risingwave:
                return None, None
            return "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", []
        return super().column_sql(model, field, include_default)

    def skip_default_on_alter(self, field: Field) -> bool:
        """Return True, so that no DROP DEFAULT follows ADD COLUMN: it is not implemented.

        A NOT NULL column keeps its default. It makes no difference, since Django's INSERT names each column.
        """
        return True

    def add_field(self, model: type[Model], field: Field) -> None:
        """Add a column; with skip_default_on_alter() a nullable one's default is left to an UPDATE.

        A generated one can't be added; a NOT NULL one not without a default, not even to an empty table, and
        not behind generated ones: _table_of().
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
        """Drop a column, and first its index: RisingWave keeps a column that an index is on."""
        if field.column is not None:
            names = self._constraint_names(model, [field.column], index=True)  # type: ignore[attr-defined]  # not in the stubs
            for name in names:
                self.execute(self._delete_index_sql(model, name))  # type: ignore[attr-defined]  # not in the stubs
        super().remove_field(model, field)

    def _alter_many_to_many(self, model: type[Model], old_field: Any, new_field: Any, strict: bool) -> None:  # noqa: FBT001 - Django's signature
        """Rename one column before the table and one after it: each time the model has the other's name."""
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
                # Django would set the type along with it.
                comment = new_field.db_comment
                self.execute(*self._alter_column_comment_sql(model, new_field, new_type, comment))  # type: ignore[attr-defined]  # not in the stubs
                old_field = copy(old_field)
                old_field.db_comment = comment
            # Its index at most.
            super()._alter_field(model, old_field, new_field, old_type, new_type, *args)  # type: ignore[misc]  # not in the stubs
        else:
            self._remake_table(model, old_field, new_field, old_type, new_type)

    def _remake_table(
        self, model: Any, old_field: Any, new_field: Any, old_type: str = "", new_type: str = ""
    ) -> None:
        """Copy the rows into a table of the new shape, which takes the old one's place.

        No old field: the new one is added. Rows, of which it would be NULL, are refused by the server.

        RisingWave can't change a column's type, NOT NULL or DEFAULT, nor rename it (src/frontend/src/handler/
        alter_table_column.rs at v3.0.3). Neither server drops a table that a materialized view is on.
        """
        # Only a migration's field knows the model as it will be.
        new_model = getattr(new_field, "model", model)
        if new_field.primary_key and old_type != new_type and _is_referred_to(new_model):
            raise NotSupportedError(
                f"The type of {new_field} can't be changed: columns of other tables refer to it. Make a new "
                "model, and copy the rows."
            )
        table, new_table = model._meta.db_table, f"new__{model._meta.db_table}"
        old, new = self.quote_name(table), self.quote_name(new_table)
        fields = _replaced(model, old_field, new_field)
        columns, params = self._copied(fields, old_field, new_field, old_type, new_type)
        try:
            definition, definition_params = self._table_of(new_model, new, fields)
        except FieldError as error:
            if old_field is None:
                raise
            raise NotSupportedError(
                f"A generated field uses {old_field} by the name that it loses. Remove it before the change, "
                "and add it again after it."
            ) from error

        # What an attempt that failed may have left.
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

    def _copied(
        self, fields: list[Any], old_field: Any, new_field: Any, old_type: str, new_type: str
    ) -> tuple[dict[str, str], list[Any]]:
        """Return the SQL of what each column gets, and its parameters; generated ones get nothing."""
        columns: dict[str, str] = {}
        params: list[Any] = []
        for field in fields:
            if field.generated or isinstance(field, RowIdField):
                continue
            if field is not new_field:
                value = self.quote_name(field.column)
            elif old_field is not None:
                value, params = self._converted(old_field, new_field, old_type, new_type)
            elif field.has_db_default() or (default := self.effective_default(field)) is None:
                continue
            else:
                value, params = f"%s::{field.db_type(self.connection)}", [default]
            columns[self.quote_name(field.column)] = value
        return columns, params

    def _table_of(self, model: Any, name: str, fields: list[Any]) -> tuple[str, list[Any]]:
        """Return the SQL, and its parameters, of a table of this (quoted) name, with these fields.

        Generated columns are last: RisingWave counts without them where NOT NULL columns are, and would drop
        rows for NULL in those that it finds there (gen_table_plan of src/frontend/src/optimizer/mod.rs at
        v3.0.3).
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

    def _converted(
        self, old_field: Any, new_field: Any, old_type: str, new_type: str
    ) -> tuple[str, list[Any]]:
        """Return the SQL, and its parameters, of an old column's value as the new one takes it."""
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
        """Refuse what RisingWave can't evaluate beforehand (src/frontend/src/handler/create_table.rs)."""
        if any(isinstance(part, Random) for part in field._db_default_expression.flatten()):
            raise NotSupportedError(f"The default of {field} must be constant but for NOW(), and is random.")
        return super().db_default_sql(field)

    # What streams --------------------------------------------------------------------------------------

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


def _replaced(model: type[Model], old_field: Any, new_field: Any) -> list[Any]:
    """Return the fields that columns are made of, with the new one in the place of the old one, or added.

    A migration's new field is part of the model as it will be. Any other is not: what is given then is the
    model as it was, or one that has both.
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
