from django.apps import AppConfig


class LiveConfig(AppConfig):
    """The dashboard."""

    name = "live"
    verbose_name = "Live rankings"
