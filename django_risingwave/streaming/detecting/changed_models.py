"""Which streaming models differ between two states of a project, and in which order they depend on others."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from django_risingwave.routers import VENDOR
from django_risingwave.streaming.detecting.state import StreamingModelState, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django.db.migrations.state import ModelState, ProjectState
    from django.db.models import Model

    from django_risingwave.streaming.definitions import Definition

#: (app_label, model_name in lower case), as in ProjectState.models.
Key = tuple[str, str]


class CircularDefinitionsError(ImproperlyConfigured):
    """Streaming models that read each other in a circle."""

    hint = "Let one of them read the tables that the others are made from."

    def __init__(self, circle: list[Key]) -> None:
        named = " → ".join(".".join(key) for key in circle)
        self.circle = circle
        self.problem = f"Streaming models can't read each other in a circle: {named}."
        super().__init__(f"{self.problem} {self.hint}")


@dataclass(frozen=True)
class ChangedModel:
    """A model in both states whose fields or definition differ."""

    key: Key
    new: StreamingModelState
    fields: bool
    definition: bool


class Relations:
    """Which models' relations the definitions of a state read."""

    def __init__(self, state: ProjectState) -> None:
        self._owners: dict[str, Key] = {}
        for key, model_state in state.models.items():
            table = table_of(model_state)
            if not model_state.options.get("proxy") and (
                table not in self._owners or model_state.options.get("required_db_vendor") == VENDOR
            ):
                self._owners[table] = key
        #: The models that each model with a definition reads.
        self.read: dict[Key, frozenset[Key]] = {}
        for key, model_state in state.models.items():
            if definition := getattr(model_state, "definition", None):
                self.read[key] = self.owners(definition)

    def owners(self, definition: Definition) -> frozenset[Key]:
        """Return the models whose relations a definition reads."""
        tables = definition.relations_read()
        return frozenset(self._owners[table] for table in tables if table in self._owners)

    def readers(self, key: Key) -> set[Key]:
        """Return the models that read a model's relation, directly or through others."""
        return _reachable(
            [key], lambda read: {reader for reader, reads in self.read.items() if read in reads}
        )

    def all_read(self, keys: Iterable[Key]) -> set[Key]:
        """Return these models, and those that they read, directly or through others."""
        return {*keys} | _reachable(keys, lambda reader: self.read.get(reader, frozenset()))


def _reachable(keys: Iterable[Key], near: Callable[[Key], Iterable[Key]]) -> set[Key]:
    found: set[Key] = set()
    waiting = [*keys]
    while waiting:
        new = {*near(waiting.pop())} - found
        found |= new
        waiting += new
    return found


def in_order_of_dependence(read: Mapping[Key, frozenset[Key]]) -> list[Key]:
    """Return models, each one after those that it reads. Raises CircularDefinitionsError."""
    try:
        return list(TopologicalSorter(read).static_order())
    except CycleError as error:
        raise CircularDefinitionsError(error.args[1][::-1]) from error


def models_in_order(definitions: Mapping[type[Model], Definition]) -> list[type[Model]]:
    """Return the models of definitions, each one after those that it reads.

    Raises CircularDefinitionsError.
    """
    models = {(model._meta.app_label, str(model._meta.model_name)): model for model in definitions}
    keys = {model._meta.db_table: key for key, model in models.items()}
    read = {
        key: frozenset(keys[table] for table in definitions[model].relations_read() if table in keys)
        for key, model in models.items()
    }
    return [models[key] for key in in_order_of_dependence(read)]


