"""Views and subscriptions of apps whose migrations are disabled, as in tests.

Django then creates the tables of managed models from the models. What else the migrations of the app would
create on RisingWave is in their operations, which this module runs by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps
from django.db.migrations.loader import MIGRATIONS_MODULE_NAME, MigrationLoader

from django_risingwave.streaming.migration_operations import CreatingOperation, existing_objects

if TYPE_CHECKING:
    from collections.abc import Collection

    from django_risingwave.base import DatabaseWrapper


class _AllMigrations(MigrationLoader):
    """The migrations on disk, disabled ones too."""

    @classmethod
    def migrations_module(cls, app_label: str) -> tuple[str | None, bool]:
        module, is_explicit = super().migrations_module(app_label)
        if module is None:
            return f"{apps.get_app_config(app_label).name}.{MIGRATIONS_MODULE_NAME}", False
        return module, is_explicit


def disabled_apps() -> list[str]:
    """Return the labels of the apps whose migrations MIGRATION_MODULES disables."""
    labels = [config.label for config in apps.get_app_configs()]
    return [label for label in labels if MigrationLoader.migrations_module(label)[0] is None]


def create_without_migrations(connection: DatabaseWrapper, app_labels: Collection[str]) -> None:
    """Create what the operations in these apps' migrations create on RisingWave, except what exists.

    The operations see the models as they are after all migrations. Other operations, such as RunSQL, aren't
    run.
    """
    if not app_labels:
        return
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
        if operation.created_name(app_label, state) not in existing:
            with connection.schema_editor() as editor:
                operation.database_forwards(app_label, editor, state, state)
