from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core import checks
from django.utils.module_loading import autodiscover_modules


class LiveConfig(AppConfig):
    """Live rankings, in pages, for programs and in frames. Which, the module `rankings` of each app says."""

    name = "live"
    verbose_name = "Live rankings"

    def ready(self) -> None:
        # As Django's admin does with the modules `admin`.
        autodiscover_modules("rankings")
        from live import logins  # noqa: PLC0415 - not before the apps are loaded
        from live.checks import check_rankings, check_settings  # noqa: PLC0415 - it looks at models

        checks.register(check_rankings)
        checks.register(check_settings)
        user_logged_in.connect(logins.on_logged_in)
        user_logged_out.connect(logins.on_logged_out)
