"""`dumpdata` and `loaddata` carry the tables of an app over, and leave its views to the server."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from demo.shop.models import Order, StateTurnover
from django_risingwave.models import ReadOnlyError

if TYPE_CHECKING:
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


@pytest.fixture
def shop(connection: DatabaseWrapper) -> DatabaseWrapper:
    """The shop with two orders."""
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    Order.objects.bulk_create(
        [Order(orderid=1, qty=2, price=1.5, state="Ohio"), Order(orderid=2, qty=None, price=None, state=None)]
    )
    connection.flush()
    return connection


def dump(*labels: str, **options: Any) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("dumpdata", *labels, database="risingwave", stdout=out, **options)
    found: list[dict[str, Any]] = json.loads(out.getvalue())
    return found


def fields(rows: list[dict[str, Any]]) -> list[Any]:
    return sorted((row["fields"] for row in rows), key=str)


def load(rows: list[dict[str, Any]], folder: Path) -> None:
    fixture = folder / "rows.json"
    fixture.write_text(json.dumps(rows))
    call_command("loaddata", fixture, database="risingwave", verbosity=0)


def test_a_dump_can_be_loaded_into_an_empty_database(shop: DatabaseWrapper, tmp_path: Path) -> None:
    rows = dump("demo_shop")
    assert {row["model"] for row in rows} == {"demo_shop.order"}
    Order.objects.all().delete()
    shop.flush()
    load(rows, tmp_path)
    shop.flush()
    # The server gives the rows new row ids.
    assert fields(dump("demo_shop")) == fields(rows)
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {"Ohio": 3, None: None}


def test_the_rows_of_a_view_are_dumped_if_it_is_named(shop: DatabaseWrapper) -> None:
    assert {row["pk"] for row in dump("demo_shop.StateTurnover")} == {"Ohio", None}
    assert dump("demo_shop.StateTurnover", exclude=["demo_shop.StateTurnover"]) == []


def test_loading_the_rows_of_a_view_is_refused_by_name(shop: DatabaseWrapper, tmp_path: Path) -> None:
    rows = dump("demo_shop.StateTurnover")
    with pytest.raises(ReadOnlyError, match=r"demo_shop\.StateTurnover is read-only"):
        load(rows, tmp_path)
