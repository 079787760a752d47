"""The migration operations for what a ranking is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.migrations.operations.base import Operation, OperationCategory

from django_risingwave.streaming.definitions import (
    LeadingRowsDefinition,
    SubscriptionDefinition,
    TotalsDefinition,
)
from django_risingwave.streaming.migration_operations import (
    CreatingOperation,
    existing_objects,
    runs_on_risingwave,
)
from live.leading import LEADING_ROWS, leading_name, totals_name

if TYPE_CHECKING:
    from django.db.migrations.state import ProjectState

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.definitions import Definition


class _LeadingRows(Operation):
    """What a ranking is read from: its leading rows, a subscription to them, and its totals."""

    def __init__(
        self,
        slug: str,
        *,
        view: str,
        key: str,
        measure: str,
        rows: int = LEADING_ROWS,
        summed: bool = True,
        ascending: bool = False,
        retention: str = "1 day",
    ) -> None:
        self.slug = slug
        self.leading = LeadingRowsDefinition(leading_name(slug), view, key, measure, rows, ascending)
        self.subscription = SubscriptionDefinition(
            f"{self.leading.name}_changes", self.leading.name, retention
        )
        self.totals = TotalsDefinition(totals_name(slug), view, measure if summed else None)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """What is created, in this order."""
        return self.leading, self.subscription, self.totals

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the state as it is: the models of leading rows are in no app."""

    def _create(self, app_label: str, editor: DatabaseSchemaEditor) -> None:
        """Create what doesn't exist yet."""
        if runs_on_risingwave(editor, app_label):
            existing = set() if editor.collect_sql else existing_objects(editor.connection)
            for definition in self.definitions:
                if definition.name in existing:
                    editor.await_streaming_object(definition)
                else:
                    editor.create_streaming_object(definition)

    def _drop(self, app_label: str, editor: DatabaseSchemaEditor) -> None:
        """Drop what still exists."""
        if runs_on_risingwave(editor, app_label):
            existing = set() if editor.collect_sql else existing_objects(editor.connection)
            for definition in reversed(self.definitions):
                if editor.collect_sql or definition.name in existing:
                    editor.delete_streaming_object(definition)


class CreateLeadingRows(_LeadingRows, CreatingOperation):
    """Create the leading rows of a ranking, a subscription to them, and its totals.

    An example::

        CreateLeadingRows("states-by-turnover", view="state_turnover", key="state", measure="turnover")

    `slug` is the ranking's, `key` and `measure` are columns of the view. `rows` must be at least the
    ranking's size, and `summed` must be the ranking's own: `manage.py check` compares them. With `ascending`
    they are the rows with the smallest measure, as of a ranking that a user has declared.

    On RisingWave it creates three objects, for a ranking with this slug `states_by_turnover_leading`,
    `states_by_turnover_leading_changes` and `states_by_turnover_totals`. The time of a read then doesn't grow
    with the view, and processes learn only of changes that a viewer can see. RisingWave rolls nothing
    back, so the operation skips what exists: after an interruption, run the migration again.

    On the stand-in an index and triggers do the same. Raises ValueError if `rows` isn't positive.
    """

    category = OperationCategory.ADDITION

    def created_name(self, app_label: str, state: ProjectState) -> str:
        # The last that is created: without it, the operation has more to do.
        return self.totals.name

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create what doesn't exist yet."""
        self._create(app_label, schema_editor)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop what still exists."""
        self._drop(app_label, schema_editor)

    def describe(self) -> str:
        return f"Create the leading rows and totals of ranking {self.slug}"

    @property
    def migration_name_fragment(self) -> str:
        return self.leading.name


class DropLeadingRows(_LeadingRows):
    """Drop what CreateLeadingRows with the same arguments has created.

    To keep more rows, or to rank by another measure, drop the leading rows and create them again with other
    arguments, each in a migration of its own.
    """

    category = OperationCategory.REMOVAL

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop what still exists."""
        self._drop(app_label, schema_editor)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create what doesn't exist yet."""
        self._create(app_label, schema_editor)

    def describe(self) -> str:
        return f"Drop the leading rows and totals of ranking {self.slug}"

    @property
    def migration_name_fragment(self) -> str:
        return f"drop_{self.leading.name}"
