"""A ranking may be of a view of any SELECT: the feed reads it when its rows change, on a real stand-in."""

from __future__ import annotations

from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest
from django.db import models
from django.test.utils import isolate_apps

from django_risingwave.connections import get_connection
from django_risingwave.models import MaterializedView
from django_risingwave.streaming.declaring.declarations import declared
from live.rankings import Ranking
from tests.conftest import BOTH
from tests.live.hubs import feed_of
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper
    from live.snapshots import Snapshot

pytestmark = BOTH

with isolate_apps("demo.shop"):

    class Reach(MaterializedView):
        """In how many states an item has been sold, and how often by itself: neither is a sum by key."""

        itemid = models.IntegerField(primary_key=True)
        states = models.BigIntegerField()

        class Meta(MaterializedView.Meta):
            app_label = "demo_shop"
            db_table = "item_reach"

        class Stream:
            query = "SELECT itemid, count(DISTINCT state) AS states FROM orders GROUP BY itemid"

    class Share(MaterializedView):
        """The turnover of the states in which an item has been sold: a view over views."""

        itemid = models.IntegerField(primary_key=True)
        turnover = models.DecimalField(max_digits=28, decimal_places=10)

        class Meta(MaterializedView.Meta):
            app_label = "demo_shop"
            db_table = "item_share"

        class Stream:
            query = """
                SELECT sold.itemid, sum(state_turnover.turnover) AS turnover
                FROM (SELECT DISTINCT itemid, state FROM orders) AS sold JOIN state_turnover USING (state)
                GROUP BY sold.itemid
            """

    class Latest(MaterializedView):
        """The quantity of each item in orders of the last two seconds: `price` has their time."""

        itemid = models.IntegerField(primary_key=True)
        quantity = models.BigIntegerField()

        class Meta(MaterializedView.Meta):
            app_label = "demo_shop"
            db_table = "item_latest"

        class Stream:
            query = """
                SELECT itemid, sum(qty) AS quantity FROM orders
                WHERE to_timestamp(price) > now() - INTERVAL '2 seconds' GROUP BY itemid
            """


@contextmanager
def watched(model: type[MaterializedView], measure: str) -> Iterator[Callable[[], Any]]:
    """Create the view, and yield a function that returns the ranking's next rows."""
    definition: Any = declared(model).definition
    ranking = Ranking("any-view", "items", model, "itemid", measure)
    snapshots: SimpleQueue[Snapshot] = SimpleQueue()

    def on_read(changed: list[Snapshot], read_at: Any) -> None:
        for snapshot in changed:
            snapshots.put(snapshot)

    def next_rows() -> Any:
        return [(row.key, row.value) for row in snapshots.get(timeout=DEADLINE_SECONDS).rows()]

    with get_connection("risingwave").schema_editor() as editor:
        editor.create_streaming_object(definition)
    thread = feed_of([ranking], on_read)
    thread.start()
    try:
        yield next_rows
    finally:
        thread.stop()
        thread.join()
        with get_connection("risingwave").schema_editor() as editor:
            editor.delete_streaming_object(definition)


@pytest.fixture
def standin(orders: Any) -> DatabaseWrapper:
    connection = get_connection("risingwave")
    if connection.is_risingwave:
        pytest.skip("tests the stand-in, and RISINGWAVE_URL is a RisingWave server's")
    return connection


def test_a_ranking_of_distinct_values_is_read_when_they_change(standin, orders):
    with watched(Reach, "states") as next_rows:
        assert next_rows() == []
        orders((1, 1, 1.0, "Ohio"), (1, 1, 1.0, "Ohio"), (1, 1, 1.0, "Utah"), (2, 9, 9.0, "Ohio"))
        assert next_rows() == [(1, 2), (2, 1)]
        orders((2, 1, 1.0, "Utah"), (2, 1, 1.0, "Iowa"))
        assert next_rows() == [(2, 3), (1, 2)]


def test_a_ranking_of_a_view_over_views_is_read_when_any_of_them_changes(standin, orders):
    with watched(Share, "turnover") as next_rows:
        assert next_rows() == []
        orders((1, 1, 5.0, "Ohio"))
        assert next_rows() == [(1, 5.0)]
        orders((2, 2, 5.0, "Ohio"))
        assert next_rows() == [(1, 15.0), (2, 15.0)]


def test_rows_that_are_too_old_leave_a_ranking_without_any_write(standin, orders):
    with standin.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM now())")
        ((now,),) = cursor.fetchall()
    orders((1, 7, float(now), "Ohio"), (2, 5, float(now) - 3600, "Ohio"))
    with watched(Latest, "quantity") as next_rows:
        rows = [next_rows()]
        while rows[-1]:
            rows.append(next_rows())
        # A slow machine may read the ranking for the first time when its row has left.
        assert rows in ([[(1, 7)], []], [[]])
