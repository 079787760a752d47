"""AddIndex, RemoveIndex and RenameIndex for unmanaged models, such as those of materialized views.

Django's operations silently do nothing for unmanaged models, so `migrate` replaces them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections, router
from django.db.migrations import operations

from django_risingwave.routers import VENDOR

if TYPE_CHECKING:
    from django.db.migrations import Migration
    from django.db.migrations.operations.base import Operation
    from django.db.models import Model


class _IndexOperation(operations.base.Operation):
    def allow_migrate_model(self, connection_alias: Any, model: type[Model]) -> bool:
        """Allow unmanaged models on RisingWave too."""
        if model._meta.managed or connections[connection_alias].vendor != VENDOR:
            return super().allow_migrate_model(connection_alias, model)
        return model._meta.required_db_vendor in (None, VENDOR) and router.allow_migrate_model(
            connection_alias, model
        )


class AddIndex(_IndexOperation, operations.AddIndex):
    """Django's operation, also for unmanaged models."""


class RemoveIndex(_IndexOperation, operations.RemoveIndex):
    """Django's operation, also for unmanaged models."""


class RenameIndex(_IndexOperation, operations.RenameIndex):
    """Django's operation, also for unmanaged models."""


_REPLACEMENTS: dict[type[Operation], type[_IndexOperation]] = {
    operations.AddIndex: AddIndex,
    operations.RemoveIndex: RemoveIndex,
    operations.RenameIndex: RenameIndex,
}


def replace_index_operations(*, plan: list[tuple[Migration, bool]], using: str, **kwargs: Any) -> None:
    """Replace Django's operations in the plan of a `migrate` on RisingWave. A receiver of pre_migrate.

    Django's contrib.contenttypes inserts its operations in the same way.
    """
    if connections[using].vendor == VENDOR:
        for migration, _ in plan:
            its_operations: Any = migration.operations  # a sequence, in the stubs
            its_operations[:] = map(_replace, its_operations)


def _replace(operation: Operation) -> Operation:
    replacement = _REPLACEMENTS.get(type(operation))
    if replacement is None:
        return operation
    _, args, kwargs = operation.deconstruct()
    return replacement(*args, **kwargs)
