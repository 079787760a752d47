from django.apps import AppConfig


class ShopConfig(AppConfig):
    """The demo: a made-up shop, its orders and the rankings over them."""

    name = "demo.shop"
    # Not "shop", which is a label that other projects have.
    label = "demo_shop"
    verbose_name = "Made-up shop"
