"""Migration operations for models whose relation is defined by their inner class Stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections, router
from django.db.migrations import operations
from django.db.migrations.operations.base import Operation, OperationCategory

from django_risingwave.routers import VENDOR
from django_risingwave.streaming.declaring.column_checks import check_columns
from django_risingwave.streaming.detecting.state import StreamingModelState, table_of
from django_risingwave.streaming.migration_operations import drop_existing, exists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.migrations.state import ProjectState
    from django.db.models import Field, Model

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.definitions import Definition


def may_have_relation(alias: str, model: type[Model]) -> bool:
    """Decide as Django's Options.can_migrate() does, on RisingWave and for unmanaged models."""
    return (
        connections[alias].vendor == VENDOR
        and model._meta.required_db_vendor in (None, VENDOR)
        and router.allow_migrate_model(alias, model)
    )


class _StreamingOperation(Operation):
    def allow_migrate_model(self, connection_alias: Any, model: type[Model]) -> bool:
        """Allow unmanaged models, on RisingWave alone."""
        return may_have_relation(connection_alias, model)

    def reduce(self, operation: Operation, app_label: str) -> bool | list[Operation]:
        """Stay where it is: other operations may be on relations that the definition reads."""
        return False

    def references_model(self, name: str, app_label: str) -> bool:
        """Keep the optimizer from moving other operations past this one, for the same reason."""
        return True


def _definition(state: ProjectState, app_label: str, name: str) -> Definition | None:
    return getattr(state.models[app_label, name.lower()], "definition", None)


def create_relation(editor: DatabaseSchemaEditor, definition: Definition, model: type[Model]) -> None:
    """Create the relation and its indexes, except what exists.

    Raises FieldError if the model's fields don't fit the columns of the definition's SELECT.
    """
    indexes: Any = model._meta.indexes
    if not editor.collect_sql and exists(editor, definition):
        editor.await_streaming_object(definition)
        existing = _index_names(editor, definition) if indexes else set()
        indexes = [index for index in indexes if index.name not in existing]
    else:
        _check_columns(editor, model, definition)
        editor.create_streaming_object(definition)
    for index in indexes:
        editor.add_index(model, index)


def _index_names(editor: DatabaseSchemaEditor, definition: Definition) -> set[str]:
    with editor.connection.cursor() as cursor:
        return {*editor.connection.introspection.get_constraints(cursor, definition.name)}


def _check_columns(editor: DatabaseSchemaEditor, model: type[Model], definition: Definition) -> None:
    if not editor.collect_sql:
        check_columns(editor.connection, model, definition)


