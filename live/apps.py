from django.apps import AppConfig
from django.core import checks
from django.utils.module_loading import autodiscover_modules


class LiveConfig(AppConfig):
    """Live rankings, in pages, for programs and in frames. Which, the module `rankings` of each app says."""

    name = "live"
    verbose_name = "Live rankings"

    def ready(self) -> None:
        # As Django's admin does with the modules `admin`.
        autodiscover_modules("rankings")
        from live.checks import check_rankings  # noqa: PLC0415 - it looks at models

        checks.register(check_rankings)
