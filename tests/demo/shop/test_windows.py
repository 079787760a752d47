"""The demo's rankings of the last minutes, hours and days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from demo.shop.models import Order
from live.feeding.sources import find_sources
from live.leading import leading_name, totals_name
from live.rankings import RANKINGS
from live.windows import Window
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = BOTH

STATES, PRODUCTS = RANKINGS["states-by-turnover"], RANKINGS["products-by-turnover"]


def began_at(window: Window, now: datetime) -> datetime:
    if window is Window.ALL:
        return datetime.min.replace(tzinfo=UTC)
    return now - window.span if window.span else now.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize("window", list(Window))
def test_a_window_has_the_orders_placed_within_it(orders: Callable[..., None], window: Window) -> None:
    now = datetime.now(UTC)
    today = began_at(Window.TODAY, now)
    placed = {
        "Utah": now,
        "Ohio": now - timedelta(minutes=16),
        "Iowa": today + timedelta(milliseconds=1),
        "Texas": today - timedelta(milliseconds=1),
        "Maine": now - timedelta(days=6, hours=23),
        "Idaho": now - timedelta(days=8),
    }
    Order.objects.bulk_create(
        Order(orderid=1, itemid=number, qty=1, price=1.0, state=state, placed_at=placed_at)
        for number, (state, placed_at) in enumerate(placed.items())
    )
    expected = {state for state, placed_at in placed.items() if placed_at > began_at(window, now)}
    variants = [ranking.within(window) for ranking in (STATES, PRODUCTS)]
    found = find_sources("risingwave", variants)
    states, products = (found[variant.id] for variant in variants)
    assert states.relation == leading_name(variants[0].id)
    assert {key for key, _ in states.rows()} == expected
    assert {list(placed)[key] for key, _ in products.rows()} == expected
    totals = states.totals()
    assert totals is not None
    assert (totals.keys, totals.sum) == (len(expected), float(len(expected)))


def test_an_order_without_a_time_counts_in_no_window(orders: Callable[..., None]) -> None:
    with connections["risingwave"].cursor() as cursor:
        cursor.execute("INSERT INTO orders (orderid, qty, price, placed_at) VALUES (1, 1, 1.0, NULL)")
    for window, ranking in STATES.variants.items():
        (source,) = find_sources("risingwave", [ranking]).values()
        assert len(source.rows()) == (window is Window.ALL)


def test_an_order_of_five_columns_counts_in_all_windows(orders: Callable[..., None]) -> None:
    orders((1, 2, 10.0, "Ohio"))
    variants = STATES.variants.values()
    assert len(variants) == len(Window)
    for source in find_sources("risingwave", variants).values():
        assert list(source.rows()) == [("Ohio", 20.0)]


def test_the_views_of_a_window_have_its_name() -> None:
    ranking = STATES.within(Window.HOUR)
    assert ranking.model._meta.db_table == "state_turnover__1h"
    assert leading_name(ranking.id) == "states_by_turnover__1h_leading"
    assert totals_name(ranking.id) == "states_by_turnover__1h_totals"
    assert ranking.model._meta.label == "demo_shop.StateTurnover1h"
