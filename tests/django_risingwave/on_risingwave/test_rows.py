"""Rows are written, read and found on a RisingWave server as on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import NotSupportedError, models
from django.db.migrations import operations
from django.db.models import Avg, F, Q, Sum, Value

from demo.shop.models import ItemAverageQuantity, Order, StateTurnover
from tests.django_risingwave.models import Author, Book, Event, Everything, Sale
from tests.django_risingwave.on_risingwave.conftest import reconnect
from tests.django_risingwave.table import THING, Table

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


# Writes and reads -----------------------------------------------------------------------------------------


def test_a_row_is_found_by_its_row_id(tables: DatabaseWrapper) -> None:
    event = Event.objects.create(kind="a", amount=1)
    assert event.pk is None
    Event.objects.bulk_create([Event(kind="b"), Event(kind="c")])
    tables.flush()
    event = Event.objects.get(kind="a")
    assert Event.objects.get(pk=event.pk) == event
    assert Event.objects.filter(pk__in=[event.pk]).get() == event
    event.amount = 2
    event.save()
    tables.flush()
    assert Event.objects.get(pk=event.pk).amount == 2
    with pytest.raises(NotSupportedError):
        Event.objects.create(pk=5)
    event.delete()
    tables.flush()
    assert set(Event.objects.values_list("kind", flat=True)) == {"b", "c"}


def test_keys_are_returned(tables: DatabaseWrapper) -> None:
    made = [
        *Author.objects.bulk_create([Author(name="A"), Author(name="B")]),
        Author.objects.create(name="C"),
    ]
    tables.flush()
    assert {author.pk: author.name for author in Author.objects.all()} == {
        author.pk: author.name for author in made
    }
    book = Book.objects.create(title="T", author=made[0])
    book.readers.set(made)
    tables.flush()
    assert Author.objects.get(reads__author__name="A", name="B") == made[1]


def test_generated_columns_are_computed_and_read(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Sale)
    sale = Sale.objects.create(price=Decimal("1.50"), count=3)
    # A row with NULL in a generated column is kept.
    others = Sale.objects.bulk_create([Sale(price=2), Sale(price=2, count=5, kind="gross")])
    connection.flush()
    assert (sale.total, sale.kind, sale.label) == (Decimal("4.50"), "retail", "retail: 100 %")
    assert [other.total for other in others] == [None, 10]
    assert Sale.objects.get(total=10) == others[1]
    sale.count = 4
    sale.save()
    Sale.objects.filter(pk=others[0].pk).update(count=1)
    connection.flush()
    assert list(Sale.objects.order_by("total").values_list("total", flat=True)) == [2, 6, 10]
    sale.delete()
    connection.flush()
    assert Sale.objects.count() == 2


def test_a_failed_computation_gives_null(risingwave: DatabaseWrapper) -> None:
    table = Table(risingwave, THING)
    share = models.GeneratedField(
        expression=Value(6) / F("amount"), output_field=models.IntegerField(), db_persist=True
    )
    table.apply(operations.AddField("Thing", "share", share))
    table.model().create(name="a", amount=0)
    risingwave.flush()
    assert table.model().get().share is None


@pytest.mark.parametrize("implicit", [True, False])
def test_a_write_is_visible_after_a_flush(
    tables: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, *, implicit: bool
) -> None:
    def written() -> None:
        if not implicit:
            tables.flush()

    reconnect(tables, monkeypatch, implicit_flush=implicit)
    Event.objects.create(kind="a", amount=1)
    written()
    assert Event.objects.filter(kind="a").update(amount=2) == 1
    written()
    assert Event.objects.get().amount == 2
    Event.objects.filter(amount=2).delete()
    written()
    assert not Event.objects.exists()


def test_materialized_views_follow_their_source(connection: DatabaseWrapper) -> None:
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    Order.objects.bulk_create(
        [
            Order(orderid=1, itemid=1, qty=2, price=1.5, state="CA"),
            Order(orderid=1, itemid=1, qty=5, price=1.5, state="CA"),
            Order(orderid=2, itemid=None, qty=1, price=None, state=None),
        ]
    )
    connection.flush()
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {"CA": 10.5, None: None}
    assert ItemAverageQuantity.objects.get(itemid=1).average_quantity == 3.5
    Order.objects.filter(state="CA").delete()
    connection.flush()
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {None: None}
    call_command("migrate", "demo_shop", "zero", database="risingwave", verbosity=0)
    assert "orders" not in connection.introspection.table_names(include_views=True)


def test_a_materialized_view_can_not_be_written_to(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    with (
        risingwave.cursor() as cursor,
        pytest.raises(Exception, match=r"(?i)materialized view|not supported"),
    ):
        cursor.execute("DELETE FROM state_turnover")


def test_sums_and_averages_are_exact(tables: DatabaseWrapper) -> None:
    amounts = [Decimal("999999999.999"), Decimal("-0.001"), Decimal("0.125")]
    Everything.objects.bulk_create(Everything(decimal=amount) for amount in [*amounts, None])
    tables.flush()
    assert Everything.objects.aggregate(Sum("decimal"))["decimal__sum"] == Decimal("1000000000.123")
    average = Everything.objects.aggregate(Avg("decimal"))["decimal__avg"]
    # PostgreSQL gives at least 16 significant digits, RisingWave 28.
    assert round(average, 7) == Decimal("333333333.3743333")


def test_json_is_found_by_its_path(tables: DatabaseWrapper) -> None:
    made = Everything.objects.create(json={"a": {"b": [1, 2]}, "c": None})
    tables.flush()
    assert Everything.objects.get(json__a__b__1=2) == made
    assert Everything.objects.values_list("json__a__b", flat=True).get() == [1, 2]
    assert Everything.objects.filter(Q(json__c=None) & Q(json__d__isnull=True)).get() == made


@pytest.mark.parametrize(
    "duration", [dt.timedelta(days=-1, seconds=5, microseconds=7), dt.timedelta(days=400, hours=23)]
)
def test_intervals_are_read(tables: DatabaseWrapper, duration: dt.timedelta) -> None:
    Everything.objects.create(duration=duration)
    tables.flush()
    assert Everything.objects.get(duration=duration).duration == duration
    with tables.cursor() as cursor:
        cursor.execute("SELECT '1 day 02:03:04.5'::interval")
        assert cursor.fetchone() == (dt.timedelta(days=1, hours=2, minutes=3, seconds=4.5),)


# Cursors --------------------------------------------------------------------------------------------------


def test_cursors_survive_statements_in_between(tables: DatabaseWrapper) -> None:
    made = Author.objects.bulk_create(Author(name=str(n)) for n in range(10))
    tables.flush()
    seen = []
    for author in Author.objects.order_by("pk").iterator(chunk_size=3):
        seen.append(author)
        assert list(Author.objects.filter(pk=author.pk).iterator()) == [author]
        Author.objects.filter(pk=author.pk).update(name="old")
        tables.flush()
    assert seen == made
    assert set(Author.objects.values_list("name", flat=True)) == {"old"}


def test_a_cursor_gives_each_column_its_type(tables: DatabaseWrapper) -> None:
    Everything.objects.create(
        binary=b"\x00\xff",
        boolean=True,
        date=dt.date(2026, 1, 2),
        datetime=dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
        decimal=Decimal("1.125"),
        duration=dt.timedelta(days=1, seconds=2),
        float=1.5,
        json={"a": [1, None]},
        small=-3,
        text="ü",
        time=dt.time(3, 4, 5, 6),
    )
    tables.flush()
    (row,) = Everything.objects.values().iterator()
    assert row == Everything.objects.values().get()
    assert type(row["decimal"]) is Decimal


# Lookups --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lookup",
    [
        {"text__iregex": "^äRGER"},
        {"text__regex": "^Ä.*r$"},
        {"text__icontains": "RGE"},
        {"text__istartswith": "är"},
        {"text__contains": "%"},
        {"text__endswith": "_r"},
        {"small__in": [7, 8]},
        {"small__range": (7, F("positive"))},
        {"datetime__year": 2026},
        {"datetime__date": dt.date(2026, 1, 2)},
        {"date__week_day": 6},
    ],
)
def test_lookups_find_the_same_rows_as_on_postgresql(tables: DatabaseWrapper, lookup: dict[str, Any]) -> None:
    made = Everything.objects.create(
        text="Ärger: 100 %_r",
        small=7,
        positive=8,
        date=dt.date(2026, 1, 2),
        datetime=dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC),
    )
    Everything.objects.create()
    tables.flush()
    assert list(Everything.objects.filter(**lookup)) == [made]
