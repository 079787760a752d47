"""Changes of sources and of tables with a connector: columns are added and dropped in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django_risingwave.streaming.connectors.definitions import ConnectorDefinition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.definitions import Definition


class ConnectorChanges:
    """The changes of connectors' relations among those of an operation, which can be run again.

    Raises NotSupportedError for a change that RisingWave can't make.
    """

    def __init__(
        self, editor: DatabaseSchemaEditor, changes: Sequence[tuple[Definition, Definition]]
    ) -> None:
        self._editor = editor
        connected = [(old, new) for old, new in changes if isinstance(old, ConnectorDefinition)]
        self._changed = [(old, new, *old.changed_columns(new)) for old, new in connected]
        #: The changes of other objects.
        self.others = [(old, new) for old, new in changes if not isinstance(old, ConnectorDefinition)]

    def add_columns(self) -> None:
        """Add the columns that don't exist yet. Views of the same operation may read them."""
        for old, new, added, _ in self._changed:
            if standin := self._editor.connection.standin:
                standin.record(new, self._editor)
            existing = self._column_names(old.name)
            for name, column_type in added.items():
                if name not in existing:
                    self._alter(old, f"ADD COLUMN {self._editor.quote_name(name)} {column_type}")

    def drop_columns(self) -> None:
        """Drop the columns that exist still. Views of the same operation may have read them."""
        for old, _, _, dropped in self._changed:
            existing = self._column_names(old.name)
            for name in dropped:
                if name in existing or self._editor.collect_sql:
                    self._alter(old, f"DROP COLUMN {self._editor.quote_name(name)}")

    def _alter(self, definition: Definition, change: str) -> None:
        # A source is a table on the stand-in.
        kind = "TABLE" if self._editor.connection.standin else definition.kind
        self._editor.execute(f"ALTER {kind} {self._editor.quote_name(definition.name)} {change}", None)

    def _column_names(self, table: str) -> set[str]:
        if self._editor.collect_sql:
            return set()
        connection = self._editor.connection
        with connection.cursor() as cursor:
            return connection.introspection.get_column_names(cursor, table)
