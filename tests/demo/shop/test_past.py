from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from django.core.management import CommandError, call_command
from django.db import router

from demo.shop.generator.orders import OrderLine, generate, insert_statement
from demo.shop.generator.orders_table import OrdersTable
from demo.shop.generator.past import changing_taste, spread
from demo.shop.models import Order
from demo.shop.past_records import fill_history
from live.feeding.sources import find_sources
from live.history import records
from live.models import Record
from live.rankings import variants
from live.windows import Window
from tests.conftest import BOTH

NOW = datetime(2026, 11, 27, 12, 7, 31, tzinfo=UTC)
COUNT = 4_000


def past_lines() -> list[OrderLine]:
    lines = generate(seed=1, taste=changing_taste(COUNT // 2))
    return list(spread(lines, COUNT, 10, NOW))


def test_orders_are_spread_over_the_days_in_their_order_and_more_by_day_than_by_night():
    lines = past_lines()
    times = [line.placed_at for line in lines if line.placed_at is not None]
    assert len(lines) == COUNT
    assert times == sorted(times)
    assert NOW - timedelta(days=10) < times[0] < NOW - timedelta(days=9, hours=23)
    assert NOW - timedelta(minutes=10) < times[-1] < NOW
    hours = Counter(time.hour for time in times)
    assert hours[15] > 3 * hours[3]
    assert [line.dt for line in lines] == [time.date() for time in times]


def test_the_lines_of_an_order_are_placed_at_the_same_time():
    moments: dict[int, set[datetime]] = {}
    for line in past_lines():
        assert line.placed_at is not None
        moments.setdefault(line.orderid, set()).add(line.placed_at)
    assert all(len(times) == 1 for times in moments.values())
    assert len(moments) > COUNT / 3


def test_tastes_change_and_nobody_is_favoured_in_the_end():
    taste = changing_taste(1_000)
    for key in ("California", None, 7):
        factors = [taste(number, key) for number in range(1_000)]
        assert min(factors) < 0.6
        assert max(factors) > 1.4
        assert sum(factors) == pytest.approx(1_000)


def test_without_a_taste_a_seed_gives_the_orders_that_it_has_always_given():
    lines = list(islice(generate(seed=1), 500))
    assert lines == list(islice(generate(seed=1, taste=None), 500))


@BOTH
def test_orders_of_the_past_need_to_have_a_number():
    with pytest.raises(CommandError, match="--days needs --count"):
        call_command("generate_orders", days=10)


def leaves_soon(line: OrderLine, minute: datetime) -> bool:
    """Whether an order leaves a window while the test compares that minute with what the database has now."""
    assert line.placed_at is not None
    age = minute - line.placed_at
    return any(window.span - timedelta(minutes=5) < age <= window.span for window in Window if window.span)


@BOTH
def test_the_history_of_the_first_orders_ends_with_what_the_database_has(settings):
    # By quarter-hour, but for the last one.
    settings.LIVE_HISTORY_DAYS = 0
    now = datetime.now(UTC)
    minute = records.floor(now)
    Order.objects.all().delete()
    lines = spread(generate(seed=1, taste=changing_taste(COUNT // 2)), COUNT, 10, now)
    OrdersTable(print).insert(insert_statement([line for line in lines if not leaves_soon(line, minute)]))
    # Orders of after that minute don't count yet.
    late = Order.objects.filter(placed_at__gt=minute)

    count = fill_history(now)

    rankings = variants()
    assert count == Record.objects.count()
    assert count >= len(rankings) * (10 * 96 - 1)
    late.delete()
    sources = find_sources(router.db_for_read(rankings[0].model), rankings)
    for ranking in rankings:
        record = Record.objects.get(ranking=ranking.id, at=minute)
        rows = sources[ranking.id].rows()
        assert [key for key, _ in record.pairs] == [key for key, _ in rows], ranking.id
        assert [value for _, value in record.pairs] == pytest.approx([value for _, value in rows])
        totals = sources[ranking.id].totals()
        assert totals is not None
        assert record.keys == totals.keys
        assert record.total == pytest.approx(totals.sum)
    assert fill_history(now) == count
    assert Record.objects.count() == count
    assert records.thin(minute) == 0
