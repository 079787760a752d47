"""Views and subscriptions of apps that have no migrations, or whose migrations are disabled, as in tests.

Django then creates the tables of managed models from the models. This module creates what the models declare
in Stream. What else the migrations of the app would create on RisingWave is in their operations, which it
runs by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps
from django.db.migrations.loader import MIGRATIONS_MODULE_NAME, MigrationLoader

from django_risingwave.streaming.declaring.declarations import declared, stream_of
from django_risingwave.streaming.detecting.changed_models import models_in_order
from django_risingwave.streaming.detecting.state import find_model_state
from django_risingwave.streaming.migration_operations import (
    CreateAttached,
    CreateMaterializedView,
    CreatingOperation,
    create_missing,
    existing_objects,
)
from django_risingwave.streaming.model_operations import create_relation, may_have_relation

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.migrations.state import ProjectState

    from django_risingwave.base import DatabaseWrapper


class _AllMigrations(MigrationLoader):
    """The migrations on disk, disabled ones too."""

    @classmethod
    def migrations_module(cls, app_label: str) -> tuple[str | None, bool]:
        module, is_explicit = super().migrations_module(app_label)
        if module is None:
            return f"{apps.get_app_config(app_label).name}.{MIGRATIONS_MODULE_NAME}", False
        return module, is_explicit


def apps_without_migrations() -> set[str]:
    """Return the labels of the apps that have no migrations, or whose migrations are disabled."""
    return MigrationLoader(None, ignore_no_migrations=True).unmigrated_apps


def create_without_migrations(connection: DatabaseWrapper, app_labels: Collection[str]) -> None:
    """Create what these apps' models declare, and what their migrations create, except what exists.

    The operations see the models as they are after all migrations. Other operations, such as RunSQL, aren't
    run.
    """
    if not app_labels:
        return
    _create_declared(connection, app_labels)
    _run_operations(connection, app_labels)


def _create_declared(connection: DatabaseWrapper, app_labels: Collection[str]) -> None:
    """Create the relations that models declare, in order of dependence, and what is attached to them."""
    models = [model for model in apps.get_models() if model._meta.app_label in app_labels]
    declarations = {
        model: declared(model)
        for model in models
        if stream_of(model) is not None and may_have_relation(connection.alias, model)
    }
    definitions = {
        model: declaration.definition for model, declaration in declarations.items() if declaration.definition
    }
    secrets = {
        name: secret
        for declaration in declarations.values()
        for definition in filter(None, (declaration.definition, *declaration.attached.values()))
        for name, secret in definition.secrets().items()
    }
    for secret in secrets.values():
        with connection.schema_editor() as editor:
            create_missing(editor, secret)
    for model in models_in_order(definitions):
        with connection.schema_editor() as editor:
            create_relation(editor, definitions[model], model)
    for declaration in declarations.values():
        for definition in declaration.attached.values():
            with connection.schema_editor() as editor:
                create_missing(editor, definition)


def _run_operations(connection: DatabaseWrapper, app_labels: Collection[str]) -> None:
    """Run the operations that create something else, such as the leading rows of a ranking."""
    loader = _AllMigrations(None)
    graph = loader.graph
    plan = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    operations = [
        (app_label, operation)
        for app_label, name in plan
        if app_label in app_labels
        for operation in loader.disk_migrations[app_label, name].operations
        if isinstance(operation, CreatingOperation)
    ]
    if not operations:
        return
    state = loader.project_state()
    existing = existing_objects(connection)
    for app_label, operation in operations:
        if operation.created_name(app_label, state) not in existing and not _is_dropped(operation, state):
            with connection.schema_editor() as editor:
                operation.database_forwards(app_label, editor, state, state)


def _is_dropped(operation: CreatingOperation, state: ProjectState) -> bool:
    """Return whether a later migration drops what the operation attaches to a model's relation."""
    if not isinstance(operation, CreateAttached) or isinstance(operation, CreateMaterializedView):
        return False
    model_state = find_model_state(state, getattr(operation.definition, "source", ""))
    return model_state is not None and operation.definition.name not in model_state.attached
