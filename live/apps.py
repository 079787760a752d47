from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core import checks
from django.core.signals import request_finished
from django.db.backends.signals import connection_created
from django.db.models.signals import post_delete, post_save
from django.utils.module_loading import autodiscover_modules
from prometheus_client import REGISTRY

from live.logs.request_context import end_request


class LiveConfig(AppConfig):
    """Live rankings for pages, programs and other sites, from the module `rankings` of each app."""

    name = "live"
    verbose_name = "Live rankings"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # As Django's admin does with modules named `admin`.
        autodiscover_modules("rankings")
        from live.checks import check_rankings, check_settings, check_thresholds  # noqa: PLC0415 - as below
        from live.database_checks import check_history, check_leading_rows, check_reads  # noqa: PLC0415 - as above
        from live.declared.registry import on_declared, on_deleted  # noqa: PLC0415 - imports models
        from live.operators import collector  # noqa: PLC0415 - needs the apps to be loaded
        from live.users import login_log, logins  # noqa: PLC0415 - needs the apps to be loaded

        open_connections = collector.Connections()
        connection_created.connect(open_connections.on_created, weak=False)
        REGISTRY.register(collector.LiveCollector(open_connections))
        checks.register(check_rankings)
        checks.register(check_settings)
        checks.register(check_thresholds)
        checks.register(check_leading_rows)
        checks.register(check_reads, checks.Tags.database)
        checks.register(check_history, checks.Tags.database)
        request_finished.connect(end_request)
        user_logged_in.connect(logins.on_logged_in)
        user_logged_out.connect(logins.on_logged_out)
        user_login_failed.connect(login_log.on_login_failed)
        post_save.connect(on_declared, sender=self.get_model("DeclaredRanking"))
        post_delete.connect(on_deleted, sender=self.get_model("DeclaredRanking"))
