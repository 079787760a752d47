"""Generates plausible orders, reproducible by a seed, and the SQL that inserts them."""

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

#: Relative frequency of orders by their number of lines.
ORDER_LINES_WEIGHTS = {1: 4, 2: 3, 3: 2, 4: 1}
LINES_PER_ORDER = sum(size * weight for size, weight in ORDER_LINES_WEIGHTS.items()) / sum(
    ORDER_LINES_WEIGHTS.values()
)
#: Factors of the usual price: most order lines are at full price.
PRICE_FACTORS = (1, 1, 1, 1, 1, 0.95, 0.9, 0.8)

#: Orders between two changes of fashion: about 15 s at the demo's 20 order lines per second.
FASHION_ORDERS = 150
#: Popularity of what is in fashion, relative to its usual popularity.
FASHION_FACTOR = 5
#: Leaders of each ranking that come into fashion: three pairs, one key more than a ranking shows.
LEADERS = 6

#: The largest value of the columns `orderid` and `qty`, four-byte integers on both servers.
MAX_INT = 2**31 - 1
#: Prices must be smaller. This excludes infinity, and keeps sums of turnover within the 28 digits of
#: RisingWave's numeric: https://docs.risingwave.com/sql/data-types/overview
PRICE_LIMIT = 1e15

COLUMNS = "orderid, itemid, qty, price, dt, state"


class OrderLine(NamedTuple):
    """A row of `orders`: a quantity of one item. An order has one to four lines."""

    orderid: int
    itemid: int | None
    qty: int
    #: Unit price, in dollars.
    price: float
    dt: date
    #: The full name, such as "New York".
    state: str | None
    #: With a time zone. None: when the line is inserted.
    placed_at: datetime | None = None


def leaders(measure: Callable[[Product], float]) -> list[int]:
    """Return the itemids of the products that lead the ranking by `measure`."""
    return sorted(PRODUCTS, key=lambda itemid: measure(PRODUCTS[itemid]), reverse=True)[:LEADERS]


STATE_LEADERS = sorted(STATES, key=STATES.__getitem__, reverse=True)[:LEADERS]
AVERAGE_LEADERS = leaders(lambda product: product.largest_qty)
QUANTITY_LEADERS = leaders(lambda product: product.popularity * (product.largest_qty + 1))
TURNOVER_LEADERS = leaders(lambda product: product.popularity * (product.largest_qty + 1) * product.price)


def generate(
    seed: int | None = None,
    first_orderid: int = 1,
    dt: date | None = None,
    taste: Callable[[int, object], float] | None = None,
) -> Iterator[OrderLine]:
    """Generate order lines, order by order, numbered from `first_orderid`.

    The same arguments give the same lines; without a `seed`, each run differs. `dt` is the date of all lines,
    by default today (UTC). For 150 orders at a time, one state and up to three products are in fashion. Each
    is the one of its pair that has sold less, so the leaders of the rankings keep overtaking each other,
    however many orders there are. `taste` returns a factor of the popularity of a state, or of an item, at an
    order, which it gets as its number from 0.

    Ends after the largest possible orderid.
    """
    random = Random(seed)  # noqa: S311 - nothing here is secret
    prices = {
        item: [round(product.price * factor, 2) for factor in PRICE_FACTORS]
        for item, product in PRODUCTS.items()
    }
    usual_popularity = {item: product.popularity for item, product in PRODUCTS.items()}
    # What has been sold so far.
    lines: defaultdict[int, int] = defaultdict(int)
    quantity: defaultdict[int, int] = defaultdict(int)
    turnover: defaultdict[int, float] = defaultdict(float)
    state_turnover: defaultdict[str | None, float] = defaultdict(float)

    for first in range(first_orderid, MAX_INT + 1, FASHION_ORDERS):
        day = dt or datetime.now(UTC).date()
        count = min(FASHION_ORDERS, MAX_INT + 1 - first)
        state_in_fashion = one_behind(random, STATE_LEADERS, state_turnover.__getitem__)
        in_fashion = {
            one_behind(random, AVERAGE_LEADERS, lambda itemid: quantity[itemid] / max(lines[itemid], 1)),
            one_behind(random, QUANTITY_LEADERS, quantity.__getitem__),
            one_behind(random, TURNOVER_LEADERS, turnover.__getitem__),
        }
        states: Mapping[str | None, float] = STATES | {
            state_in_fashion: FASHION_FACTOR * STATES[state_in_fashion]
        }
        popularity: Mapping[int, float] = usual_popularity | {
            itemid: FASHION_FACTOR * PRODUCTS[itemid].popularity for itemid in in_fashion
        }
        if taste is not None:
            number = first - first_orderid
            states = {state: weight * taste(number, state) for state, weight in states.items()}
            popularity = {item: weight * taste(number, item) for item, weight in popularity.items()}
        sizes = pick(random, ORDER_LINES_WEIGHTS, count)
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


def one_behind(random: Random, leaders: Sequence[Key], measure: Callable[[Key], float]) -> Key:
    """Choose a pair of leaders at random, and return the one that has sold less so far."""
    first = random.randrange(0, LEADERS, 2)
    return min(leaders[first : first + 2], key=measure)


def pick(random: Random, weights: Mapping[Key, float], count: int) -> list[Key]:
    """Choose `count` keys at random, by their weights."""
    return random.choices([*weights], [*weights.values()], k=count)


def insert_statement(lines: Iterable[OrderLine]) -> str:
    """Return one INSERT of these lines, in SQL for RisingWave and PostgreSQL.

    It has literals instead of parameters: RisingWave has no COPY FROM, and a driver takes longer to fill in
    parameters than the server to insert the rows. Raises ValueError or TypeError for values that the columns
    of `orders` can't hold, and ValueError if there are no lines or only some of them have a `placed_at`.
    """
    lines = list(lines)
    if not lines:
        raise ValueError("no order lines to insert")
    are_placed = {line.placed_at is not None for line in lines}
    if len(are_placed) > 1:
        raise ValueError("either all order lines of a statement or none must have a placed_at")
    columns = f"{COLUMNS}, placed_at" if are_placed == {True} else COLUMNS
    return f"INSERT INTO orders ({columns}) VALUES {', '.join([row(*line) for line in lines])}"  # noqa: S608


def row(
    orderid: int,
    itemid: int | None,
    qty: int,
    price: float,
    dt: date,
    state: str | None,
    placed_at: datetime | None,
) -> str:
    """Return an order line as a row of VALUES."""
    if not abs(price) < PRICE_LIMIT:
        raise ValueError(
            f"order {orderid}: the price must be finite and below {PRICE_LIMIT:.0e}, not {price}"
        )
    item = "NULL" if itemid is None else f"{itemid:d}"
    placed = "" if placed_at is None else f", '{placed_at.astimezone(UTC).isoformat()}'"
    return f"({orderid:d}, {item}, {qty:d}, {float(price)!r}, '{dt.isoformat()}', {literal(state)}{placed})"


def literal(text: str | None) -> str:
    """Quote a string. Backslashes need no escape: standard_conforming_strings is on, on both servers."""
    if text is None:
        return "NULL"
    if "\0" in text:
        raise ValueError(f"a string must not contain the NUL character: {text!r}")
    return "'" + text.replace("'", "''") + "'"
