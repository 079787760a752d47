"""Migration operations for RisingWave. They ask the router whether to run, as Django's own do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError, connections, router
from django.db.migrations.operations.base import Operation, OperationCategory

from django_risingwave.streaming.definitions import MaterializedViewDefinition, SubscriptionDefinition
from django_risingwave.streaming.detecting.state import find_model_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.migrations.state import ProjectState
    from django.db.models import Model

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.aggregates import Aggregate
    from django_risingwave.streaming.definitions import Definition


class CreatingOperation(Operation):
    """An operation that creates something on RisingWave, also where an app's migrations are disabled."""

    category = OperationCategory.ADDITION

    def created_name(self, app_label: str, state: ProjectState) -> str:
        """Return the name of what the operation creates."""
        raise NotImplementedError


class CreateTable(CreatingOperation):
    """Create the table of an unmanaged model, which CreateModel doesn't.

    It is there for migrations that use it already. A new table is a managed model's: Django alters and
    empties only those. An earlier CreateModel of the same app must have added the model to the state::

        migrations.CreateModel("Order", fields=[…], options={
            "managed": False, "required_db_vendor": "risingwave", "db_table": "orders",
        }),
        CreateTable("Order"),
    """

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def created_name(self, app_label: str, state: ProjectState) -> str:
        name: str = state.apps.get_model(app_label, self.model_name)._meta.db_table
        return name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the state as it is: it has the model already."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the table."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.create_model(model)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the table."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.delete_model(model)

    def references_model(self, name: str, app_label: str) -> bool:
        """Keep the optimizer from moving other operations on the model past this one."""
        return name.lower() == self.model_name.lower()

    def describe(self) -> str:
        return f"Create the table of unmanaged model {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_table"

    def allow_migrate_model(self, connection_alias: Any, model: type[Model]) -> bool:
        """Decide as Django's Options.can_migrate() does, without its refusal of unmanaged models."""
        vendor = connections[connection_alias].vendor
        return model._meta.required_db_vendor in (None, vendor) and router.allow_migrate_model(
            connection_alias, model
        )


def runs_on_risingwave(schema_editor: DatabaseSchemaEditor, app_label: str) -> bool:
    """Return whether the app's objects on RisingWave belong to this database, as the routers decide."""
    connection = schema_editor.connection
    return connection.vendor == "risingwave" and router.allow_migrate(
        connection.alias, app_label, required_db_vendor="risingwave"
    )


def existing_objects(connection: DatabaseWrapper) -> set[str]:
    """Return the names of all tables, views and subscriptions, after two queries.

    Operations that can be run again after an interruption need them: RisingWave rolls nothing back.
    """
    with connection.cursor() as cursor:
        relations = connection.introspection.get_relation_kinds(cursor)
        return {*relations, *connection.introspection.get_subscription_sources(cursor)}


def _kind_of(editor: DatabaseSchemaEditor, definition: Definition) -> str | None:
    """Return the kind of the object that has the definition's name, or None if there is no such object."""
    introspection = editor.connection.introspection
    with editor.connection.cursor() as cursor:
        if definition.kind == "SECRET":
            # Relations may have the same names.
            return "secret" if definition.name in introspection.get_secrets(cursor) else None
        return introspection.get_object_kinds(cursor).get(definition.name)


def exists(editor: DatabaseSchemaEditor, definition: Definition) -> bool:
    """Return whether the object exists. Raises NotSupportedError if its name is another kind's."""
    kind = _kind_of(editor, definition)
    if kind not in (None, definition.kind.lower()):
        raise NotSupportedError(
            f"{definition.kind.capitalize()} {definition.name!r} can't be created: there is a {kind} of this "
            "name. Drop or rename it, or choose another name."
        )
    return kind is not None


def create_missing(editor: DatabaseSchemaEditor, definition: Definition) -> bool:
    """Create the object unless it exists, so that an interrupted migration can be run again.

    Returns whether it was created. Raises NotSupportedError if an object of another kind has the name.
    """
    if not editor.collect_sql and exists(editor, definition):
        editor.await_streaming_object(definition)
        return False
    editor.create_streaming_object(definition)
    return True


