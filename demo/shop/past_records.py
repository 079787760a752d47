"""The history of the first orders: what each ranking was at each minute since the first was placed."""

from __future__ import annotations

from collections import Counter
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils import timezone

from demo.shop.models import Order
from live.history import records
from live.json_field import compact
from live.leading import LEADING_ROWS
from live.rankings import variants
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from live.rankings import Ranking

#: Records of one INSERT: about a megabyte.
RECORDS_PER_INSERT = 1_000


class Line(NamedTuple):
    """What counts of an order line."""

    placed_at: datetime
    item: int | None
    state: str | None
    quantity: int
    #: Sums of whole cents are exact.
    cents: int


#: Of each ranking: the key, what is summed, and what the sum is divided by: None for the number of lines.
SUMS: dict[str, tuple[str, str, int | None]] = {
    "states-by-turnover": ("state", "cents", 100),
    "products-by-quantity": ("item", "quantity", 1),
    "products-by-turnover": ("item", "cents", 100),
    "products-by-average-quantity": ("item", "quantity", None),
}


class Sums:
    """A ranking in one of its windows, while time passes over the lines, the oldest first."""

    def __init__(self, ranking: Ranking, lines: Sequence[Line]) -> None:
        self.ranking, self._lines = ranking, lines
        key, summed, self._divisor = SUMS[ranking.slug]
        self._key, self._summed = Line._fields.index(key), Line._fields.index(summed)
        self._sums: Counter[Any] = Counter()
        self._counts: Counter[Any] = Counter()
        #: The keys in their order.
        self._keys: list[Any] = []
        #: The numbers of the first line that counts, and of the first that doesn't count yet.
        self._first = self._end = 0

    def pass_to(self, moment: datetime) -> None:
        """Count the lines of the window that ends at a moment."""
        lines, since = self._lines, self._since(moment)
        while self._end < len(lines) and lines[self._end].placed_at <= moment:
            self._count(lines[self._end], 1)
            self._end += 1
        while since and self._first < self._end and lines[self._first].placed_at < since:
            self._count(lines[self._first], -1)
            self._first += 1

    def _since(self, moment: datetime) -> datetime | None:
        if self.ranking.window is Window.TODAY:
            return moment.astimezone(timezone.get_default_timezone()).replace(hour=0, minute=0)
        return moment - self.ranking.window.span if self.ranking.window.span else None

    def _count(self, line: Line, sign: int) -> None:
        key = line[self._key]
        self._sums[key] += sign * line[self._summed]  # type: ignore[operator]  # a number, by SUMS
        self._counts[key] += sign
        if not self._counts[key]:
            del self._sums[key], self._counts[key]

    def record(self) -> tuple[str, int, float | None]:
        """Return the leading rows as JSON, the number of keys, and the total."""
        if len(self._keys) != len(self._sums) or not self._sums.keys() >= set(self._keys):
            self._keys = sorted(self._sums, key=lambda key: (key is None, key))
        sums, divisor = self._sums, self._divisor
        if divisor:
            values = [(key, sums[key] / divisor) for key in self._keys]
        else:
            values = [(key, sums[key] / self._counts[key]) for key in self._keys]
        # The order of the database: by value, and then by key, which is their order already.
        rows = sorted(values, key=itemgetter(1), reverse=True)[:LEADING_ROWS]
        total = sum(self._sums.values()) / self._divisor if self._divisor else None
        return compact([*chain.from_iterable(rows)]), len(values), total


def fill_history(now: datetime) -> int:
    """Write the records of all rankings up to a moment, and return their number. Raises django.db.Error.

    Those that exist stay as they are.
    """
    orders = Order.objects.filter(placed_at__lte=now).order_by("placed_at")
    lines = [
        Line(at, item, state, qty or 0, round((qty or 0) * (price or 0) * 100))
        for at, item, state, qty, price in orders.values_list("placed_at", "itemid", "state", "qty", "price")
        if at is not None
    ]
    if not lines:
        return 0
    written = _records([Sums(ranking, lines) for ranking in variants() if ranking.slug in SUMS], lines, now)
    count = 0
    while batch := list(islice(written, RECORDS_PER_INSERT)):
        records.insert(batch)
        count += len(batch)
    return count


def _records(
    rankings: Sequence[Sums], lines: Sequence[Line], now: datetime
) -> Iterator[tuple[str, datetime, str, int, float | None]]:
    for moment in _moments(lines[0].placed_at, now):
        for sums in rankings:
            sums.pass_to(moment)
            yield sums.ranking.id, moment, *sums.record()


def _moments(begin: datetime, now: datetime) -> Iterator[datetime]:
    """Yield the moments of which records are kept, from the first after `begin`."""
    moment = records.floor(begin, records.QUARTER_HOUR) + records.QUARTER_HOUR
    while moment <= now:
        yield moment
        moment += records.QUARTER_HOUR if moment < records.whole_since(now) else records.MINUTE
