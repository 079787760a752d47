"""Orders of the past: when they were placed, and what was popular then."""

from __future__ import annotations

import math
from bisect import bisect
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from demo.shop.generator.orders import OrderLine

#: Steps of a day in which orders are equally frequent.
STEP = timedelta(minutes=10)
#: Orders at 3 o'clock at night (UTC), relative to those of an average hour; at 15 o'clock there are as many
#: more.
NIGHT = 0.2
#: How much the popularity of a key rises and falls.
TASTE = 0.5


def spread(lines: Iterable[OrderLine], count: int, days: int, now: datetime) -> Iterator[OrderLine]:
    """Give each of `count` lines the time at which it was placed: in order, over the days before `now`.

    All lines of an order have the same.
    """
    times = _times(count, days, now)
    orderid: int | None = None
    placed_at = now
    for line, time in zip(lines, times, strict=False):
        if line.orderid != orderid:
            orderid, placed_at = line.orderid, time
        yield line._replace(placed_at=placed_at, dt=placed_at.date())


def changing_taste(orders: int) -> Callable[[int, object], float]:
    """Return how popular a key is at an order of that number, relative to the average over all `orders`."""

    def taste(number: int, key: object) -> float:
        digest = crc32(repr(key).encode())
        waves, phase = 1 + digest % 3, digest % 1_000 / 1_000
        return 1 + TASTE * math.sin(2 * math.pi * (waves * number / orders + phase))

    return taste


def _times(count: int, days: int, now: datetime) -> Iterator[datetime]:
    """Yield the times of `count` order lines, more by day than by night."""
    begin = now.astimezone(UTC) - timedelta(days=days)
    steps = [begin + STEP * number for number in range(int(timedelta(days=days) / STEP))]
    until = [*accumulate(_frequency(step) for step in steps)]
    for number in range(count):
        passed = (number + 0.5) / count * until[-1]
        index = bisect(until, passed)
        before = until[index - 1] if index else 0
        yield steps[index] + STEP * ((passed - before) / (until[index] - before))


def _frequency(moment: datetime) -> float:
    hour = moment.hour + moment.minute / 60
    return 1 - (1 - NIGHT) * math.cos(2 * math.pi * (hour - 3) / 24)
