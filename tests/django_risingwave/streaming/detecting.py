"""Models declared for a test, and the operations that makemigrations would write for their changes."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.migration import Migration
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState
from django.test.utils import isolate_apps

from django_risingwave.models import MaterializedView, RisingWaveModel
from django_risingwave.streaming.autodetector import RisingWaveAutodetector
from django_risingwave.streaming.detecting.state import StreamingModelState

LABEL = "django_risingwave"


def view(
    name: str, query: Any, *, app: str = LABEL, indexes: Any = (), **more: Any
) -> type[MaterializedView]:
    """Return a model over the view of the lower-cased name. Fields and what Stream has come from `more`."""
    fields = {key: value for key, value in more.items() if isinstance(value, models.Field)}
    if not any(field.primary_key for field in fields.values()):
        fields["kind"] = models.CharField(max_length=10, primary_key=True)
    stream = {key: value for key, value in more.items() if key not in fields and key != "db_table"}
    if query is not None:
        stream["query"] = query
    options = {
        "app_label": app,
        "db_table": more.get("db_table", name.lower()),
        "indexes": list(indexes),
    }
    with isolate_apps():
        return type(
            name,
            (MaterializedView,),
            {
                "__module__": __name__,
                **fields,
                "Meta": type("Meta", (MaterializedView.Meta,), options),
                "Stream": type("Stream", (), stream),
            },
        )


def table(name: str, *, app: str = LABEL, **more: Any) -> type[RisingWaveModel]:
    """Return a model with the table of the lower-cased name."""
    fields = {key: value for key, value in more.items() if isinstance(value, models.Field)}
    stream = {key: value for key, value in more.items() if key not in fields}
    options = {"app_label": app, "db_table": name.lower()}
    with isolate_apps():
        return type(
            name,
            (RisingWaveModel,),
            {
                "__module__": __name__,
                "id": models.BigAutoField(primary_key=True),
                **fields,
                "Meta": type("Meta", (RisingWaveModel.Meta,), options),
                **({"Stream": type("Stream", (), stream)} if stream else {}),
            },
        )


def state_of(*declared: type[models.Model]) -> ProjectState:
    """Return the state of a project that has these models."""
    state = ProjectState()
    for model in declared:
        state.add_model(StreamingModelState.from_model(model))
    return state


class Questioner(MigrationQuestioner):
    """Answers that each model that looks renamed is."""

    def ask_rename_model(self, *args: Any) -> bool:
        return True


def changes(old: ProjectState, *new: type[models.Model]) -> dict[str, list[Any]]:
    """Return the migrations of each app."""
    labels = {model._meta.app_label for model in new} | {label for label, _ in old.models}
    detector = RisingWaveAutodetector(old.clone(), state_of(*new), Questioner(specified_apps=labels))
    return detector.changes(MigrationGraph())


def operations(old: ProjectState, *new: type[models.Model]) -> list[Any]:
    """Return the operations of the only app, which lead to the new models: nothing is left to do then."""
    found = [
        operation for migration in changes(old, *new).get(LABEL, []) for operation in migration.operations
    ]
    state = old.clone()
    for operation in found:
        operation.state_forwards(LABEL, state)
    assert changes(state, *new) == {}
    return found


def described(old: ProjectState, *new: type[models.Model]) -> list[str]:
    return [operation.describe() for operation in operations(old, *new)]


def written(operation: Any) -> Any:
    """Return the operation as a migration file gives it back."""
    from django.db.migrations.writer import MigrationWriter

    migration = type("Migration", (Migration,), {"operations": [operation]})("0001_x", LABEL)
    names: dict[str, Any] = {}
    exec(MigrationWriter(migration).as_string(), names)
    (again,) = names["Migration"].operations
    return again
