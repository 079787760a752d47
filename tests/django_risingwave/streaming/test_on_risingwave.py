"""Subscriptions on a real RisingWave: `pytest -m risingwave` with its URL in RISINGWAVE_URL."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, Error
from django.utils import timezone

from demo.shop.models import Order
from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.definitions import SubscriptionDefinition
from django_risingwave.streaming.polling import FETCH_ROWS, PolledSubscriptions
from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.streaming.subscriptions import SubscriptionCursor
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave

#: The leading rows of the shop's rankings.
VIEWS = {
    "states_by_turnover_leading",
    "products_by_average_quantity_leading",
    "products_by_quantity_leading",
    "products_by_turnover_leading",
}
#: Those in windows of time.
WINDOWED = {
    f"{ranking}_by_turnover__{window}_leading"
    for ranking in ("states", "products")
    for window in ("15m", "1h", "today", "7d")
}
LEADING_ITEMS = SubscriptionDefinition(
    "products_by_quantity_leading_changes", "products_by_quantity_leading", "1 day"
)
STATES = SubscriptionDefinition("state_turnover_changes", "state_turnover", "1 day")


@pytest.fixture
def shop(risingwave: DatabaseWrapper) -> DatabaseWrapper:
    """The shop's tables and views, and a subscription to a view whose rows can all change."""
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    with risingwave.schema_editor() as editor:
        editor.create_streaming_object(STATES)
    return risingwave


def order(qty: int) -> None:
    Order.objects.create(orderid=1, itemid=1, qty=qty, price=1.5, state="CA")


def received(listener: ChangeListener, timeout: float = DEADLINE_SECONDS) -> set[str]:
    """Return the views that have changed, once all have or none has within the timeout."""
    names: set[str] = set()
    with closing(SelectableEvent()) as never:
        while names != VIEWS and (more := listener.wait(timeout, never)):
            names |= more
    return names


def test_the_subscription_of_each_view_is_found(shop: DatabaseWrapper) -> None:
    with shop.cursor() as cursor:
        found = shop.introspection.get_subscriptions(cursor)
    assert found == {view: f"{view}_changes" for view in {*VIEWS, *WINDOWED, STATES.source}}


def test_changes_have_their_rows(shop: DatabaseWrapper) -> None:
    with SubscriptionCursor("state_turnover_changes", using="risingwave") as cursor:
        cursor.flush()
        order(qty=2)
        (made,) = cursor.fetch(timeout=DEADLINE_SECONDS)
        assert (made.op, made.row) == ("Insert", {"state": "CA", "turnover": Decimal(3)})
        order(qty=4)
        old, new = cursor.fetch(timeout=DEADLINE_SECONDS)
        assert (old.op, old.row["turnover"]) == ("UpdateDelete", Decimal(3))
        assert (new.op, new.row["turnover"]) == ("UpdateInsert", Decimal(9))
        assert old.rw_timestamp == new.rw_timestamp
        Order.objects.all().delete()
        (gone,) = cursor.fetch(timeout=DEADLINE_SECONDS)
        assert (gone.op, gone.row["turnover"]) == ("Delete", Decimal(9))
        assert cursor.fetch(timeout=1.5) == cursor.fetch() == []
        assert gone.rw_timestamp
        cursor.declare(since=gone.rw_timestamp)
        assert cursor.fetch(timeout=DEADLINE_SECONDS) == [gone]
        cursor.declare(since=gone.rw_timestamp + 1)
        assert cursor.fetch(timeout=1) == []


def test_a_full_cursor_begins_with_the_existing_rows(shop: DatabaseWrapper) -> None:
    order(qty=2)
    shop.flush()
    with SubscriptionCursor("state_turnover_changes", using="risingwave", since="full") as cursor:
        (row,) = cursor.fetch()
        assert (row.op, row.rw_timestamp, row.row["state"]) == ("Insert", None, "CA")
        assert cursor.fetch() == []
        order(qty=2)
        assert [change.op for change in cursor.fetch(timeout=DEADLINE_SECONDS)] == [
            "UpdateDelete",
            "UpdateInsert",
        ]


def test_a_cursor_expires_when_nothing_changes_for_its_retention(shop: DatabaseWrapper) -> None:
    with shop.schema_editor() as editor:
        editor.create_streaming_object(SubscriptionDefinition("short", "state_turnover", "3 s"))

    def fetch_until_it_fails() -> None:
        for _ in range(DEADLINE_SECONDS):
            assert cursor.fetch(timeout=1) == []

    with SubscriptionCursor("short", using="risingwave") as cursor:
        with pytest.raises(DatabaseError, match="exceeded its maximum lifetime"):
            fetch_until_it_fails()
        cursor.declare("now")
        assert cursor.fetch() == []


