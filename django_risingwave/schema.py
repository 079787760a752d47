from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from django_risingwave.fields import has_generated_columns
from django_risingwave.streaming.hidden_values import execute, read_environment
from django_risingwave.tables.copies import TableCopyEditor
from django_risingwave.tables.indexes import without_default_index

if TYPE_CHECKING:
    from types import TracebackType

    from django.db.models import Field, Model

    from django_risingwave.streaming.definitions import Definition


class DatabaseSchemaEditor(TableCopyEditor):
    """Creates, alters and drops tables, materialized views, sources, sinks, secrets and subscriptions."""

    # Without CASCADE, with which RisingWave silently drops the materialized views on the table too.
    sql_delete_table = "DROP TABLE %(table)s"
    # RisingWave doesn't implement CASCADE: https://github.com/risingwavelabs/risingwave/issues/6903
    sql_delete_column = "ALTER TABLE %(table)s DROP COLUMN %(column)s"

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

    # Columns -------------------------------------------------------------------------------------------

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
        """Drop a column, without the indexes that store it."""
        if field.column is None:
            super().remove_field(model, field)
            return
        with self._without_indexes_of(model, field.column):
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
            old, new = without_default_index(old_field), without_default_index(new_field)
            super()._alter_field(model, old, new, old_type, new_type, *args)  # type: ignore[misc]  # not in the stubs
        else:
            self._remake_table(model, old_field, new_field, old_type, new_type)

    # What streams -----------------------------------------------------------------------------------

    def create_streaming_object(self, definition: Definition) -> None:
        """Create what a definition describes, or on PostgreSQL what takes its place."""
        if standin := self.connection.standin:
            standin.create(definition, self)
        else:
            definition.before_create(self)
            self.execute_definition(definition)

    def execute_definition(self, definition: Definition) -> None:
        """Send the statement that creates the object, with values from the environment that no log shows.

        Raises ImproperlyConfigured, before anything is sent, if a variable isn't set.
        """
        sql = definition.create_sql(self.quote_name)
        if definition.environment() and not self.collect_sql:
            execute(self.connection, sql, read_environment(definition))
        else:
            self.execute(sql, None)

    def delete_streaming_object(self, definition: Definition) -> None:
        """Drop what create_streaming_object() created."""
        if standin := self.connection.standin:
            standin.drop(definition, self)
        else:
            self.execute(definition.drop_sql(self.quote_name), None)
            definition.after_drop(self)
