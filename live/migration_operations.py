"""The migration operation for what a ranking is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    from django_risingwave.streaming.definitions import Definition


class CreateLeadingRows(CreatingOperation):
    """Create the leading rows of a ranking, a subscription to them, and its totals.

    An example::

        CreateLeadingRows("states-by-turnover", view="state_turnover", key="state", measure="turnover")

    `slug` is the ranking's, `key` and `measure` are columns of the view. `rows` must be at least the
    ranking's size, and `summed` must be the ranking's own: `manage.py check` compares them.

    On RisingWave it creates three objects, for a ranking with this slug `states_by_turnover_leading`,
    `states_by_turnover_leading_changes` and `states_by_turnover_totals`. The time of a read then doesn't grow
    with the view, and processes are told only of changes that a viewer can see. RisingWave rolls nothing
    back, so the operation skips what exists: after an interruption, run the migration again.

    On the stand-in an index and triggers do the same. Raises ValueError if `rows` isn't positive.
    """

    def __init__(
        self,
        slug: str,
        *,
        view: str,
        key: str,
        measure: str,
        rows: int = LEADING_ROWS,
        summed: bool = True,
        retention: str = "1 day",
    ) -> None:
        self.slug = slug
        self.leading = LeadingRowsDefinition(leading_name(slug), view, key, measure, rows)
        self.subscription = SubscriptionDefinition(
            f"{self.leading.name}_changes", self.leading.name, retention
        )
        self.totals = TotalsDefinition(totals_name(slug), view, measure if summed else None)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """What is created, in this order."""
        return self.leading, self.subscription, self.totals

    def created_name(self, app_label: str, state: ProjectState) -> str:
        return self.totals.name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the state as it is: the models of leading rows are in no app."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create what doesn't exist yet."""
        if runs_on_risingwave(schema_editor, app_label):
            existing = set() if schema_editor.collect_sql else existing_objects(schema_editor)
            for definition in self.definitions:
                if definition.name not in existing:
                    schema_editor.create_streaming_object(definition)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop what still exists."""
        if runs_on_risingwave(schema_editor, app_label):
            existing = set() if schema_editor.collect_sql else existing_objects(schema_editor)
            for definition in reversed(self.definitions):
                if schema_editor.collect_sql or definition.name in existing:
                    schema_editor.delete_streaming_object(definition)

    def describe(self) -> str:
        return f"Create the leading rows and totals of ranking {self.slug}"

    @property
    def migration_name_fragment(self) -> str:
        return self.leading.name
