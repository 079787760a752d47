"""makemigrations for streaming models, by Django's hook for it: Command.autodetector."""

from __future__ import annotations

from enum import Enum, auto
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.migrations import operations
from django.db.migrations.autodetector import MigrationAutodetector, OperationDependency

from django_risingwave.streaming.declaring.declarations import stream_of
from django_risingwave.streaming.detecting.attached_operations import ATTACHED_OPERATIONS
from django_risingwave.streaming.detecting.changed_models import ModelChanges, following, secrets_of
from django_risingwave.streaming.detecting.state import StreamingModelState, table_of
from django_risingwave.streaming.migration_operations import CreateAttached, DropAttached
from django_risingwave.streaming.model_operations import (
    AlterStreamingModels,
    AlterStreamingModelTable,
    CreateStreamingModel,
    DeleteStreamingModel,
    RenameStreamingModel,
    StreamingModelChange,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.migrations.operations.base import Operation
    from django.db.migrations.state import ProjectState

    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.detecting.changed_models import Key


class Step(Enum):
    """What an operation on a streaming model waits for: the type of an OperationDependency."""

    #: The relation is as the new state has it.
    READY = auto()
    #: The relation has its new name.
    RENAMED = auto()
    #: The relation doesn't exist any more, or no longer reads what it read.
    RELEASED = auto()
    #: What stood on the relation is gone.
    CLEARED = auto()
    #: The secret of this name exists.
    SECRET = auto()


def _after(step: Step, key: Key) -> OperationDependency:
    app_label, name = key
    kind: Any = step
    return OperationDependency(app_label, name, None, kind)


def _makes_ready(operation: Any, name: str) -> bool:
    match operation:
        case operations.CreateModel():
            return operation.name_lower == name
        case AlterStreamingModels():
            return any(change.name.lower() == name for change in operation.changes)
        case operations.AddField() | operations.AlterField() | operations.RenameField():
            return operation.model_name_lower == name
    return _renames(operation, name)


def _renames(operation: Any, name: str) -> bool:
    match operation:
        case operations.RenameModel():
            return operation.new_name_lower == name
        case operations.AlterModelTable():
            return operation.name_lower == name
    return False


def _releases(operation: Any, name: str) -> bool:
    match operation:
        case operations.DeleteModel():
            return operation.name_lower == name
        case AlterStreamingModels():
            return any(change.name.lower() == name for change in operation.changes)
    return False


def _clears(operation: Any, name: str) -> bool:
    match operation:
        case DropAttached():
            return getattr(operation, "_model_name", None) == name
        case operations.RemoveIndex():
            return operation.model_name_lower == name
    return False


def _creates_secret(operation: Any, name: str) -> bool:
    return isinstance(operation, CreateAttached) and operation.definition.name.lower() == name


_STEPS = {
    Step.READY: _makes_ready,
    Step.RENAMED: _renames,
    Step.RELEASED: _releases,
    Step.CLEARED: _clears,
    Step.SECRET: _creates_secret,
}


class RisingWaveAutodetector(MigrationAutodetector):
    """Finds the changes of streaming models too: their definitions, and what is attached to them.

    Raises DeclarationError for a Stream that can't be read, and CircularDefinitionsError.
    """

    if TYPE_CHECKING:
        # Not in the stubs.
        kept_model_keys: set[Key]
        kept_unmanaged_keys: set[Key]
        new_model_keys: set[Key]
        new_unmanaged_keys: set[Key]
        old_model_keys: set[Key]
        old_unmanaged_keys: set[Key]
        generated_operations: dict[str, list[Operation]]

    def __init__(self, from_state: ProjectState, to_state: ProjectState, questioner: Any = None) -> None:
        super().__init__(from_state, to_state, questioner)
        for key, model_state in to_state.models.items():
            model = apps.all_models[key[0]].get(key[1])
            if model and not isinstance(model_state, StreamingModelState) and stream_of(model) is not None:
                to_state.models[key] = StreamingModelState.from_model(model)
        # Django's methods take indexes and the like out of the states while they write operations.
        self._new = {key: state.clone() for key, state in to_state.models.items() if _definition(state)}
        self._old = {key: state.clone() for key, state in from_state.models.items() if _definition(state)}

    # Dependencies ---------------------------------------------------------------------------------------

    def check_dependency(self, operation: Operation, dependency: Any) -> bool:
        """Return whether an operation is one that another one must wait for."""
        if check := _STEPS.get(dependency.type):
            return check(operation, dependency.model_name_lower)
        return super().check_dependency(operation, dependency)

    def add_operation(
        self,
        app_label: str,
        operation: Operation,
        dependencies: Iterable[Any] | None = None,
        beginning: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> None:
        """Replace Django's operations on streaming models, and let operations wait for what they need."""
        replaced = self._replace(app_label, operation)
        if replaced is not None:
            waits = {*(dependencies or ()), *self._waits(app_label, operation)}
            super().add_operation(app_label, replaced, sorted(waits, key=str), beginning)

    def _replace(self, app_label: str, operation: Any) -> Operation | None:
        match operation:
            case operations.CreateModel() if state := self._new.get((app_label, operation.name_lower)):
                options = {name: value for name, value in state.options.items() if value != []}
                return CreateStreamingModel(
                    state.name,
                    list(state.fields.items()),
                    options,
                    state.bases,
                    state.managers,
                    definition=_definition(state),
                )
            case operations.DeleteModel() if (app_label, operation.name_lower) in self._old:
                return DeleteStreamingModel(operation.name)
            case operations.AlterModelTable() if (app_label, operation.name_lower) in self._new:
                return AlterStreamingModelTable(operation.name, operation.table)
            case operations.RemoveField() | operations.RemoveIndex() | operations.RemoveConstraint() if (
                app_label,
                operation.model_name_lower,
            ) in self._changes.deleted.keys() & self._old.keys():
                # DeleteStreamingModel drops the relation as a whole.
                return None
        return operation  # type: ignore[no-any-return]

    def _waits(self, app_label: str, operation: Any) -> Iterable[OperationDependency]:
        match operation:
            case operations.CreateModel() if state := self._new.get((app_label, operation.name_lower)):
                yield from self._needs(_definition(state))
                for field in state.fields.values():
                    if field.remote_field and field.remote_field.model:
                        yield from self._get_dependencies_for_foreign_key(  # type: ignore[attr-defined]  # not in the stubs
                            app_label, state.name_lower, field, self.to_state
                        )
            case operations.AddIndex() if (app_label, operation.model_name_lower) in self._new:
                yield _after(Step.READY, (app_label, operation.model_name_lower))
            case operations.DeleteModel():
                key = app_label, operation.name_lower
                yield _after(Step.CLEARED, key)
                yield from self._released(key)
            case operations.RemoveField():
                yield from self._released((app_label, operation.model_name_lower))

    def _needs(self, definition: Definition) -> Iterable[OperationDependency]:
        """Yield what must be there before a definition's object is created.

        A view that is read has its final form when those that it reads are altered too.
        """
        read = self._changes.new.owners(definition)
        for key in read | (self._changes.new.all_read(read) & self._changes.altered.keys()):
            yield _after(Step.READY, key)
        for key, state in self.to_state.models.items():
            if table_of(state) in definition.tables_followed() and key not in self._new:
                yield _after(Step.READY, key)
        for name in definition.secrets():
            if name in self._new_secrets:
                yield _after(Step.SECRET, (self._new_secrets[name][0], name.lower()))

    def _released(self, key: Key) -> Iterable[OperationDependency]:
        """Yield what must be gone, or must have changed, before a relation loses what it reads."""
        changes = self._changes
        for reader, reads in changes.old.read.items():
            if key in reads and (reader in changes.deleted or reader in changes.altered):
                yield _after(Step.RELEASED, reader)

    def _cleared(self, key: Key) -> Iterable[Key]:
        """Return the models that read a relation, and lose something that stands on them."""
        return {reader for reader in self._changes.old.readers(key) if self._attached.get(reader, ((),))[0]}

    def _sort_migrations(self) -> None:
        """Order the operations of all apps together where streaming models of several apps change.

        Django orders those of each app by themselves. But a view may have to wait for another one of its app
        by way of one in another app.
        """
        super()._sort_migrations()  # type: ignore[misc]  # not in the stubs
        changed = self._changes
        if len({app_label for app_label, _ in {**changed.new.read, **changed.old.read}}) < 2:
            return
        graph: dict[Operation, list[Operation]] = {}
        for found in self.generated_operations.values():
            for operation in found:
                waits: Any = operation._auto_deps  # type: ignore[attr-defined]
                graph[operation] = [
                    other
                    for wait, _ in map(self._resolve_dependency, waits)  # type: ignore[attr-defined]
                    for other in self.generated_operations.get(wait.app_label, ())
                    if self.check_dependency(other, wait)
                ]
        position = {operation: i for i, operation in enumerate(TopologicalSorter(graph).static_order())}
        for found in self.generated_operations.values():
            found.sort(key=position.__getitem__)

    # Operations -----------------------------------------------------------------------------------------

    def generate_renamed_models(self) -> None:
        """Find renamed models; then compare the streaming ones, before any other operation is written."""
        super().generate_renamed_models()
        self._generate_renamed_streaming_models()
        self._changes = ModelChanges(
            self.from_state, self.to_state, self.renamed_models, self.deep_deconstruct
        )
        self._attached = self._changes.attached()
        old, new = secrets_of(self.from_state), secrets_of(self.to_state)
        self._new_secrets = {name: secret for name, secret in new.items() if name not in old}
        self._old_secrets = {name: secret for name, secret in old.items() if name not in new}

    def _generate_renamed_streaming_models(self) -> None:
        """Rename a model that has the relation of a removed one, or after a question, one that is like it."""
        old_keys = self.old_unmanaged_keys - self.new_unmanaged_keys - self.new_model_keys
        for key in sorted(self._new.keys() - self.old_unmanaged_keys - self.old_model_keys):
            new = self._new[key]
            for old_key in sorted(old_keys & self._old.keys()):
                old = self._old[old_key]
                if key[0] == old_key[0] and (
                    table_of(old) == table_of(new)
                    or (self._alike(old, new) and self.questioner.ask_rename_model(old, new))
                ):
                    self.add_operation(key[0], RenameStreamingModel(old.name, new.name))
                    self.renamed_models[key] = old.name_lower
                    self.renamed_models_rel[".".join(old_key)] = ".".join(key)
                    self.old_unmanaged_keys.remove(old_key)
                    self.old_unmanaged_keys.add(key)
                    old_keys.remove(old_key)
                    break

    def _alike(self, old: Any, new: Any) -> bool:
        """Return whether two models have the same fields and the same definition but for its name."""
        return bool(
            self.only_relation_agnostic_fields(old.fields) == self.only_relation_agnostic_fields(new.fields)
            and new.definition.same_as(following(old, table_of(new)).definition)
        )

    def create_altered_indexes(self) -> None:
        """Find the changed indexes of streaming models too, which are unmanaged."""
        kept = self.kept_model_keys
        self.kept_model_keys = kept | (self.kept_unmanaged_keys & self._new.keys())
        try:
            super().create_altered_indexes()
        finally:
            self.kept_model_keys = kept

    def generate_altered_db_table(self) -> None:
        """Write the operations on tables, then those on streaming models: these are Django's last ones."""
        super().generate_altered_db_table()
        self.generate_altered_streaming_models()
        self.generate_attached()
        self.generate_secrets()

    def generate_altered_streaming_models(self) -> None:
        """Write an AlterStreamingModels for each group of models that read each other."""
        for group in self._changes.groups():
            members = {change.key for change in group}
            waits: set[OperationDependency] = set()
            for change in group:
                definition = _definition(change.new)
                waits |= {_after(Step.CLEARED, change.key), _after(Step.RENAMED, change.key)}
                waits |= {_after(Step.CLEARED, key) for key in self._cleared(change.key)}
                waits |= {wait for wait in self._needs(definition) if wait[:2] not in members}
            changes = [
                StreamingModelChange(
                    change.new.name,
                    fields=list(change.new.fields.items()) if change.fields else None,
                    definition=_definition(change.new) if change.definition else None,
                )
                for change in group
            ]
            self.add_operation(group[0].key[0], AlterStreamingModels(changes), waits)

    def generate_attached(self) -> None:
        """Write the operations that drop and create what is attached to relations."""
        for key, (dropped, created) in self._attached.items():
            for definition in dropped:
                _, drop = ATTACHED_OPERATIONS[type(definition)]
                operation: Any = drop(**definition.deconstruct()[2])
                operation._model_name = key[1]
                self.add_operation(key[0], operation)
            for definition in created:
                create, _ = ATTACHED_OPERATIONS[type(definition)]
                waits = {_after(Step.READY, key), _after(Step.CLEARED, key), *self._needs(definition)}
                self.add_operation(key[0], create(**definition.deconstruct()[2]), waits)

    def generate_secrets(self) -> None:
        """Write the operations that create secrets which are new, and drop those that nothing uses now."""
        for app_label, secret in self._new_secrets.values():
            create, _ = ATTACHED_OPERATIONS[type(secret)]
            self.add_operation(app_label, create(**secret.deconstruct()[2]))
        for app_label, secret in self._old_secrets.values():
            _, drop = ATTACHED_OPERATIONS[type(secret)]
            waits = set()
            for key in self.from_state.models:
                waits |= {_after(Step.RELEASED, key), _after(Step.CLEARED, key)}
            self.add_operation(
                app_label, drop(**secret.deconstruct()[2]), {wait for wait in waits if wait[0] == app_label}
            )


def _definition(state: Any) -> Any:
    return getattr(state, "definition", None)