def drop_existing(editor: DatabaseSchemaEditor, definition: Definition) -> None:
    """Drop the object if it exists."""
    if editor.collect_sql or _kind_of(editor, definition) is not None:
        editor.delete_streaming_object(definition)


class _StreamingObjectOperation(Operation):
    """An operation on the object of a definition. The router is asked as for RunSQL: there is no model."""

    definition: Definition

    def _record(self, state: ProjectState) -> None:
        """Note in the state that the object exists."""
        if model_state := find_model_state(state, getattr(self.definition, "source", "")):
            model_state.attached[self.definition.name] = self.definition

    def _forget(self, state: ProjectState) -> None:
        """Note in the state that the object doesn't exist any more, whatever its relation is called now."""
        for model_state in state.models.values():
            attached = getattr(model_state, "attached", {})
            # A secret and a sink may have the same name.
            if isinstance(attached.get(self.definition.name), type(self.definition)):
                del attached[self.definition.name]

    def _create(self, app_label: str, editor: DatabaseSchemaEditor) -> None:
        if runs_on_risingwave(editor, app_label):
            create_missing(editor, self.definition)

    def _drop(self, app_label: str, editor: DatabaseSchemaEditor) -> None:
        if runs_on_risingwave(editor, app_label):
            drop_existing(editor, self.definition)


class CreateAttached(_StreamingObjectOperation, CreatingOperation):
    """Create an object that stands on a relation, such as a subscription, unless it exists."""

    def created_name(self, app_label: str, state: ProjectState) -> str:
        return self.definition.name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Record the object with the model of its relation, if there is one."""
        self._record(state)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the object unless it exists."""
        self._create(app_label, schema_editor)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the object if it exists."""
        self._drop(app_label, schema_editor)

    def describe(self) -> str:
        return f"Create {self.definition.kind.lower()} {self.definition.name}"

    @property
    def migration_name_fragment(self) -> str:
        return self.definition.name.lower()


class DropAttached(_StreamingObjectOperation):
    """Drop an object that stands on a relation if it exists. Reversed, create it."""

    category = OperationCategory.REMOVAL

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Remove the object from the model of its relation, if there is one."""
        self._forget(state)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the object if it exists."""
        self._drop(app_label, schema_editor)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the object unless it exists."""
        self._create(app_label, schema_editor)

    def describe(self) -> str:
        return f"Drop {self.definition.kind.lower()} {self.definition.name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"drop_{self.definition.name.lower()}"


class CreateMaterializedView(CreateAttached):
    """Create a materialized view of aggregates over the rows of a table, grouped by some of its columns.

    An example::

        CreateMaterializedView(
            "state_turnover",
            source="orders",
            group_by=["state"],
            measures={"turnover": Sum("(qty * price)::numeric")},
        )

    On RisingWave the statement returns when the view contains the rows that the source has. On the stand-in
    a table with triggers on the source takes the view's place: django_risingwave.standin. New views are
    declared on their models, and CreateStreamingModel creates them.
    """

    def __init__(
        self, name: str, *, source: str, group_by: Sequence[str], measures: Mapping[str, Aggregate]
    ) -> None:
        self.definition = MaterializedViewDefinition(name, source, group_by, measures)

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Record the definition with the unmanaged model that an earlier CreateModel has added."""
        if model_state := find_model_state(state, self.definition.name):
            model_state.definition = self.definition


class CreateSubscription(CreateAttached):
    """Create a subscription to the changes of a table or a materialized view.

    An example::

        CreateSubscription("state_turnover_changes", source="state_turnover", retention="1 day")

    RisingWave keeps changes for as long as `retention`, and ends a cursor that finds none for as long: make
    it longer than the longest quiet time. https://docs.risingwave.com/serve/subscription

    On the stand-in triggers log the changes, from the first cursor on: django_risingwave.standin.
    """

    def __init__(self, name: str, *, source: str, retention: str = "1 day") -> None:
        self.definition = SubscriptionDefinition(name, source, retention)


class DropSubscription(DropAttached):
    """Drop a subscription that an earlier CreateSubscription with the same arguments has created.

    It does nothing if there is none, so that it can be run again.
    """

    def __init__(self, name: str, *, source: str, retention: str = "1 day") -> None:
        self.definition = SubscriptionDefinition(name, source, retention)
