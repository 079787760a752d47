"""Columns that are added to a relation and dropped from it in place, which can be run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.definitions import Definition


def add_columns(editor: DatabaseSchemaEditor, definition: Definition, columns: Mapping[str, str]) -> None:
    """Add those of the columns, given with their types, that don't exist yet."""
    existing = _column_names(editor, definition)
    for name, column_type in columns.items():
        if name not in existing:
            _alter(editor, definition, f"ADD COLUMN {editor.quote_name(name)} {column_type}")


def drop_columns(editor: DatabaseSchemaEditor, definition: Definition, columns: Iterable[str]) -> None:
    """Drop those of the columns that still exist."""
    existing = _column_names(editor, definition)
    for name in columns:
        if name in existing or editor.collect_sql:
            _alter(editor, definition, f"DROP COLUMN {editor.quote_name(name)}")


def _alter(editor: DatabaseSchemaEditor, definition: Definition, change: str) -> None:
    # A source is a table on the stand-in.
    kind = "TABLE" if editor.connection.standin else definition.kind
    editor.execute(f"ALTER {kind} {editor.quote_name(definition.name)} {change}", None)


def _column_names(editor: DatabaseSchemaEditor, definition: Definition) -> set[str]:
    if editor.collect_sql:
        return set()
    with editor.connection.cursor() as cursor:
        return editor.connection.introspection.get_column_names(cursor, definition.name)
