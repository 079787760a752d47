"""The time of an order, in tables of today and of earlier versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.management import call_command

from demo.shop.models import Order
from tests.django_risingwave.conftest import connection, scratch, standin  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

INSERT = "INSERT INTO orders (orderid, itemid, qty, price, dt, state) VALUES "


def migrate(name: str) -> None:
    call_command("migrate", "demo_shop", name, database="risingwave", verbosity=0)


def test_orders_of_earlier_versions_were_placed_at_the_beginning_of_their_day(
    standin: DatabaseWrapper,  # noqa: F811 - a fixture
) -> None:
    began_at = datetime.now(UTC)
    migrate("0014")
    with standin.cursor() as cursor:
        cursor.execute(INSERT + "(1, 1, 1, 1.0, '2026-01-31', 'Ohio'), (2, 1, 1, 1.0, NULL, 'Ohio')")
        tomorrow = began_at.date() + timedelta(days=1)
        cursor.execute(INSERT + "(3, 1, 1, 1.0, %s, 'Ohio')", [tomorrow])
    migrate("0015")
    with standin.cursor() as cursor:
        cursor.execute(INSERT + "(4, 1, 1, 1.0, '2026-01-31', 'Ohio')")
    placed: Any = dict(Order.objects.using("risingwave").values_list("orderid", "placed_at"))
    assert placed[1] == datetime(2026, 1, 31, tzinfo=UTC)
    assert all(began_at < placed[orderid] <= datetime.now(UTC) for orderid in (2, 3, 4))
