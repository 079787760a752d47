"""A model in the state of migrations, with its table in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.migrations import operations
from django.db.migrations.state import ModelState, ProjectState

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

LABEL = "django_risingwave"
VENDOR = {"required_db_vendor": "risingwave"}


class Table:
    """A model in the state of migrations, its table, and migration operations on both."""

    def __init__(self, connection: DatabaseWrapper, *models: ModelState) -> None:
        self.connection = connection
        self.state = ProjectState()
        for model in models:
            self.apply(operations.CreateModel(model.name, list(model.fields.items()), model.options))

    def apply(self, operation: Any) -> Callable[[], None]:
        """Apply the operation, and return a function that reverses it."""
        before, after = self.state, self.state.clone()
        operation.state_forwards(LABEL, after)
        with self.connection.schema_editor() as editor:
            operation.database_forwards(LABEL, editor, before, after)
        self.state = after

        def undo() -> None:
            with self.connection.schema_editor() as editor:
                operation.database_backwards(LABEL, editor, after, before)
            self.state = before

        return undo

    def model(self, name: str = "Thing") -> Any:
        return self.state.apps.get_model(LABEL, name)._default_manager.using("risingwave")

    def constraints(self, table: str = "django_risingwave_thing") -> Any:
        with self.connection.cursor() as cursor:
            return self.connection.introspection.get_constraints(cursor, table)

    def columns(self, table: str = "django_risingwave_thing") -> dict[str, tuple[str, bool]]:
        """The type and nullability of each column."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns"
                " WHERE table_name = %s AND table_schema = current_schema() ORDER BY ordinal_position",
                [table],
            )
            return {name: (kind, null) for name, kind, null in cursor.fetchall()}


THING = ModelState(
    LABEL,
    "Thing",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=10, db_index=True)),
        ("amount", models.IntegerField(null=True)),
    ],
    VENDOR,
)


def rows(table: Table, *fields: str) -> list[Any]:
    return list(table.model().order_by("pk").values_list(*fields))
