"""Model.changes() on both servers: `pytest -m risingwave` with the URL of a RisingWave in RISINGWAVE_URL."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from demo.shop.models import Order, StateTurnover
from django_risingwave.streaming.definitions import SubscriptionDefinition

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


@pytest.fixture
def shop(connection: DatabaseWrapper) -> DatabaseWrapper:
    """The shop's tables and views, and a subscription to a view whose rows can all change."""
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    definition = SubscriptionDefinition("state_turnover_changes", "state_turnover", "1 day")
    with connection.schema_editor() as editor:
        editor.create_streaming_object(definition)
    return connection


def order(connection: DatabaseWrapper, qty: int) -> None:
    """Change the turnover of a state, in an epoch of its own."""
    Order.objects.create(orderid=1, itemid=1, qty=qty, price=1.5, state="CA")
    connection.flush()


def test_changes_come_with_the_rows_before_and_after(shop: DatabaseWrapper) -> None:
    with StateTurnover.changes() as changes:
        order(shop, 2)
        made = next(changes)
        assert (made.op, made.before, made.instance.turnover) == ("insert", None, Decimal(3))
        order(shop, 4)
        updated = next(changes)
        assert updated.op == "update"
        assert updated.before is not None
        assert (updated.before.turnover, updated.instance.turnover) == (Decimal(3), Decimal(9))
        Order.objects.all().delete()
        shop.flush()
        gone = next(changes)
        assert (gone.op, gone.instance.state, gone.instance.turnover) == ("delete", "CA", Decimal(9))
        assert made.timestamp < updated.timestamp < gone.timestamp  # type: ignore[operator]


def test_a_snapshot_is_followed_by_the_changes_and_a_lost_session_by_another(shop: DatabaseWrapper) -> None:
    order(shop, 2)
    with StateTurnover.changes("full") as changes:
        assert next(changes).timestamp is None
        order(shop, 2)
        assert next(changes).op == "update"
        changes._reader._follower._cursor._connection.connection.close()  # type: ignore[union-attr]
        order(shop, 2)
        change = next(changes)
        assert (change.op, change.instance.turnover) == ("update", Decimal(9))


def test_the_changes_since_a_timestamp_are_all_told_again(shop: DatabaseWrapper) -> None:
    with StateTurnover.changes() as changes:
        order(shop, 2)
        first = next(changes)
        order(shop, 2)
        second = next(changes)
    assert first.timestamp is not None
    with StateTurnover.changes(first.timestamp) as again:
        assert [next(again).timestamp for _ in range(2)] == [first.timestamp, second.timestamp]
