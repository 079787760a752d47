"""The table of orders and the materialized views in RisingWave, one per ranking.

`makemigrations` writes the operations that create them: docs/backend/migrations.md.
"""

from django.db import models
from django.db.models.functions import Now

from django_risingwave.fields import FiniteFloatField, RowIdField
from django_risingwave.models import MaterializedView, RisingWaveModel
from live.windowed_models import windowed_models


class Order(RisingWaveModel):
    """A line of an order. Two lines may be equal, so the key is RisingWave's hidden column `_row_id`."""

    row_id = RowIdField()
    orderid = models.IntegerField("order", null=True)
    itemid = models.IntegerField("item", null=True)
    qty = models.IntegerField("quantity", null=True)
    price = FiniteFloatField(null=True)
    dt = models.DateField("date", null=True)
    state = models.CharField(max_length=255, null=True)
    #: When the order was placed, which decides about the windows that it counts in.
    placed_at = models.DateTimeField(null=True, db_default=Now())

    class Meta(RisingWaveModel.Meta):
        db_table = "orders"

    def __str__(self) -> str:
        return f"Order {self.orderid}: {self.qty} × item {self.itemid}"


class StateTurnover(MaterializedView):
    """The turnover of each state, in dollars."""

    state = models.CharField(max_length=255, primary_key=True)
    turnover = models.DecimalField(max_digits=28, decimal_places=10)

    class Meta(MaterializedView.Meta):
        db_table = "state_turnover"

    class Stream:
        query = "SELECT state, sum((qty * price)::numeric) AS turnover FROM orders GROUP BY state"


STATE_TURNOVER_WINDOWS = windowed_models(
    StateTurnover,
    "SELECT state, sum((qty * price)::numeric) AS turnover FROM orders WHERE {window} GROUP BY state",
    column="placed_at",
)


class ItemAverageQuantity(MaterializedView):
    """The average quantity of each item in an order line."""

    itemid = models.IntegerField("item", primary_key=True)
    average_quantity = models.DecimalField(max_digits=28, decimal_places=10)

    class Meta(MaterializedView.Meta):
        db_table = "item_average_quantity"

    class Stream:
        query = "SELECT itemid, avg(qty) AS average_quantity FROM orders GROUP BY itemid"


class ItemQuantity(MaterializedView):
    """The quantity sold of each item."""

    itemid = models.IntegerField("item", primary_key=True)
    quantity = models.BigIntegerField()

    class Meta(MaterializedView.Meta):
        db_table = "item_quantity"

    class Stream:
        query = "SELECT itemid, sum(qty) AS quantity FROM orders GROUP BY itemid"


class ItemTurnover(MaterializedView):
    """The turnover of each item, in dollars."""

    itemid = models.IntegerField("item", primary_key=True)
    turnover = models.DecimalField(max_digits=28, decimal_places=10)

    class Meta(MaterializedView.Meta):
        db_table = "item_turnover"

    class Stream:
        query = "SELECT itemid, sum((qty * price)::numeric) AS turnover FROM orders GROUP BY itemid"


ITEM_TURNOVER_WINDOWS = windowed_models(
    ItemTurnover,
    "SELECT itemid, sum((qty * price)::numeric) AS turnover FROM orders WHERE {window} GROUP BY itemid",
    column="placed_at",
)
