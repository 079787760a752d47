"""Changes for which the rows are copied into a new table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import Error, NotSupportedError
from django.db.backends.ddl_references import Statement

from django_risingwave.fields import RowIdField
from django_risingwave.tables.indexes import IndexEditor

if TYPE_CHECKING:
    from django.db.models import Model


class TableCopyEditor(IndexEditor):
    """Copies tables: RisingWave can't change a column's name, type, NOT NULL or DEFAULT.

    RisingWave 2.8.0 answers "only types containing struct can be altered" and "Unhandled statement".
    """

    def _flush(self) -> None:
        if self.connection.is_risingwave:
            self.execute("FLUSH", None)

    def _remake_table(
        self, model: Any, old_field: Any, new_field: Any, old_type: str = "", new_type: str = ""
    ) -> None:
        """Copy the rows into a new table, which replaces the old one.

        Without an old field, the new field is added; the server refuses rows for which a NOT NULL column
        would be NULL. Raises NotSupportedError, naming them, if other objects use the table: neither server
        would drop it.
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

        self._check_replaceable(table)
        # A process that was killed may have left the table behind.
        drop_new = f"DROP TABLE IF EXISTS {new}"
        self.execute(drop_new, None)
        try:
            self.execute(definition, definition_params or None)
            self._flush()
            self.execute(
                f"INSERT INTO {new} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {old}",  # noqa: S608 - quoted
                params or None,
            )
            self._flush()
            self.execute(self.sql_delete_table % {"table": old}, None)
        except Exception:
            # Nothing rolls back. Another error, such as a lost connection, must not hide the first.
            with suppress(Error):
                self.execute(drop_new, None)
            raise
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

    def _check_replaceable(self, table: str) -> None:
        if self.collect_sql:
            return
        with self.connection.cursor() as cursor:
            # Fails if a copy was interrupted after the table was dropped. Its rows are in the new table then.
            cursor.execute(f"SELECT * FROM {self.quote_name(table)} LIMIT 1")  # noqa: S608 - quoted
            dependents = self.connection.introspection.get_dependents(cursor, table)
        if dependents:
            names = ", ".join(f'{kind} "{name}"' for name, kind in dependents.items())
            raise NotSupportedError(
                f'This change replaces table "{table}" by a copy, but other objects use it: {names}. Drop '
                "them before the change, and create them again afterwards."
            )

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
