from django.contrib.admin.apps import AdminConfig


class SiteAdminConfig(AdminConfig):
    """The admin with the site of config.admin."""

    default_site = "config.admin.Site"
