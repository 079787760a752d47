from django.apps import AppConfig


class CheckpointsConfig(AppConfig):
    """The app behind "django_risingwave.checkpoints" in INSTALLED_APPS: the table of saved checkpoints."""

    name = "django_risingwave.checkpoints"
    label = "risingwave_checkpoints"
    verbose_name = "RisingWave checkpoints"
    default_auto_field = "django.db.models.BigAutoField"
