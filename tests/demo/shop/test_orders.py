from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from itertools import groupby, islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.db.models.functions import Now

from demo.shop.catalogue import PRODUCTS, STATES, product_name
from demo.shop.generator.orders import MAX_INT, OrderLine, generate, insert_statement
from demo.shop.models import Order
from tests.conftest import BOTH

DAY = date(2026, 1, 31)


def lines(count: int, seed: int | None = 1, first_orderid: int = 1, dt: date | None = DAY) -> list[OrderLine]:
    return list(islice(generate(seed, first_orderid, dt), count))


def test_the_same_seed_generates_the_same_orders():
    assert insert_statement(lines(2_000)) == insert_statement(lines(2_000))


def test_another_seed_generates_other_orders():
    assert lines(100, seed=1) != lines(100, seed=2)


def test_without_a_seed_each_run_generates_other_orders():
    assert lines(100, seed=None) != lines(100, seed=None)


def test_without_a_date_the_orders_have_the_date_of_today():
    before = datetime.now(UTC).date()
    (line,) = lines(1, dt=None)
    assert before <= line.dt <= datetime.now(UTC).date()


def test_orders_have_consecutive_numbers_and_one_to_four_lines_from_one_state():
    complete = [
        list(order) for _, order in groupby(lines(5_000, first_orderid=7), lambda line: line.orderid)
    ][:-1]
    numbers = [order[0].orderid for order in complete]
    assert numbers == list(range(7, 7 + len(complete)))
    assert {len(order) for order in complete} == {1, 2, 3, 4}
    assert all(len({line.state for line in order}) == 1 for order in complete)


def test_prices_and_quantities_are_those_of_the_catalogue():
    for line in lines(20_000):
        assert line.itemid is not None
        product = PRODUCTS[line.itemid]
        assert 1 <= line.qty <= product.largest_qty
        assert product.price * 0.79 <= line.price <= product.price
        assert line.state in STATES


def test_all_products_and_states_and_a_few_orders_without_a_state_are_generated():
    many = lines(20_000)
    assert {line.itemid for line in many} == set(PRODUCTS)
    states = Counter(line.state for line in many)
    assert set(states) == set(STATES)
    assert 0 < states[None] < len(many) / 50


def ranked(measure: dict) -> tuple:
    return tuple(sorted(measure, key=lambda key: (-measure[key], str(key)))[:5])


def test_the_leaders_of_each_ranking_overtake_each_other_every_few_seconds_of_the_demo():
    turnover_of_states: defaultdict[str | None, float] = defaultdict(float)
    turnover: defaultdict[int | None, float] = defaultdict(float)
    quantity: defaultdict[int | None, int] = defaultdict(int)
    sold: defaultdict[int | None, int] = defaultdict(int)
    orders = generate(1, dt=DAY)

    def sell(count: int) -> list[tuple]:
        for line in islice(orders, count):
            turnover_of_states[line.state] += line.qty * line.price
            turnover[line.itemid] += line.qty * line.price
            quantity[line.itemid] += line.qty
            sold[line.itemid] += 1
        average = {item: quantity[item] / sold[item] for item in sold}
        return [ranked(turnover_of_states), ranked(average), ranked(quantity), ranked(turnover)]

    sell(100_000)
    # Ten seconds at a time, at 20 lines a second, for ten minutes.
    states = pairwise([sell(200) for _ in range(61)])
    changes = [[one != other for one, other in zip(before, after, strict=True)] for before, after in states]
    for ranking in zip(*changes, strict=True):
        assert ranking.count(True) >= 20


def test_there_are_no_orders_after_the_largest_orderid():
    assert {line.orderid for line in generate(1, first_orderid=MAX_INT, dt=DAY)} == {MAX_INT}


def test_the_statement_is_one_insert_that_names_its_columns():
    line = OrderLine(7, 3, 2, 9.5, DAY, "New York")
    assert insert_statement([line, line._replace(state=None, itemid=None)]) == (
        "INSERT INTO orders (orderid, itemid, qty, price, dt, state) "
        "VALUES (7, 3, 2, 9.5, '2026-01-31', 'New York'), (7, NULL, 2, 9.5, '2026-01-31', NULL)"
    )


@BOTH
@pytest.mark.parametrize(
    "line",
    [
        OrderLine(1, 1, 1, 0.1, DAY, "O'Higgins"),
        OrderLine(1, None, -3, -0.25, DAY, None),
        OrderLine(MAX_INT, MAX_INT, MAX_INT, 1e-7, date.min, "\\'; DROP TABLE orders; --"),
        OrderLine(1, 1, 1, 999_999_999_999.99, date.max, "100 %s\n%(state)s ☕"),
        OrderLine(1, 1, 1, 0.1 + 0.2, DAY, ""),
    ],
)
def test_the_server_stores_each_line_as_it_is(orders, line):
    with connections["risingwave"].cursor() as cursor:
        cursor.execute(insert_statement([line]))
    *columns, placed_at = OrderLine._fields
    assert Order.objects.values_list(*columns).get() == line[:-1]
    assert Order.objects.filter(**{placed_at + "__lte": Now()}).exists()


@BOTH
def test_the_server_accepts_thousands_of_generated_lines_at_once(orders):
    with connections["risingwave"].cursor() as cursor:
        cursor.execute(insert_statement(lines(10_000)))
    stored = Order.objects.order_by("row_id").values_list(*OrderLine._fields[:-1])
    assert [OrderLine(*values) for values in stored] == lines(10_000)


@BOTH
def test_orders_can_be_inserted_as_of_another_time(orders):
    placed_at = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC).astimezone(ZoneInfo("Asia/Kolkata"))
    line = OrderLine(1, 1, 1, 0.1, DAY, "Ohio", placed_at)
    with connections["risingwave"].cursor() as cursor:
        cursor.execute(insert_statement([line]))
    assert Order.objects.values_list(*OrderLine._fields).get() == line


def test_lines_with_and_without_a_time_are_not_inserted_together():
    line = OrderLine(1, 1, 1, 0.1, DAY, "Ohio")
    with pytest.raises(ValueError, match="all order lines of a statement or none"):
        insert_statement([line, line._replace(placed_at=datetime.now(UTC))])


@pytest.mark.parametrize("price", [float("nan"), float("inf"), float("-inf"), 1e15])
def test_a_price_that_would_spoil_every_sum_is_refused(price):
    with pytest.raises(ValueError, match=r"order 7: the price must be finite and below 1e\+15"):
        insert_statement([OrderLine(7, 1, 1, price, DAY, "Ohio")])


def test_a_string_with_a_nul_character_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        insert_statement([OrderLine(1, 1, 1, 1.0, DAY, "Oh\0io")])


def test_an_insert_without_lines_is_refused():
    with pytest.raises(ValueError, match="no order lines"):
        insert_statement([])


def test_an_item_outside_the_catalogue_has_a_name_too():
    assert product_name(8) == "Espresso Machine"
    assert product_name(999) == "Item 999"
    assert product_name(None) == "(no item)"


def test_the_catalogue_has_some_forty_products_and_all_fifty_states():
    assert len(PRODUCTS) == len({product.name for product in PRODUCTS.values()}) == 42
    assert len(STATES) == 51