class ModelChanges:
    """The streaming models that a project's new state creates, deletes and alters.

    `renamed` has the old name of each renamed model by its new key. `deconstruct` makes fields comparable.
    Raises CircularDefinitionsError.
    """

    def __init__(
        self,
        old: ProjectState,
        new: ProjectState,
        renamed: Mapping[Key, str],
        deconstruct: Callable[[Any], Any],
    ) -> None:
        self.old, self.new = Relations(old), Relations(new)
        self._order = in_order_of_dependence(self.new.read)
        self._deconstruct = deconstruct
        self._declared = {
            key: state for key, state in new.models.items() if isinstance(state, StreamingModelState)
        }
        #: The old and new states of the declared models that there were before, by the new key.
        self.kept = {
            key: (old_state, state)
            for key, state in self._declared.items()
            if (old_state := old.models.get((key[0], renamed.get(key, key[1]))))
        }
        self.altered = {
            key: change
            for key, (old_state, new_state) in self.kept.items()
            if (change := self._change(key, old_state, new_state))
        }
        gone = old.models.keys() - new.models.keys() - {(key[0], name) for key, name in renamed.items()}
        #: The models whose relation is dropped, with what is attached to it.
        self.deleted = {key: old.models[key] for key in gone if _is_streaming(old.models[key])}
        #: The models whose relation is rebuilt: altered ones, and those that read them.
        self.rebuilt = {
            key
            for key, change in self.altered.items()
            if change.definition and change.new.definition and not change.new.definition.is_altered_in_place
        }
        for key in list(self.rebuilt):
            self.rebuilt |= self.new.readers(key)

    def _change(self, key: Key, old: ModelState, new: StreamingModelState) -> ChangedModel | None:
        if new.definition is None or old.options.get("proxy"):
            return None
        followed = following(old, table_of(new)).definition
        change = ChangedModel(
            key,
            new,
            fields=self._deconstructed(old) != self._deconstructed(new),
            definition=followed is None or not new.definition.same_as(followed),
        )
        return change if change.fields or change.definition else None

    def _deconstructed(self, state: ModelState) -> dict[str, Any]:
        return {name: self._deconstruct(field) for name, field in state.fields.items()}

    def attached(self) -> dict[Key, tuple[list[Definition], list[Definition]]]:
        """Return what is to be dropped and what is to be created on each model's relation.

        What can't be rebuilt with its relation, such as a sink, is dropped before and created after it.
        """
        changed: dict[Key, tuple[list[Definition], list[Definition]]] = {
            key: (list(old.attached.values()), []) for key, old in self.deleted.items()
        }
        for key, new in self._declared.items():
            before = following(self.kept[key][0], table_of(new)).attached if key in self.kept else {}
            changed[key] = _changed(before, new.attached, rebuilt=key in self.rebuilt)
        return changed

    def groups(self) -> list[list[ChangedModel]]:
        """Return the altered models, those together that are in one app and read each other.

        Within a group, each one comes after those that it reads.
        """
        groups: list[list[Key]] = []
        for key in sorted(self.altered, key=self._order.index):
            near = [group for group in groups if group[0][0] == key[0] and self._connected(key, group)]
            groups = [group for group in groups if group not in near]
            groups.append([*(member for group in near for member in group), key])
        for group in groups:
            group.sort(key=self._order.index)
        if self._has_circle(groups):
            # A new view reads one of a group, and another one of the group reads it.
            groups = [[key] for group in groups for key in group]
        return [[self.altered[key] for key in group] for group in groups]

    def _connected(self, key: Key, group: Iterable[Key]) -> bool:
        read = self.new.read[key]
        return self.altered[key].definition and any(
            member in read and self.altered[member].definition for member in group
        )

    def _has_circle(self, groups: list[list[Key]]) -> bool:
        unit = {key: tuple(group) for group in groups for key in group}
        graph: dict[Any, set[Any]] = {}
        for key, reads in self.new.read.items():
            node = unit.get(key, key)
            graph.setdefault(node, set()).update(
                other for read in reads if (other := unit.get(read, read)) != node
            )
        try:
            TopologicalSorter(graph).prepare()
        except CycleError:
            return True
        return False


def _is_streaming(model_state: ModelState) -> bool:
    return isinstance(model_state, StreamingModelState) and bool(
        model_state.definition or model_state.attached
    )


def following(model_state: ModelState, table: str) -> StreamingModelState:
    """Return a copy of the state with its definitions under another name of its relation."""
    copied = StreamingModelState.of(model_state)
    copied.define(table)
    return copied


def _changed(
    old: Mapping[str, Definition], new: Mapping[str, Definition], *, rebuilt: bool
) -> tuple[list[Definition], list[Definition]]:
    changed = {
        name
        for name in old.keys() | new.keys()
        if old.get(name) != new.get(name) or (rebuilt and not old[name].can_be_rebuilt)
    }
    return (
        [definition for name, definition in old.items() if name in changed],
        [definition for name, definition in new.items() if name in changed],
    )


def secrets_of(state: ProjectState) -> dict[str, tuple[str, Definition]]:
    """Return the secrets that a state's definitions use: by name, the app of the first that uses it."""
    found: dict[str, tuple[str, Definition]] = {}
    for (app_label, _), model_state in sorted(state.models.items()):
        definitions = [
            getattr(model_state, "definition", None),
            *getattr(model_state, "attached", {}).values(),
        ]
        for definition in filter(None, definitions):
            for name, secret in definition.secrets().items():
                found.setdefault(name, (app_label, secret))
    return found
