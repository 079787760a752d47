"""What to build, to swap and to drop so that views get new definitions, as the catalog stands now."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from django.db import NotSupportedError, ProgrammingError

from django_risingwave.streaming.reading_sql import canonical, relations_read
from django_risingwave.streaming.rebuilding.existing import select_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.rebuilding.existing import Existing, ExistingObject

_PREFIX = re.compile("rebuild_[0-9a-f]{8}_")
# A view that was swapped stands in the definition of its readers under its temporary name.
_WITH_ALIAS = re.compile(r'("?)rebuild_[0-9a-f]{8}_([^"\s]+?)\1 AS \1\2\1(?!\w)')
_VIEWS = ("materialized view", "view")
_REBUILT = (*_VIEWS, "subscription", "index")


def temporary_prefix(definitions: Iterable[str]) -> str:
    """Return what stands before the names of new objects until they take the names of the old ones.

    The old ones have these names afterwards. A change of the same views to other definitions has another one.
    """
    digest = hashlib.sha256("\0".join(sorted(definitions)).encode()).hexdigest()[:8]
    return f"rebuild_{digest}_"


def is_temporary_name(name: str) -> bool:
    """Return whether the name has such a prefix: an interrupted migration has left the object."""
    return _PREFIX.match(name) is not None


def base_name(name: str) -> str:
    """Return the name that a temporary name stands for, or the name itself."""
    return _PREFIX.sub("", name, count=1) if is_temporary_name(name) else name


def original(definition: str) -> str:
    """Return a definition as it was before the views that it reads were swapped."""
    return _PREFIX.sub("", _WITH_ALIAS.sub(r"\1\2\1", definition))


@dataclass
class View:
    """A view to replace."""

    name: str
    kind: str
    temporary_name: str
    #: The CREATE statement of the new view, under its own name.
    definition: str
    is_changed: bool
    #: What has the name now.
    current: ExistingObject | None
    #: The new view, if there is one.
    new: ExistingObject | None = None
    #: Indexes and subscriptions of the old view.
    indexes: list[ExistingObject] = field(default_factory=list)
    subscriptions: list[ExistingObject] = field(default_factory=list)
    #: The temporary names of the indexes and subscriptions that an earlier run has created on the new view.
    attached: dict[str, str] = field(default_factory=dict)

    @property
    def is_swapped(self) -> bool:
        """Whether the new view has its name already."""
        return self.new is not None and self.new is self.current


class Plan:
    """Which views to replace, in the order of their building, and what to drop afterwards."""

    def __init__(
        self,
        existing: Existing,
        definitions: Sequence[Definition],
        quote_name: Callable[[str], str],
        *,
        cascade: bool,
    ) -> None:
        """Plan the change. Raises NotSupportedError for what can't be built again, unless `cascade`."""
        self.existing = existing
        wanted = {definition.name: definition.create_sql(quote_name) for definition in definitions}
        self.prefix = temporary_prefix(wanted.values())
        self._views = {name: self._changed(name, definition) for name, definition in wanted.items()}
        self._old = self._find_old()
        dependents = [existing.objects[number] for number in sorted(existing.dependents(self._old))]
        currents = [view.current for view in self._views.values() if view.current]
        _refuse(currents if self._old else [], dependents, self.changed_names(), cascade=cascade)
        for item in sorted(dependents, key=lambda item: is_temporary_name(item.name)):
            name = base_name(item.name)
            if item.kind in _VIEWS and name not in self._views:
                self._views[name] = self._dependent(existing.named(name) or item, {i.id for i in dependents})
        self._attach(dependents)
        #: Everything to drop, but indexes, which go with their views.
        self.old = [item for item in existing.objects.values() if self._is_old(item, dependents)]
        self.views = self._in_order()

    def changed_names(self) -> str:
        """Return the names of the views whose definition changes, for people."""
        return ", ".join(f'"{name}"' for name, view in self._views.items() if view.is_changed)

    def _changed(self, name: str, definition: str) -> View:
        current = self.existing.named(name)
        if current is None or current.kind != "materialized view":
            raise ProgrammingError(
                f"Materialized view \"{name}\" doesn't exist, so its definition can't be changed. Run the "
                "migration that creates it."
            )
        view = View(name, current.kind, self.prefix + name, definition, is_changed=True, current=current)
        temporary = self.existing.named(view.temporary_name)
        if temporary is not None:
            view.new = max(temporary, current, key=lambda item: item.id)
        elif _means_the_same(current.definition, definition):
            view.new = current
        return view

    def _dependent(self, item: ExistingObject, dependents: set[int]) -> View:
        name, definition = base_name(item.name), original(item.definition)
        view = View(name, item.kind, self.prefix + name, definition, is_changed=False, current=item)
        # An earlier run may have built or even swapped it: then it stands on no old view.
        for new in (item, self.existing.named(view.temporary_name)):
            if new is not None and new.id not in dependents:
                view.new = new
                break
        return view

    def _is_old(self, item: ExistingObject, dependents: list[ExistingObject]) -> bool:
        if item.kind == "index":
            return False
        view = self._views.get(base_name(item.name))
        # What an earlier run has built from another definition isn't wanted any more.
        is_left = view is not None and is_temporary_name(item.name) and item is not view.new
        return is_left or item.id in self._old or item in dependents

    def _find_old(self) -> set[int]:
        """Return the ids of the old views of all changed names, and of those that other runs have left."""
        old: set[int] = set()
        while True:
            for name, view in self._views.items():
                new = view.new
                if new is not None and new.id in self.existing.dependents(old):
                    # It reads an old view.
                    new = view.new = None
                old |= {
                    item.id
                    for item in self.existing.objects.values()
                    if base_name(item.name) == name and item.kind != "index" and item is not new
                }
            if not any(
                view.new and view.new.id in self.existing.dependents(old) for view in self._views.values()
            ):
                return old

    def _attach(self, dependents: list[ExistingObject]) -> None:
        """Find the indexes and subscriptions of the old views, and those of the new ones."""
        for item in dependents:
            for read in self.existing.found(self.existing.reads.get(item.id, ())):
                view = self._views.get(base_name(read.name))
                if view is None:
                    continue
                if item.kind == "subscription" and not is_temporary_name(item.name):
                    view.subscriptions.append(item)
                elif item.kind == "index" and read is view.current:
                    view.indexes.append(item)
        for view in self._views.values():
            if view.new is not None:
                on = self.existing.found(self.existing.used_by.get(view.new.id, ()))
                view.attached = {
                    base_name(item.name): item.name for item in on if is_temporary_name(item.name)
                }

    def _in_order(self) -> list[View]:
        """Return the views so that each comes after those that it will read."""
        reads = {name: self._names_read(view) & self._views.keys() for name, view in self._views.items()}
        try:
            order = list(TopologicalSorter(reads).static_order())
        except CycleError as error:
            cycle = " → ".join(error.args[1])
            raise NotSupportedError(f"Materialized views read each other in a circle: {cycle}.") from None
        views = [self._views[name] for name in order]
        return [view for view in views if not self._is_finished(view)]

    def _names_read(self, view: View) -> set[str]:
        if view.is_changed:
            return set(relations_read(select_of(view.definition)[1]))
        numbers = self.existing.reads.get(view.current.id, ()) if view.current else ()
        return {base_name(item.name) for item in self.existing.found(numbers)}

    def _is_finished(self, view: View) -> bool:
        return view.is_swapped and not view.subscriptions


