"""What the pages of the demo's keys know of orders that no CHECK has kept out."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from demo.shop import details
from demo.shop.models import Order


@pytest.mark.parametrize("details_of", [details.state_details, details.product_details])
def test_prices_are_in_cents_and_one_that_is_no_number_is_left_out(details_of, monkeypatch):
    prices = [2.5, math.nan, math.inf, None, 1e308]
    orders = [Order(orderid=number, itemid=1, qty=1, price=price) for number, price in enumerate(prices)]
    monkeypatch.setattr(details, "_latest", lambda *_: orders)
    found = details_of("Ohio")
    assert found is not None
    shown = [row[-1] for row in found.rows]
    assert shown[:4] == [Decimal("2.50"), None, None, None]
    assert float(shown[4]) == 1e308
