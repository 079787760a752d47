"""Indexes, each of which is a streaming job on RisingWave that stores its columns again.

An index without INCLUDE stores all columns: https://docs.risingwave.com/sql/commands/sql-create-index
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager, suppress
from copy import copy
from typing import TYPE_CHECKING, Any

from django.db import Error
from django.db.models import ForeignKey, SlugField

from django_risingwave.tables.definitions import TableDefinitionEditor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Field, Index, Model

logger = logging.getLogger(__name__)


def _has_default_index(field: Any) -> bool:
    """Return whether db_index=True is the field's default. Then nobody can tell whether it was asked for."""
    return isinstance(field, (ForeignKey, SlugField))


def without_default_index(field: Any) -> Any:
    """Return the field, or a copy without its index if that is the default of its class."""
    if not (field.db_index and _has_default_index(field)):
        return field
    field = copy(field)
    field.db_index = False
    return field


class IndexEditor(TableDefinitionEditor):
    """Creates and drops indexes."""

    # Without %(condition)s: supports_partial_indexes is False.
    sql_create_index = "CREATE INDEX %(name)s ON %(table)s%(using)s (%(columns)s)%(include)s%(extra)s"

    def _field_should_be_indexed(self, model: type[Model], field: Field) -> bool:
        """Return False for a ForeignKey and a SlugField, whose index nobody has asked for."""
        indexed: bool = super()._field_should_be_indexed(model, field)  # type: ignore[misc]  # not in the stubs
        return indexed and not _has_default_index(field)

    def _create_like_index_sql(self, model: type[Model], field: Field) -> None:
        # Operator classes are a syntax error.
        return None

    def add_index(self, model: type[Model], index: Index, *args: Any, **kwargs: Any) -> None:
        """Create an index. On the stand-in, log a warning for a view: it has no rows of its own."""
        if self._can_have_indexes(model, index):
            super().add_index(model, index, *args, **kwargs)

    def remove_index(self, model: type[Model], index: Index, *args: Any, **kwargs: Any) -> None:
        """Drop what add_index() created."""
        if self._can_have_indexes(model, index):
            super().remove_index(model, index, *args, **kwargs)

    def rename_index(self, model: type[Model], old_index: Index, new_index: Index) -> None:
        """Rename what add_index() created."""
        if self._can_have_indexes(model, old_index):
            super().rename_index(model, old_index, new_index)

    def _can_have_indexes(self, model: type[Model], index: Index) -> bool:
        # Materialized views have unmanaged models.
        standin = self.connection.standin
        if standin is None or model._meta.managed or self.collect_sql:
            return True
        with self.connection.cursor() as cursor:
            kind = standin.get_relation_kinds(cursor).get(model._meta.db_table, "table")
        if kind == "table":
            return True
        logger.warning(
            "index %s: ignored, because the stand-in of %s %s can't have indexes",
            index.name,
            kind,
            model._meta.db_table,
        )
        return False

    @contextmanager
    def _without_indexes_of(self, model: type[Model], column: str) -> Iterator[None]:
        """Drop the indexes that store a column, and after the block create those again that don't name it.

        RisingWave 2.8.0 drops a column only if no index stores it ("unable to drop the column due to being
        referenced by downstream materialized views or sinks"). It doesn't drop these indexes by itself, as
        PostgreSQL does. If the block fails, all of them are created again, since nothing rolls back.
        """
        definitions = self._definitions_of_indexes(model)
        naming = {name for name, sql in definitions.items() if _names(sql, column)}
        storing = [name for name, sql in definitions.items() if name in naming or " INCLUDE" not in sql]
        dropped = []
        try:
            for name in storing:
                self.execute(self._delete_index_sql(model, name))  # type: ignore[attr-defined]  # not in the stubs
                dropped.append(name)
            yield
        except Exception:
            # Another error, such as a lost connection, must not hide the first.
            with suppress(Error):
                for name in dropped:
                    self.execute(definitions[name], None)
            raise
        for name in dropped:
            if name not in naming:
                self.execute(definitions[name], None)

    def _definitions_of_indexes(self, model: type[Model]) -> dict[str, str]:
        if not self.connection.is_risingwave:
            return {}
        with self.connection.cursor() as cursor:
            return self.connection.introspection.get_index_definitions(cursor, model._meta.db_table)


def _names(definition: str, column: str) -> bool:
    """Return whether the columns or expressions of CREATE INDEX name a column."""
    _, _, columns = definition.partition("(")
    return re.search(rf'(?<![\w"]){re.escape(column)}(?![\w"])|"{re.escape(column)}"', columns) is not None
