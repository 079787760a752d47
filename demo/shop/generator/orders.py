"""Believable orders without end, the same ones for the same seed, and the SQL that inserts them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from demo.shop.catalogue import PRODUCTS, STATES, Product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Key = TypeVar("Key")

#: How many orders have one line, two, three, four.
SIZES = {1: 4, 2: 3, 3: 2, 4: 1}
#: The usual price, and now and then a reduced one.
REDUCTIONS = (1, 1, 1, 1, 1, 0.95, 0.9, 0.8)

#: Orders until fashion turns to others: a quarter of a minute at the demo's 20 order lines a second.
FASHION_ORDERS = 150
#: So many times more popular than usual is what is in fashion.
FASHION = 5
#: Fashion turns among so many of each ranking, three pairs: one more than it has places.
LEADERS = 6

#: `orders.orderid` and `qty` are four-byte integers on either server.
LARGEST_INT = 2**31 - 1
#: Not NaN, not infinity, and within the 28 digits of RisingWave's numeric, in which turnover is summed.
#: https://docs.risingwave.com/sql/data-types/overview
TOO_DEAR = 1e15

INSERT = "INSERT INTO orders (orderid, itemid, qty, price, dt, state) VALUES "


class OrderLine(NamedTuple):
    """One row of `orders`: some of one item, in an order of one to four lines."""

    orderid: int
    itemid: int | None
    qty: int
    #: In dollars, for one.
    price: float
    dt: date
    #: In full, such as "New York".
    state: str | None


def leaders(measure: Callable[[Product], float]) -> list[int]:
    """Find the products that lead the ranking by `measure`, by their itemid."""
    return sorted(PRODUCTS, key=lambda itemid: measure(PRODUCTS[itemid]), reverse=True)[:LEADERS]


STATE_LEADERS = sorted(STATES, key=STATES.__getitem__, reverse=True)[:LEADERS]
AVERAGE_LEADERS = leaders(lambda product: product.largest_qty)
QUANTITY_LEADERS = leaders(lambda product: product.popularity * (product.largest_qty + 1))
TURNOVER_LEADERS = leaders(lambda product: product.popularity * (product.largest_qty + 1) * product.price)


def generate(seed: int | None = None, first_orderid: int = 1, dt: date | None = None) -> Iterator[OrderLine]:
    """Make order lines without end, order by order, numbered from `first_orderid`.

    The same arguments give the same lines; without a `seed` they differ from run to run. `dt` is the date
    of all of them, by default today's (UTC). For 150 orders a state and three products are in fashion,
    each of them one that fell behind its rival, so that the leaders of the rankings keep overtaking each
    other, however many orders there are.

    Raises ValueError where the numbers of `orders.orderid` end.
    """
    random = Random(seed)  # noqa: S311 - nothing secret: the orders are made up
    prices = {item: [round(product.price * by, 2) for by in REDUCTIONS] for item, product in PRODUCTS.items()}
    usual_popularity = {item: product.popularity for item, product in PRODUCTS.items()}
    # What each has sold so far.
    lines: defaultdict[int, int] = defaultdict(int)
    quantity: defaultdict[int, int] = defaultdict(int)
    turnover: defaultdict[int, float] = defaultdict(float)
    state_turnover: defaultdict[str | None, float] = defaultdict(float)

    for first in range(first_orderid, LARGEST_INT + 1, FASHION_ORDERS):
        day = dt or datetime.now(UTC).date()
        count = min(FASHION_ORDERS, LARGEST_INT + 1 - first)
        state_in_fashion = one_behind(random, STATE_LEADERS, state_turnover.__getitem__)
        in_fashion = {
            one_behind(random, AVERAGE_LEADERS, lambda itemid: quantity[itemid] / max(lines[itemid], 1)),
            one_behind(random, QUANTITY_LEADERS, quantity.__getitem__),
            one_behind(random, TURNOVER_LEADERS, turnover.__getitem__),
        }
        states = STATES | {state_in_fashion: FASHION * STATES[state_in_fashion]}
        popularity = usual_popularity | {
            itemid: FASHION * PRODUCTS[itemid].popularity for itemid in in_fashion
        }
        sizes = pick(random, SIZES, count)
        itemids = iter(pick(random, popularity, sum(sizes)))
        for orderid, (size, state) in enumerate(zip(sizes, pick(random, states, count), strict=True), first):
            for itemid in islice(itemids, size):
                largest = PRODUCTS[itemid].largest_qty
                qty = int(random.random() * largest) + 1
                if itemid in in_fashion:
                    qty = (qty + largest + 1) // 2
                price = random.choice(prices[itemid])
                lines[itemid] += 1
                quantity[itemid] += qty
                turnover[itemid] += qty * price
                state_turnover[state] += qty * price
                yield OrderLine(orderid, itemid, qty, price, day, state)
    raise ValueError(f"no orderid comes after {LARGEST_INT:,}, the largest that an integer column takes")


def one_behind(random: Random, leaders: Sequence[Key], measure: Callable[[Key], float]) -> Key:
    """Draw a pair of leaders that compete, and take the one that sold less so far."""
    first = random.randrange(0, LEADERS, 2)
    return min(leaders[first : first + 2], key=measure)


def pick(random: Random, weights: Mapping[Key, int], count: int) -> list[Key]:
    """Draw `count` of the keys, each as often as its weight says."""
    return random.choices([*weights], [*weights.values()], k=count)


def insert_statement(lines: Iterable[OrderLine]) -> str:
    """Write one INSERT of these lines, in SQL that RisingWave and PostgreSQL take.

    Literals, not parameters: RisingWave has no COPY FROM, and a driver that fills in parameters one by one
    takes longer than the server. Raises ValueError or TypeError for what the columns of `orders` can't hold,
    and for no lines at all.
    """
    rows = ", ".join([row(*line) for line in lines])
    if not rows:
        raise ValueError("no order lines to insert")
    return INSERT + rows


def row(orderid: int, itemid: int | None, qty: int, price: float, dt: date, state: str | None) -> str:
    """Write one order line as a row of VALUES."""
    if not abs(price) < TOO_DEAR:
        raise ValueError(f"order {orderid}: a price is finite and below {TOO_DEAR:.0e}, but this is {price}")
    item = "NULL" if itemid is None else f"{itemid:d}"
    return f"({orderid:d}, {item}, {qty:d}, {float(price)!r}, '{dt.isoformat()}', {literal(state)})"


def literal(text: str | None) -> str:
    """Quote a string. Backslashes are plain on both servers: standard_conforming_strings is always on."""
    if text is None:
        return "NULL"
    if "\0" in text:
        raise ValueError(f"a string must not contain the character NUL: {text!r}")
    return "'" + text.replace("'", "''") + "'"
