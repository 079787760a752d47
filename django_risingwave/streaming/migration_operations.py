"""Operations for migrations of models on RisingWave. They ask the router, as Django's own do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db import router
from django.db.migrations.operations.base import Operation, OperationCategory

from django_risingwave.standin.summaries import SummaryView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.migrations.state import ProjectState
    from django.db.models import Model

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.aggregates import Aggregate


# The units that RisingWave reads: DateTimeField in src/common/src/types/interval.rs at v3.0.3.
_UNIT = "y|yrs?|years?|mons?|months?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?"
_INTERVAL = re.compile(rf"\s*(?:\d+\s*(?:{_UNIT})(?![a-z])\s*)+", re.ASCII | re.IGNORECASE)


class CreateTable(Operation):
    """Create the table of an unmanaged model, which Django leaves alone.

    An earlier CreateModel in the same app brings the model into the state::

        migrations.CreateModel("Order", fields=[…], options={
            "managed": False, "required_db_vendor": "risingwave", "db_table": "orders",
        }),
        CreateTable("Order"),
    """

    category = OperationCategory.ADDITION

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the state as it is: the model is there already."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the table."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if self._is_allowed(schema_editor, model):
            schema_editor.create_model(model)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the table."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if self._is_allowed(schema_editor, model):
            schema_editor.delete_model(model)

    def references_model(self, name: str, app_label: str) -> bool:
        """Keep the optimizer from moving the model's other operations past this one."""
        return name.lower() == self.model_name.lower()

    def describe(self) -> str:
        return f"Create the table of unmanaged model {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_table"

    def _is_allowed(self, schema_editor: Any, model: type[Model]) -> bool:
        connection = schema_editor.connection
        # As Django's Options.can_migrate(), but for managed = False.
        return model._meta.required_db_vendor in (None, connection.vendor) and router.allow_migrate_model(
            connection.alias, model
        )


class _CreateByName(Operation):
    """Create something of RisingWave's that Django has no model of. The router is asked as for RunSQL."""

    category = OperationCategory.ADDITION

    def __init__(self, name: str) -> None:
        self.name = name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the state as it is: a model over a view is unmanaged, and its CreateModel is its own."""

    @property
    def migration_name_fragment(self) -> str:
        return self.name.lower()

    def _is_allowed(self, schema_editor: DatabaseSchemaEditor, app_label: str) -> bool:
        connection = schema_editor.connection
        return connection.vendor == "risingwave" and router.allow_migrate(
            connection.alias, app_label, required_db_vendor="risingwave"
        )


class CreateMaterializedView(_CreateByName):
    """Create a materialized view of aggregates over the rows of a table, grouped by some of its columns.

    An example::

        CreateMaterializedView(
            "state_turnover",
            source="orders",
            group_by=["state"],
            measures={"turnover": Sum("(qty * price)::numeric")},
        )

    On RisingWave it is a real one, which is there once it has taken in the rows that are there. On the
    stand-in it is a standin.SummaryView, whose source must be a table.
    """

    def __init__(
        self, name: str, *, source: str, group_by: Sequence[str], measures: Mapping[str, Aggregate]
    ) -> None:
        columns = [*group_by, *measures]
        if not group_by or not measures:
            raise ValueError(
                f"Materialized view {name!r} needs at least one column to group by, and one measure."
            )
        if len(set(columns)) < len(columns):
            raise ValueError(f"Materialized view {name!r} names a column twice: {', '.join(columns)}.")
        super().__init__(name)
        self.source = source
        self.group_by = group_by
        self.measures = measures

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the view."""
        if self._is_allowed(schema_editor, app_label):
            schema_editor.create_materialized_view(self._view)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the view."""
        if self._is_allowed(schema_editor, app_label):
            schema_editor.delete_materialized_view(self._view)

    def describe(self) -> str:
        return f"Create materialized view {self.name}"

    @property
    def _view(self) -> SummaryView:
        return SummaryView(self.name, self.source, self.group_by, self.measures)


class CreateSubscription(_CreateByName):
    """Create a subscription, by which the changes of a table or a materialized view are told.

    An example::

        CreateSubscription("state_turnover_changes", source="state_turnover", retention="1 day")

    RisingWave keeps changes for as long as `retention`, and drops a cursor that found none for as long, so it
    should be longer than the longest quiet time. https://docs.risingwave.com/serve/subscription

    On the stand-in this does nothing: the triggers of a materialized view's stand-in tell its changes.
    """

    def __init__(self, name: str, *, source: str, retention: str = "1 day") -> None:
        if not _INTERVAL.fullmatch(retention) or not re.search("[1-9]", retention):
            raise ValueError(
                f"Subscription {name!r} needs a retention that RisingWave reads, whole numbers with units, "
                f'such as "1 day", "12h" or "1 mon 15 d", and not {retention!r}.'
            )
        super().__init__(name)
        self.source = source
        self.retention = retention

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the subscription."""
        if self._is_allowed(schema_editor, app_label):
            schema_editor.create_subscription(self.name, self.source, self.retention)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the subscription."""
        if self._is_allowed(schema_editor, app_label):
            schema_editor.delete_subscription(self.name)

    def describe(self) -> str:
        return f"Create subscription {self.name}"
