from django.apps import AppConfig


class ShopConfig(AppConfig):
    """A fictional shop: its orders, and rankings of its products and states."""

    name = "demo.shop"
    # Not "shop": a project that follows the documentation may have an app of that name.
    label = "demo_shop"
    verbose_name = "Demo shop"
