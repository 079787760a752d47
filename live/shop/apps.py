from django.apps import AppConfig


class ShopConfig(AppConfig):
    """The demo: a made-up shop, its orders and the rankings over them."""

    name = "live.shop"
    verbose_name = "Made-up shop"
