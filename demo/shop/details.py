"""What the shop knows of one state and of one product: the latest orders."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite

from django.db.models import F
from django.utils.translation import gettext as _

from demo.shop.catalogue import PRODUCTS, STATES, product_name
from demo.shop.models import Order
from live.keys import KeyDetails

#: Order lines that the page of a key shows.
LATEST = 20


def state_details(state: str | None) -> KeyDetails | None:
    """Return the latest order lines of a state; None if there is no such state."""
    lines = _latest("state", state)
    if not lines and state not in STATES:
        return None
    return KeyDetails(
        title=_("Latest orders"),
        columns=(_("Placed at"), _("Order"), _("Product"), _("Quantity"), _("Price, $")),
        rows=[
            (line.placed_at, line.orderid, product_name(line.itemid), line.qty, _price(line.price))
            for line in lines
        ],
    )


def product_details(itemid: int | None) -> KeyDetails | None:
    """Return the latest order lines of a product; None if there is no such product."""
    lines = _latest("itemid", itemid)
    if not lines and itemid not in PRODUCTS:
        return None
    return KeyDetails(
        title=_("Latest orders"),
        columns=(_("Placed at"), _("Order"), _("State"), _("Quantity"), _("Price, $")),
        rows=[(line.placed_at, line.orderid, line.state, line.qty, _price(line.price)) for line in lines],
    )


def _latest(field: str, value: str | int | None) -> list[Order]:
    lines = Order.objects.filter(**{f"{field}__isnull": True} if value is None else {field: value})
    newest = F("placed_at").desc(nulls_last=True), F("row_id").desc()
    # `dt` may hold dates that Python doesn't have, such as those of the year 10000.
    return list(lines.defer("dt").order_by(*newest)[:LATEST])


def _price(price: float | None) -> Decimal | None:
    # RisingWave has no CHECK that could keep NaN and infinity out of the table.
    return Decimal(f"{price:.2f}") if price is not None and isfinite(price) else None
