from django.contrib.admin.apps import AdminConfig


class SiteAdminConfig(AdminConfig):
    """The admin with the site of config.admin, and with what config itself registers there."""

    default_site = "config.admin.Site"

    def ready(self) -> None:
        super().ready()
        from config import login_attempts  # noqa: F401, PLC0415 - when all models are loaded
