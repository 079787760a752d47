"""What migrations know of streaming models: their definitions, and what is attached to their relations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from django.db.migrations.state import ModelState

from django_risingwave.routers import VENDOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.migrations.state import ProjectState
    from django.db.models import Model

    from django_risingwave.streaming.definitions import Definition


class StreamingModelState(ModelState):
    """A ModelState with the definition of the model's relation, and of what is attached to it, by name."""

    def __init__(
        self,
        *args: Any,
        definition: Definition | None = None,
        attached: Mapping[str, Definition] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.definition = definition
        self.attached = dict(attached or {})

    @classmethod
    def of(cls, model_state: ModelState) -> Self:
        """Return a copy of the state, with its definitions if it has any."""
        return cls(
            model_state.app_label,
            model_state.name,
            dict(model_state.fields),
            dict(model_state.options),
            model_state.bases,
            list(model_state.managers),
            definition=getattr(model_state, "definition", None),
            attached=getattr(model_state, "attached", None),
        )

    @classmethod
    def from_model(cls, model: type[Model], exclude_rels: bool = False) -> Self:  # noqa: FBT001, FBT002 - Django's signature
        """Return the state of a model as its inner class Stream declares it. Raises DeclarationError."""
        from django_risingwave.streaming.declaring.declarations import declared  # noqa: PLC0415 - reads SQL

        state = cls.of(ModelState.from_model(model, exclude_rels))
        declaration = declared(model)
        state.definition = declaration.definition
        state.attached = dict(declaration.attached)
        return state

    def clone(self) -> Self:
        """Return a copy, which Django makes before each operation."""
        return self.of(self)

    def define(self, name: str) -> None:
        """Let the definitions follow a relation that is renamed."""
        if self.definition is not None:
            self.definition = replace(self.definition, name=name)
        self.attached = {
            key: replace(definition, source=name)  # type: ignore[call-arg]  # attached: it has a source
            for key, definition in self.attached.items()
        }


def table_of(model_state: ModelState) -> str:
    """Return the name of the model's table or view."""
    name: str = model_state.options.get("db_table") or f"{model_state.app_label}_{model_state.name_lower}"
    return name


def find_model_state(state: ProjectState, table: str) -> StreamingModelState | None:
    """Return the state of the model that has this table or view, or None. It is converted in place.

    A mirror on RisingWave has the table name of the model that it mirrors: RisingWave's is preferred.
    """
    found = [
        (key, model_state)
        for key, model_state in state.models.items()
        if table_of(model_state) == table and not model_state.options.get("proxy")
    ]
    if not found:
        return None
    key, model_state = max(found, key=lambda item: item[1].options.get("required_db_vendor") == VENDOR)
    if not isinstance(model_state, StreamingModelState):
        state.models[key] = model_state = StreamingModelState.of(model_state)
    return model_state