class CreateStreamingModel(_StreamingOperation, operations.CreateModel):
    """Create the relation that a model's Stream defines, such as a materialized view.

    An example::

        CreateStreamingModel(
            name="StateTurnover",
            fields=[("state", models.CharField(max_length=2, primary_key=True, serialize=False)), …],
            options={"db_table": "state_turnover", "managed": False, "required_db_vendor": "risingwave"},
            definition=ViewDefinition(name="state_turnover", query="SELECT state, …"),
        )

    RisingWave rolls nothing back, so the operation skips a relation that exists: after an interruption, run
    the migration again. Raises NotSupportedError if the name belongs to an object of another kind.
    """

    category = OperationCategory.ADDITION

    # MigrationWriter writes the arguments that this signature names.
    def __init__(
        self,
        name: str,
        fields: Any,
        options: Any = None,
        bases: Any = None,
        managers: Any = None,
        *,
        definition: Definition,
    ) -> None:
        super().__init__(name, fields, options, bases, managers)
        self.definition = definition

    def deconstruct(self) -> Any:
        name, args, kwargs = super().deconstruct()
        return name, args, {**kwargs, "definition": self.definition}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Add the model, with its definition."""
        state.add_model(
            StreamingModelState(
                app_label,
                self.name,
                list(self.fields),
                dict(self.options),
                tuple(self.bases or ()),
                list(self.managers or ()),
                definition=self.definition,
            )
        )

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the relation and its indexes."""
        model = to_state.apps.get_model(app_label, self.name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            create_relation(schema_editor, self.definition, model)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the relation."""
        model = from_state.apps.get_model(app_label, self.name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            drop_existing(schema_editor, self.definition)

    def describe(self) -> str:
        return f"Create {self.definition.kind.lower()} {self.definition.name} (model {self.name})"

    def reduce(self, operation: Operation, app_label: str) -> bool | list[Operation]:
        """Take in an index of the model, and cancel out with the model's deletion."""
        if isinstance(operation, operations.AddIndex) and operation.model_name_lower == self.name_lower:
            options = {**self.options, "indexes": [*self.options.get("indexes", []), operation.index]}
            return [
                CreateStreamingModel(
                    self.name,
                    self.fields,
                    options,
                    self.bases,
                    self.managers,
                    definition=self.definition,
                )
            ]
        if isinstance(operation, DeleteStreamingModel) and operation.name_lower == self.name_lower:
            return []
        return False


class DeleteStreamingModel(_StreamingOperation, operations.DeleteModel):
    """Drop the relation of a model that its Stream defined. Reversed, create it."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the relation if it exists."""
        model = from_state.apps.get_model(app_label, self.name)
        definition = _definition(from_state, app_label, self.name)
        if definition and self.allow_migrate_model(schema_editor.connection.alias, model):
            drop_existing(schema_editor, definition)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the relation and its indexes."""
        model = to_state.apps.get_model(app_label, self.name)
        definition = _definition(to_state, app_label, self.name)
        if definition and self.allow_migrate_model(schema_editor.connection.alias, model):
            create_relation(schema_editor, definition, model)


class StreamingModelChange:
    """The new fields and the new definition of a model; those left out stay as they are."""

    def __init__(
        self,
        name: str,
        *,
        fields: Sequence[tuple[str, Field[Any, Any]]] | None = None,
        definition: Definition | None = None,
    ) -> None:
        self.name = name
        self.fields = fields
        self.definition = definition

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return the path and the arguments for a migration file."""
        kwargs: dict[str, Any] = {"name": self.name}
        if self.fields is not None:
            kwargs["fields"] = list(self.fields)
        if self.definition is not None:
            kwargs["definition"] = self.definition
        return f"{__name__}.{type(self).__qualname__}", [], kwargs


class AlterStreamingModels(_StreamingOperation):
    """Change the fields and definitions of one model, or of several that read each other.

    Their relations are replaced in the given order, in which each one comes after those that it reads. A
    change of the fields alone, such as of max_digits, sends no SQL. A relation of a model that had no
    definition before is created unless it exists; reversed, it stays.

    With cascade=True, what stands on a relation and can't be rebuilt, such as a sink, is dropped.
    """

    category = OperationCategory.ALTERATION

    def __init__(self, changes: Sequence[StreamingModelChange], *, cascade: bool = False) -> None:
        self.changes = changes
        self.cascade = cascade

    def deconstruct(self) -> Any:
        kwargs: dict[str, Any] = {"changes": list(self.changes)}
        if self.cascade:
            kwargs["cascade"] = True
        return type(self).__qualname__, [], kwargs

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Replace the fields and definitions."""
        for change in self.changes:
            model_state = StreamingModelState.of(state.models[app_label, change.name.lower()])
            if change.fields is not None:
                model_state.fields = dict(change.fields)
            if change.definition is not None:
                model_state.definition = change.definition
            state.remove_model(app_label, model_state.name_lower)
            state.add_model(model_state)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Replace the relations whose definition differs."""
        replaced: list[tuple[Definition, Definition]] = []
        for change in self.changes:
            model = to_state.apps.get_model(app_label, change.name)
            if not self.allow_migrate_model(schema_editor.connection.alias, model):
                continue
            old = _definition(from_state, app_label, change.name)
            new = _definition(to_state, app_label, change.name)
            if new and not old:
                create_relation(schema_editor, new, model)
            elif new and old and not new.same_as(old):
                # The columns of one that reads another changed one are known only after that one's change.
                if not new.relations_read() & {definition.name for _, definition in replaced}:
                    _check_columns(schema_editor, model, new)
                replaced.append((old, new))
        if replaced:
            schema_editor.replace_streaming_objects(replaced, cascade=self.cascade)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Replace the relations by those of before."""
        self.database_forwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        return f"Alter {', '.join(change.name for change in self.changes)}"

    @property
    def migration_name_fragment(self) -> str:
        return "alter_" + "_".join(change.name.lower() for change in self.changes)


class RenameStreamingModel(_StreamingOperation, operations.RenameModel):
    """Rename a model, and its relation if that has the name that Django makes up."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Rename the model; its definitions follow."""
        super().state_forwards(app_label, state)
        _follow(state, app_label, self.new_name)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Rename the relation if its name differs."""
        model = to_state.apps.get_model(app_label, self.new_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            old = _definition(from_state, app_label, self.old_name)
            new = _definition(to_state, app_label, self.new_name)
            _rename(schema_editor, old, new)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Give the relation its old name."""
        model = to_state.apps.get_model(app_label, self.old_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            old = _definition(from_state, app_label, self.new_name)
            new = _definition(to_state, app_label, self.old_name)
            _rename(schema_editor, old, new)


class AlterStreamingModelTable(_StreamingOperation, operations.AlterModelTable):
    """Rename the relation of a model."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change db_table; the definitions follow."""
        super().state_forwards(app_label, state)
        _follow(state, app_label, self.name)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Rename the relation."""
        model = to_state.apps.get_model(app_label, self.name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            old = _definition(from_state, app_label, self.name)
            new = _definition(to_state, app_label, self.name)
            _rename(schema_editor, old, new)


def _follow(state: ProjectState, app_label: str, name: str) -> None:
    key = app_label, name.lower()
    state.models[key] = model_state = StreamingModelState.of(state.models[key])
    model_state.define(table_of(model_state))


def _rename(editor: Any, old: Definition | None, new: Definition | None) -> None:
    if old and new and old.name != new.name:
        editor.rename_streaming_object(old, new.name)
