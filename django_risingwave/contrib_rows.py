"""The rows that Django's own apps create after a migration: content types, permissions and a site.

Their receivers of post_migrate create some rows for each app and read them again. With implicit_flush each of
these writes waits for a checkpoint. Without it, permissions wouldn't find the content types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps

if TYPE_CHECKING:
    from collections.abc import Collection

    from django_risingwave.base import DatabaseWrapper


def create_contrib_rows(connection: DatabaseWrapper, tables: Collection[str]) -> None:
    """Fill those of the tables that belong to Django's apps and are empty, and wait once.

    The receivers of post_migrate find the rows then. Tables with rows are left to them.
    """
    alias = connection.alias

    def empty(app: str, name: str) -> Any:
        """Return a model if its table is empty, or else None."""
        model: Any = apps.get_model(app, name) if apps.is_installed(f"django.contrib.{app}") else None
        is_empty = model and model._meta.db_table in tables and not model.objects.using(alias).exists()
        return model if is_empty else None

    content_type, site = empty("contenttypes", "ContentType"), empty("sites", "Site")
    with connection.without_implicit_flush():
        if content_type:
            _create_content_types(alias, content_type, empty("auth", "Permission"))
        if site:
            from django.contrib.sites.management import create_default_site  # noqa: PLC0415 - imports models

            create_default_site(apps.get_app_config("sites"), verbosity=0, using=alias)
    if content_type or site:
        connection.flush()


def _create_content_types(alias: str, content_type: Any, permission: Any) -> None:
    """Create the content types of all models, and their permissions if there is a model of these."""
    content_types = {
        model: content_type(app_label=app.label, model=model._meta.model_name)
        for app in apps.get_app_configs()
        if app.models_module
        for model in app.get_models()
    }
    content_type.objects.using(alias).bulk_create(content_types.values())
    if permission:
        from django.contrib.auth.management import _get_all_permissions  # type: ignore[attr-defined]  # noqa: PLC0415 - imports models

        permission.objects.using(alias).bulk_create(
            permission(content_type_id=content_type.pk, codename=codename, name=name)
            for model, content_type in content_types.items()
            for codename, name in _get_all_permissions(model._meta)
        )
