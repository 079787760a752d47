from __future__ import annotations

import logging
import re
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from django.db import InternalError, NotSupportedError, ProgrammingError
from django.db.backends.ddl_references import Statement

from django_risingwave.fields import RowIdField, has_generated_columns
from django_risingwave.streaming.connectors.hidden_values import execute, read_environment
from django_risingwave.streaming.rebuilding.building import in_background, wait_until_built
from django_risingwave.tables.copies import TableCopyEditor
from django_risingwave.tables.indexes import without_default_index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from django.db.models import Field, Model

    from django_risingwave.streaming.definitions import Definition

logger = logging.getLogger(__name__)

# A statement after comments, if there are any.
_CREATES_VIEW = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*CREATE\s+MATERIALIZED\s+VIEW\b", re.DOTALL | re.IGNORECASE
)


class DatabaseSchemaEditor(TableCopyEditor):
    """Creates, alters and drops tables, materialized views, sources, sinks, secrets and subscriptions."""

    # Without CASCADE, with which RisingWave silently drops the materialized views on the table too.
    sql_delete_table = "DROP TABLE %(table)s"
    # RisingWave doesn't implement CASCADE: https://github.com/risingwavelabs/risingwave/issues/6903
    sql_delete_column = "ALTER TABLE %(table)s DROP COLUMN %(column)s"

    def __enter__(self) -> Self:
        # The models whose tables existed already.
        self._kept_models: list[type[Model]] = []
        return super().__enter__()

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
        """Run a statement, unless it is one that would be silently wrong on the stand-in.

        PostgreSQL refreshes its own materialized views on request only. Raises NotSupportedError for one.
        """
        if isinstance(sql, str) and _CREATES_VIEW.match(sql) and not self.connection.is_risingwave:
            raise NotSupportedError(
                "PostgreSQL, which takes RisingWave's place here, would never refresh this materialized "
                f"view: {sql!r}. Run the statement by RunRisingWaveSQL, or declare the view on a model."
            )
        super().execute(sql, params)

    # Tables --------------------------------------------------------------------------------------------

    def create_model(self, model: type[Model]) -> None:
        """Create a table and its indexes, without what exists already if the table has the model's columns.

        RisingWave rolls nothing back: when a migration is interrupted, the tables that it has created stay.
        They are skipped there when it is run again. On the stand-in an existing table is an error, as it is
        for Django's own tests.
        """
        super().create_model(model)
        if model in self._kept_models:
            self._leave_out_existing_indexes(model)

    def _leave_out_existing_indexes(self, model: type[Model]) -> None:
        with self.connection.cursor() as cursor:
            names = self.connection.introspection.get_constraints(cursor, model._meta.db_table)
        existing = {self.quote_name(name) for name in names}
        self.deferred_sql = [sql for sql in self.deferred_sql if _name(sql) not in existing]

    def table_sql(self, model: type[Model]) -> Any:
        """Return no SQL for a table that exists already, with the columns of the model."""
        if self.connection.is_risingwave and not self.collect_sql and self._has_table(model):
            logger.info("table %s: exists already, with these columns", model._meta.db_table)
            self._kept_models.append(model)
            return None, []
        return super().table_sql(model)

    def _has_table(self, model: type[Model]) -> bool:
        from django_risingwave.streaming.declaring.column_checks import mismatches  # noqa: PLC0415 - loads sqlglot

        table, introspection = model._meta.db_table, self.connection.introspection
        with self.connection.cursor() as cursor:
            if introspection.get_relation_kinds(cursor).get(table) != "table":
                return False
            description = introspection.get_table_description(cursor, table)
        columns = {column.name: column.type_code for column in description}
        fields = {
            field.column
            for field in model._meta.local_concrete_fields
            # RisingWave doesn't show the column.
            if not isinstance(field, RowIdField)
        }
        others = {mismatch.field.column for mismatch in mismatches(self.connection, model, columns)}
        return columns.keys() <= fields and not others & fields

    def delete_model(self, model: type[Model]) -> None:
        """Drop a table, unless an interrupted migration has dropped it already."""
        table = model._meta.db_table
        # A name with quotes, such as '"Orders"', isn't the one in the catalog.
        if self.collect_sql or '"' in table or self._exists(table):
            super().delete_model(model)

    def _exists(self, relation: str) -> bool:
        with self.connection.cursor() as cursor:
            return relation in self.connection.introspection.get_relation_kinds(cursor)

    # Columns -------------------------------------------------------------------------------------------

    def skip_default_on_alter(self, field: Field) -> bool:
        """Return True, so that ADD COLUMN isn't followed by DROP DEFAULT, which RisingWave lacks.

        A NOT NULL column keeps its default. Django doesn't use it, since its INSERT names every column.
        """
        return True

    def add_field(self, model: type[Model], field: Field) -> None:
        """Add a column, or copy the table if RisingWave can't add it. One that exists already is kept.

        RisingWave rolls nothing back: a column that an interrupted migration has added is skipped there when
        the migration is run again. RisingWave can't add a generated column, nor a NOT NULL column without a
        default (not even to an empty table) or after generated columns: see _create_table_sql(). A nullable
        column's default is set by an UPDATE, because of skip_default_on_alter().
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
        if self._has_column(model, field):
            logger.info("table %s: has the column %s already", model._meta.db_table, field.column)
            self.deferred_sql.extend(self._field_indexes_sql(model, field))  # type: ignore[attr-defined]  # not in the stubs
            self._leave_out_existing_indexes(model)
        else:
            super().add_field(model, field)
        if field.column is None or not field.null or field.has_db_default():
            return
        default = self.effective_default(field)
        if default is not None:
            self._flush()
            table, column = self.quote_name(model._meta.db_table), self.quote_name(field.column)
            self.execute(f"UPDATE {table} SET {column} = %s", [default])  # noqa: S608 - quoted

    def _has_column(self, model: type[Model], field: Field) -> bool:
        if not self.connection.is_risingwave or self.collect_sql or field.column is None:
            return False
        with self.connection.cursor() as cursor:
            description = self.connection.introspection.get_table_description(cursor, model._meta.db_table)
        columns = {column.name: column.type_code for column in description}
        if field.column not in columns:
            return False
        from django_risingwave.streaming.declaring.column_checks import mismatches  # noqa: PLC0415 - loads sqlglot

        found = mismatches(self.connection, field.model, columns)
        return all(mismatch.field.column != field.column for mismatch in found)

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
        """Create what a definition describes, or on PostgreSQL what takes its place.

        On RisingWave a materialized view is built in the background: see streaming/rebuilding/building.py.
        """
        if standin := self.connection.standin:
            standin.create(definition, self)
            return
        definition.before_create(self)
        if definition.kind == "MATERIALIZED VIEW" and not self.collect_sql:
            with in_background(self.connection):
                self.execute_definition(definition)
            wait_until_built(self.connection, definition.name)
        else:
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

    def await_streaming_object(self, definition: Definition) -> None:
        """Wait for an existing object that may still be built, after an interrupted migration."""
        if definition.kind == "MATERIALIZED VIEW" and self.connection.is_risingwave:
            wait_until_built(self.connection, definition.name)

    def replace_streaming_objects(
        self, changes: Sequence[tuple[Definition, Definition]], *, cascade: bool = False
    ) -> None:
        """Change the definitions of streaming objects, each from the first to the second of its pair.

        Relations with a connector and mirrors are altered in place: see streaming/connectors/definitions.py
        and streaming/mirrors.py. What stands on materialized views is built again: see
        streaming/rebuilding/swapping.py. With `cascade`, what can't be built again is dropped. Raises
        NotSupportedError before any change if that would be needed without it.
        """
        altered = [(old, new) for old, new in changes if new.is_altered_in_place]
        replaced = [(old, new) for old, new in changes if not new.is_altered_in_place]
        for old, new in altered:
            new.check_alteration(old)
        for old, new in altered:
            new.alter_first(old, self)
        if replaced:
            self._replace_views(replaced, cascade=cascade)
        for old, new in altered:
            new.alter_last(old, self)

    def _replace_views(self, changes: Sequence[tuple[Definition, Definition]], *, cascade: bool) -> None:
        # Imports sqlglot, which processes that serve requests don't need.
        from django_risingwave.streaming.rebuilding.swapping import collect, rebuild  # noqa: PLC0415

        for old, new in changes:
            if (old.kind, old.name) != (new.kind, new.name) or new.kind != "MATERIALIZED VIEW":
                raise NotSupportedError(
                    f"The definition of {old.kind.lower()} {old.name!r} can't be changed. Delete its model "
                    "in one migration, and create it again in another one."
                )
        if standin := self.connection.standin:
            standin.replace(changes, self)
        elif self.collect_sql:
            collect(self, [new for _, new in changes])
        else:
            rebuild(self, [new for _, new in changes], cascade=cascade)

    def rename_streaming_object(self, definition: Definition, new_name: str) -> None:
        """Rename an object, unless an interrupted migration has done so.

        What reads it goes on with it: RisingWave 2.8.0 changes their definitions.

        Raises NotSupportedError for a mirror, which follows a table by its name.
        """
        if definition.tables_followed():
            raise NotSupportedError(
                f"Table {definition.name!r} mirrors a table of the same name, so it can't be renamed. Delete "
                "the mirror's model in one migration. Create it again in another one, after its source has "
                "been renamed."
            )
        if not self.collect_sql:
            with self.connection.cursor() as cursor:
                kinds = self.connection.introspection.get_object_kinds(cursor)
            if definition.name not in kinds and kinds.get(new_name) == definition.kind.lower():
                return
        if standin := self.connection.standin:
            standin.rename(definition, new_name, self)
        else:
            old, new = self.quote_name(definition.name), self.quote_name(new_name)
            self.execute(f"ALTER {definition.kind} {old} RENAME TO {new}", None)

    def delete_streaming_object(self, definition: Definition) -> None:
        """Drop what create_streaming_object() created.

        Raises NotSupportedError, naming them, if other objects use it: CASCADE would drop them silently.
        """
        try:
            if standin := self.connection.standin:
                standin.drop(definition, self)
                return
            self.execute(definition.drop_sql(self.quote_name), None)
        except (InternalError, ProgrammingError) as error:
            # RisingWave 2.8.0: "Permission denied: PermissionDenied: table used by 2 other objects. \nDETAIL:
            # materialized view public.w2 depends on it\nsubscription public.w1_sub depends on it\nHINT: …".
            # PostgreSQL: "cannot drop view w1 … \nDETAIL:  view w2 depends on view w1\nHINT: …".
            users = re.findall(r"^(?:DETAIL: +)?(\S.*) depends on .+$", str(error), re.MULTILINE)
            if not users:
                raise
            raise NotSupportedError(
                f"{definition.kind.capitalize()} {definition.name!r} can't be dropped, because other objects "
                f"use it: {', '.join(users)}. Drop them before it."
            ) from error
        definition.after_drop(self)


def _name(sql: Any) -> str | None:
    """Return the quoted name of what a deferred statement creates."""
    return str(sql.parts["name"]) if isinstance(sql, Statement) and "name" in sql.parts else None
