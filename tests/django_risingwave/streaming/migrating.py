"""Run migration operations on a state that has the model Event."""

from __future__ import annotations

from typing import Any

from django.db.migrations.state import ModelState, ProjectState

from django_risingwave.streaming.aggregates import Count, Sum
from django_risingwave.streaming.migration_operations import CreateMaterializedView
from tests.django_risingwave.models import Event

LABEL = "django_risingwave"
#: The views of the fixture `double`.
VIEWS = ["kind_rows", "kind_total"]


def kind_total(**changes: Any) -> CreateMaterializedView:
    """Return the operation for a view over the table of Event, with these arguments changed."""
    arguments = {
        "name": "kind_total",
        "source": "events",
        "group_by": ["kind"],
        "measures": {"total": Sum("amount"), "rows": Count()},
    }
    return CreateMaterializedView(**arguments | changes)


def migrate(connection: Any, *operations: Any, backwards: bool = False) -> None:
    """Run the operations, or reverse them in reverse order, each in a schema editor of its own."""
    state = ProjectState()
    state.add_model(ModelState.from_model(Event))
    for operation in reversed(operations) if backwards else operations:
        with connection.schema_editor() as editor:
            run = operation.database_backwards if backwards else operation.database_forwards
            run(LABEL, editor, state, state)