def _refuse(
    changed: list[ExistingObject], dependents: list[ExistingObject], names: str, *, cascade: bool
) -> None:
    """Raise NotSupportedError for what the change can't build again."""
    begin = f"The change of {names} builds everything again that reads it"
    if fixed := [item for item in dependents if item.kind not in _REBUILT and not cascade]:
        raise NotSupportedError(
            f"{begin}, which isn't possible for {', '.join(map(str, fixed))}. Drop it in a migration before "
            "the change, and create it again in one after it. A new sink sends all rows of its view, so its "
            "consumer gets those again that it has."
        )
    if foreign := [item for item in [*changed, *dependents] if not item.is_own]:
        owned = ", ".join(f"{item} of {item.owner}" for item in foreign)
        raise NotSupportedError(
            f"{begin}, which only its owner can do: {owned}. Run the migration as the owner of all, or drop "
            "what isn't yours before it."
        )
    if elsewhere := [item for item in dependents if not item.is_in_schema]:
        raise NotSupportedError(
            f"{begin}, but not in other schemas: {', '.join(map(str, elsewhere))}. Drop it in a migration "
            "before the change, and create it again in one after it."
        )


def _means_the_same(one: str, other: str) -> bool:
    """Return whether two CREATE statements have the same SELECT, as far as their texts tell."""
    try:
        return bool(canonical(select_of(one)[1]) == canonical(select_of(other)[1]))
    except ValueError:
        return False