def test_a_listener_receives_changes_and_nothing_while_nothing_changes(
    shop: DatabaseWrapper,
) -> None:
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start() is True
        assert received(listener, timeout=3) == set()
        order(qty=1)
        assert received(listener) == VIEWS
        assert received(listener, timeout=3) == set()


def test_a_change_right_after_the_start_is_not_missed(shop: DatabaseWrapper) -> None:
    """A cursor leaves out the current epoch, so start() must end it with FLUSH."""
    for number in range(10):
        with closing(ChangeListener("risingwave", VIEWS)) as listener:
            assert listener.start()
            # Another quantity each time, so that the average changes too.
            order(qty=number + 1)
            assert received(listener) == VIEWS


def test_an_epoch_with_more_changes_than_a_fetch_returns_is_skipped_and_the_next_one_is_not(
    shop: DatabaseWrapper,
) -> None:
    statements: list[str] = []

    def record(execute: Any, sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    with (
        closing(SelectableEvent()) as never,
        closing(ChangeListener("risingwave", [STATES.source])) as listener,
    ):
        assert listener.start()
        assert isinstance(listener._source, PolledSubscriptions)
        with listener._source._session.execute_wrapper(record):
            Order.objects.bulk_create(
                Order(orderid=1, itemid=1, qty=1, price=1.5, state=f"state {number}")
                for number in range(FETCH_ROWS + 50)
            )
            assert listener.wait(DEADLINE_SECONDS, never) == {STATES.source}
            while listener.wait(3, never):
                pass
            assert 'CLOSE "changes_1"' in statements
            order(qty=1)
            assert listener.wait(DEADLINE_SECONDS, never) == {STATES.source}


def test_a_view_whose_subscription_is_missing_is_not_heard_and_the_others_are(shop: DatabaseWrapper) -> None:
    with shop.schema_editor() as editor:
        editor.delete_streaming_object(LEADING_ITEMS)
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start() is False
        assert listener.heard == VIEWS - {LEADING_ITEMS.source}


def test_a_dropped_subscription_is_an_error_of_wait(shop: DatabaseWrapper) -> None:
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start()
        assert received(listener, timeout=1) == set()
        with shop.schema_editor() as editor:
            editor.delete_streaming_object(LEADING_ITEMS)
        with pytest.raises(Error, match=f"subscription not found: {LEADING_ITEMS.name}"):
            received(listener)


def test_a_listener_whose_session_ends_reports_all_views_and_goes_on(shop: DatabaseWrapper) -> None:
    with closing(ChangeListener("risingwave", VIEWS)) as listener:
        assert listener.start()
        assert received(listener, timeout=1) == set()
        assert isinstance(listener._source, PolledSubscriptions)
        listener._source._session.connection.close()
        assert received(listener) == VIEWS
        order(qty=2)
        assert received(listener) == VIEWS


def test_an_order_is_told_in_all_its_windows_and_leaves_them(shop: DatabaseWrapper) -> None:
    late = "states_by_turnover__15m_leading"
    with (
        closing(ChangeListener("risingwave", WINDOWED)) as listener,
        closing(SelectableEvent()) as never,
        SubscriptionCursor(f"{late}_changes", using="risingwave") as cursor,
    ):
        assert listener.start()
        placed_at = timezone.now() - timedelta(minutes=15) + timedelta(seconds=10)
        Order.objects.create(orderid=1, itemid=1, qty=2, price=1.5, state="CA", placed_at=placed_at)
        told = set[str]()
        # Before the first hours of a day the order may be one of yesterday.
        while not told >= {view for view in WINDOWED if "today" not in view}:
            changed = listener.wait(DEADLINE_SECONDS, never)
            assert changed, f"only {told} changed"
            told |= changed
        (came,) = cursor.fetch(timeout=DEADLINE_SECONDS)
        (left,) = cursor.fetch(timeout=DEADLINE_SECONDS)
    assert [(change.op, change.row) for change in (came, left)] == [
        ("Insert", {"state": "CA", "turnover": Decimal(3)}),
        ("Delete", {"state": "CA", "turnover": Decimal(3)}),
    ]
