from django.db import models

from django_risingwave.models import MaterializedView, Mirror


class Product(models.Model):
    """Something that the shop sells."""

    name = models.CharField(max_length=200, unique=True)

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """An order of one product."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveSmallIntegerField(default=1)
    placed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(quantity__gte=1), name="quantity_gte_1"),)

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"


class ProductMirror(Mirror):
    """The products, as RisingWave follows them."""

    class Stream:
        of = Product


class OrderMirror(Mirror):
    """The orders, as RisingWave follows them."""

    class Stream:
        of = Order


class ProductSales(MaterializedView):
    """How many of each product have been ordered."""

    product = models.CharField(max_length=200, primary_key=True)
    sold = models.BigIntegerField()

    class Meta(MaterializedView.Meta):
        db_table = "product_sales"

    class Stream:
        query = """
            SELECT product.name AS product, sum(ordered.quantity) AS sold
            FROM shop_order AS ordered
            JOIN shop_product AS product ON product.id = ordered.product_id
            GROUP BY product.name
        """
