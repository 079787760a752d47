"""The server computes generated columns; instances load them on first access, since there is no RETURNING."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.db import IntegrityError, connections, models
from django.db.models import F, Sum
from django.test.utils import CaptureQueriesContext, isolate_apps

from tests.django_risingwave.models import Base, Sale
from tests.django_risingwave.table import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise


@pytest.fixture
def sales(connection: DatabaseWrapper, both_servers: Disguise | None) -> Any:
    with connection.schema_editor() as editor:
        editor.create_model(Sale)
    return Sale.objects


@contextmanager
def assert_sent(*verbs: str) -> Iterator[None]:
    """Assert that the block sends these statements, without RETURNING."""
    with CaptureQueriesContext(connections["risingwave"]) as queries:
        yield
    statements = [query["sql"] for query in queries if query["sql"] != "FLUSH"]
    assert [sql.split()[0] for sql in statements] == list(verbs)
    assert not [sql for sql in statements if "RETURNING" in sql]


# Rows ----------------------------------------------------------------------------------------------------


def test_save_sends_one_insert_and_generated_fields_are_loaded_on_first_access(sales: Any) -> None:
    sale = Sale(price=Decimal("1.50"), count=3)
    with pytest.raises(AttributeError):
        _ = sale.total
    with assert_sent("INSERT"):
        sale.save()
    assert sale.pk
    assert sale.get_deferred_fields() == {"total", "kind", "label"}
    with assert_sent("SELECT", "SELECT", "SELECT"):
        assert (sale.total, sale.kind, sale.label) == (Decimal("4.50"), "retail", "retail: 100 %")
    with assert_sent():
        assert (sale.total, sale.kind, sale.label) == (Decimal("4.50"), "retail", "retail: 100 %")


def test_explicit_values_are_not_loaded_again(sales: Any) -> None:
    sale = sales.create(pk=5, price=2, count=3, kind="gross")
    assert sale.get_deferred_fields() == {"total", "label"}
    with assert_sent():
        assert (sale.pk, sale.price, sale.kind) == (5, 2, "gross")


def test_a_null_operand_gives_null(sales: Any) -> None:
    assert sales.create(price=2).total is None


def test_bulk_create_gives_each_instance_its_key(sales: Any) -> None:
    made = [Sale(price=2, count=count) for count in range(5)]
    with assert_sent("INSERT", "INSERT"):
        assert sales.bulk_create(made, batch_size=3) == made
    assert len({sale.pk for sale in made}) == 5
    assert not any(sale._state.adding for sale in made)
    assert [sale.total for sale in made] == [0, 2, 4, 6, 8]
    with assert_sent("INSERT"):
        sales.bulk_create([Sale(pk=5, price=1, count=7)])
    assert sales.get(pk=5).total == 7


def test_a_failed_insert_leaves_the_instance_without_a_key(sales: Any) -> None:
    sale = Sale(price=None, count=1)
    with pytest.raises(IntegrityError):
        sale.save()
    assert sale.pk is None


def test_a_copy_of_an_instance_is_inserted(sales: Any) -> None:
    sale = sales.create(price=2, count=3, kind="gross")
    assert sale.total == 6
    first, sale.pk, sale.count = sale.pk, None, 4
    sale.save()
    assert sale.pk not in (None, first)
    assert sale.total == 8


def test_get_or_create_updates_and_deletes_work(sales: Any) -> None:
    with assert_sent("SELECT", "INSERT"):
        sale, created = sales.get_or_create(price=2, count=3)
    assert created
    with assert_sent("SELECT"):
        assert sales.get_or_create(total=6) == (sale, False)
    with assert_sent("SELECT", "UPDATE"):
        sale, created = sales.update_or_create(pk=sale.pk, defaults={"count": 4})
    assert not created
    assert sales.get().total == 8
    sale.count = 5
    with assert_sent("UPDATE"):
        sales.bulk_update([sale], ["count"])
    sale.refresh_from_db()
    assert sale.total == 10
    with assert_sent("UPDATE"):
        sales.update(count=F("count") + 1)
    sale.refresh_from_db(fields=["total"])
    assert sale.total == 12
    with assert_sent("DELETE"):
        sale.delete()
    assert not sales.exists()


def test_an_update_has_no_returning_either(sales: Any) -> None:
    sales.create(price=2, count=3)
    sale = sales.get()
    sale.count = F("count") + 1
    with assert_sent("UPDATE"):
        sale.save()
    # Django 5.2 never reads generated fields back after an UPDATE.
    stale = django.VERSION < (6, 0)
    assert sale.get_deferred_fields() == (set() if stale else {"count", "total", "label"})
    assert sale.total == (6 if stale else 8)
    sale.refresh_from_db()
    assert (sale.count, sale.total) == (4, 8)


def test_queries_filter_and_order_by_generated_columns(sales: Any) -> None:
    sales.bulk_create(
        [Sale(price=1, count=count, kind=kind) for count, kind in ((3, "b"), (2, "a"), (9, "a"))]
    )
    assert list(sales.filter(total__gt=2).order_by("-total").values_list("total", "label")) == [
        (9, "a: 100 %"),
        (3, "b: 100 %"),
    ]
    assert sales.filter(label__startswith="a").aggregate(sum=Sum("total")) == {"sum": 11}


@isolate_apps("django_risingwave")
def test_a_proxy_and_a_child_model_are_written(sales: Any) -> None:
    class Proxy(Sale):
        class Meta(Base.Meta):
            app_label = LABEL
            proxy = True

    class Child(Sale):
        note = models.TextField()

        class Meta(Base.Meta):
            app_label = LABEL

    with connections["risingwave"].schema_editor() as editor:
        editor.create_model(Child)
    with assert_sent("INSERT"):
        proxy = Proxy.objects.create(price=2, count=3)
    assert sales.get(pk=proxy.pk).total == proxy.total == 6
    # The child's own table has no generated column, so it has RETURNING.
    child = Child.objects.create(price=2, count=4, note="a")
    assert Child.objects.get(pk=child.pk).total == child.total == 8
    (made,) = Proxy.objects.bulk_create([Proxy(price=2, count=5)])
    assert made.total == 10


def test_a_raw_save_as_by_loaddata_inserts_the_row(sales: Any) -> None:
    Sale(pk=5, price=2, count=3).save_base(raw=True)
    assert sales.get(pk=5).total == 6
