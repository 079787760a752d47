from django.db import transaction
from django.test import TransactionTestCase

from django_risingwave.streaming.mirrors import wait_until_mirrored
from shop.models import Order, OrderMirror, Product, ProductSales


class SalesTest(TransactionTestCase):
    """Mirrors follow what is committed. A TestCase commits nothing."""

    databases = {"default", "risingwave"}

    def test_sales_follow_committed_orders(self) -> None:
        tea = Product.objects.create(name="Black tea")
        order = Order.objects.create(product=tea, quantity=2)
        with transaction.atomic():
            Order.objects.create(product=tea, quantity=40)
            transaction.set_rollback(True)
        wait_until_mirrored()
        assert ProductSales.objects.get(product="Black tea").sold == 2
        assert OrderMirror.objects.get().product_id == tea.pk
        order.delete()
        wait_until_mirrored()
        assert not ProductSales.objects.exists()
