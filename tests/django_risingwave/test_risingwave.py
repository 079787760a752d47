"""What a real RisingWave alone can tell. Skipped unless RISINGWAVE_URL is that of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import NotSupportedError

from live.shop.models import ItemAverageQuantity, Order, StateTurnover
from tests.django_risingwave.models import Author, Event

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


def test_the_server_is_known(risingwave: DatabaseWrapper) -> None:
    assert risingwave.server_name.startswith("RisingWave ")
    risingwave.check_database_version_supported()


def test_materialized_views_follow_their_source(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "shop", database="risingwave", verbosity=0)
    Order.objects.bulk_create(
        [
            Order(orderid=1, itemid=1, qty=2, price=1.5, state="CA"),
            Order(orderid=1, itemid=1, qty=5, price=1.5, state="CA"),
            Order(orderid=2, itemid=None, qty=1, price=None, state=None),
        ]
    )
    risingwave.flush()
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {"CA": 10.5, None: None}
    assert ItemAverageQuantity.objects.get(itemid=1).average_quantity == 3.5
    Order.objects.filter(state="CA").delete()
    risingwave.flush()
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {None: None}
    call_command("migrate", "shop", "zero", database="risingwave", verbosity=0)
    assert "orders" not in risingwave.introspection.table_names(include_views=True)


def test_a_materialized_view_can_not_be_written_to(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "shop", database="risingwave", verbosity=0)
    with (
        risingwave.cursor() as cursor,
        pytest.raises(Exception, match=r"(?i)materialized view|not supported"),
    ):
        cursor.execute("DELETE FROM state_turnover")


def test_a_row_is_found_by_its_row_id(risingwave: DatabaseWrapper) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Event)
    event = Event.objects.create(kind="a", amount=1)
    assert event.pk is None
    risingwave.flush()
    event = Event.objects.get()
    event.amount = 2
    event.save()
    risingwave.flush()
    assert Event.objects.get(pk=event.pk).amount == 2
    with pytest.raises(NotSupportedError):
        Event.objects.create(pk=5)
    event.delete()
    risingwave.flush()
    assert not Event.objects.exists()


def test_keys_come_back_from_risingwave(risingwave: DatabaseWrapper) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Author)
    made = Author.objects.bulk_create([Author(name="A"), Author(name="B")])
    risingwave.flush()
    assert {author.pk: author.name for author in Author.objects.all()} == {
        author.pk: author.name for author in made
    }
    with risingwave.cursor() as cursor:
        constraints = risingwave.introspection.get_constraints(cursor, Author._meta.db_table)
    assert [facts["columns"] for facts in constraints.values() if facts["primary_key"]] == [["id"]]


def test_cursors_outlive_the_statements_in_between(risingwave: DatabaseWrapper) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Author)
    made = Author.objects.bulk_create(Author(name=str(n)) for n in range(10))
    risingwave.flush()
    seen = []
    for author in Author.objects.order_by("pk").iterator(chunk_size=3):
        seen.append(author)
        assert list(Author.objects.filter(pk=author.pk).iterator()) == [author]
        Author.objects.filter(pk=author.pk).update(name="old")
        risingwave.flush()
    assert seen == made
    assert set(Author.objects.values_list("name", flat=True)) == {"old"}
