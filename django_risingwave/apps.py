from django.apps import AppConfig, apps
from django.core import checks
from django.db.models.signals import pre_migrate


class RisingWaveConfig(AppConfig):
    """The app behind "django_risingwave" in INSTALLED_APPS: system checks, commands, indexes of views."""

    name = "django_risingwave"
    verbose_name = "RisingWave"

    def ready(self) -> None:
        from django_risingwave import checks as own  # noqa: PLC0415 - imports models
        from django_risingwave.relations import check_relations  # noqa: PLC0415 - imports models
        from django_risingwave.tables.index_operations import replace_index_operations  # noqa: PLC0415

        # Without Tags.database, whose checks run only with `check --database`: this one sends no query.
        checks.register(own.check_databases)
        checks.register(own.check_models, checks.Tags.models)
        checks.register(own.check_streams, checks.Tags.models)
        checks.register(check_relations, checks.Tags.models)
        pre_migrate.connect(replace_index_operations, sender=self)
        if apps.is_installed("django.contrib.admin"):
            from django_risingwave.admin import check_admin  # noqa: PLC0415 - imports the admin

            checks.register(check_admin, checks.Tags.admin)
