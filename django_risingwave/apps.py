from django.apps import AppConfig
from django.core import checks


class RisingWaveConfig(AppConfig):
    """Put "django_risingwave" into INSTALLED_APPS for its system checks."""

    name = "django_risingwave"
    verbose_name = "RisingWave"

    def ready(self) -> None:
        from django_risingwave.checks import check_databases, check_models  # noqa: PLC0415 - imports models

        # Not Tags.database: those run with `check --database` alone, and this one asks no database.
        checks.register(check_databases)
        checks.register(check_models, checks.Tags.models)
