"""What is read from RisingWave: the table of orders, and one materialized view per ranking.

All unmanaged: the migrations of this app create them by name, see docs/rankings.md.
"""

from django.db import models

from django_risingwave.fields import FiniteFloatField, RowIdField
from django_risingwave.models import MaterializedView, RisingWaveModel


class Order(RisingWaveModel):
    """A line of an order. An order has several, two may be equal, and so `_row_id` is the key."""

    row_id = RowIdField()
    orderid = models.IntegerField("order", null=True)
    itemid = models.IntegerField("item", null=True)
    qty = models.IntegerField("quantity", null=True)
    price = FiniteFloatField(null=True)
    dt = models.DateField("date", null=True)
    state = models.CharField(max_length=255, null=True)

    class Meta(RisingWaveModel.Meta):
        managed = False
        db_table = "orders"

    def __str__(self) -> str:
        return f"Order {self.orderid}: {self.qty} × item {self.itemid}"


class StateTurnover(MaterializedView):
    """What was sold in each state, in money."""

    state = models.CharField(max_length=255, primary_key=True)
    turnover = models.DecimalField(max_digits=28, decimal_places=10)

    class Meta(MaterializedView.Meta):
        db_table = "state_turnover"


class ItemAverageQuantity(MaterializedView):
    """How many of each item an order line asks for, on average."""

    itemid = models.IntegerField("item", primary_key=True)
    average_quantity = models.DecimalField(max_digits=28, decimal_places=10)

    class Meta(MaterializedView.Meta):
        db_table = "item_average_quantity"


class ItemQuantity(MaterializedView):
    """How many of each item were sold."""

    itemid = models.IntegerField("item", primary_key=True)
    quantity = models.BigIntegerField()

    class Meta(MaterializedView.Meta):
        db_table = "item_quantity"


class ItemTurnover(MaterializedView):
    """What was sold of each item, in money."""

    itemid = models.IntegerField("item", primary_key=True)
    turnover = models.DecimalField(max_digits=28, decimal_places=10)

    class Meta(MaterializedView.Meta):
        db_table = "item_turnover"
