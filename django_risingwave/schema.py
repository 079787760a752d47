from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.schema import DatabaseSchemaEditor as PostgreSQLDatabaseSchemaEditor

from django_risingwave.fields import RowIdField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Field, Model
    from django.db.models.constraints import BaseConstraint

    from django_risingwave.standin import SummaryView


class DatabaseSchemaEditor(PostgreSQLDatabaseSchemaEditor):
    """Makes and changes tables, in SQL that both servers take.

    Nothing but the primary key is ever unique, and no foreign key or CHECK is ever made: RisingWave has
    "not implemented" them (src/frontend/src/handler/create_table.rs at v3.0.3).
    """

    # No CASCADE: with it RisingWave would drop the materialized views over a table without a word.
    sql_delete_table = "DROP TABLE %(table)s"
    # No WHERE, as the feature supports_partial_indexes says.
    sql_create_index = "CREATE INDEX %(name)s ON %(table)s%(using)s (%(columns)s)%(include)s%(extra)s"

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        # None is a UNIQUE that isn't made.
        self.deferred_sql = [sql for sql in self.deferred_sql if sql is not None]
        super().__exit__(exc_type, exc_value, traceback)
        if exc_type is None and not self.collect_sql:
            # So that the next migration, and its RunPython, sees the rows that this one wrote.
            self.connection.flush()

    # Constraints ---------------------------------------------------------------------------------------

    def _iter_column_sql(
        self,
        column_db_type: str,
        params: list[Any],
        model: type[Model],
        field: Field[Any, Any],
        field_db_params: Any,
        include_default: bool,  # noqa: FBT001 - Django's signature
    ) -> Iterator[str]:
        for part in super()._iter_column_sql(
            column_db_type, params, model, field, field_db_params, include_default
        ):
            if part != "UNIQUE":
                yield part

    def _unique_supported(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def alter_unique_together(self, model: type[Model], old: Any, new: Any) -> None:
        """Do nothing: none was made."""

    def add_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Do nothing: no constraint is made."""

    def remove_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Do nothing: none was made."""

    def _check_sql(self, name: str, check: str) -> None:
        return None

    def _create_like_index_sql(self, model: type[Model], field: Field[Any, Any]) -> None:
        # Operator classes are a syntax error. Text sorts bytewise, so a plain index serves LIKE 'x%' as well.
        return None

    # Columns -------------------------------------------------------------------------------------------

    def column_sql(self, model: type[Model], field: Field[Any, Any], include_default: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's
        """Leave `_row_id` to RisingWave, which adds it to a table without a primary key."""
        if isinstance(field, RowIdField):
            if self.connection.is_risingwave:
                return None, None
            return "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", []
        return super().column_sql(model, field, include_default)

    # Materialized views --------------------------------------------------------------------------------

    def create_materialized_view(self, view: SummaryView) -> None:
        """Create it, or what stands in for it."""
        if self.connection.is_risingwave:
            name, source = self.quote_name(view.name), self.quote_name(view.source)
            self.execute(f"CREATE MATERIALIZED VIEW {name} AS {view.query(source)}", params=None)
            return
        if not self.collect_sql:
            with self.connection.cursor() as cursor:
                view.check(cursor)
        self.execute(view.create_sql(), params=None)

    def delete_materialized_view(self, view: SummaryView) -> None:
        """Drop it, or what stands in for it."""
        if self.connection.is_risingwave:
            self.execute(f"DROP MATERIALIZED VIEW {self.quote_name(view.name)}", params=None)
        else:
            self.execute(view.drop_sql(), params=None)
