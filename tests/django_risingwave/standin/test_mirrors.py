"""On the stand-in, mirrors follow their tables in PostgreSQL by logical replication."""

from __future__ import annotations

import dataclasses
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, NotSupportedError, connections, transaction

from django_risingwave.streaming.declaring.declarations import declared
from django_risingwave.streaming.definitions import LeadingRowsDefinition, TotalsDefinition
from django_risingwave.streaming.mirrors import MirrorDefinition, wait_until_mirrored
from django_risingwave.streaming.publisher import MirrorError, Publisher
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.mirrored import Customer, CustomerMirror, ItemQuantity, Order, OrderMirror
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.definitions import Definition

MOMENT = datetime(2026, 11, 27, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def shop(standin: Any) -> Iterator[DatabaseWrapper]:
    """The stand-in's connection, with the tables of orders and customers in `default`."""
    default = connections["default"]
    for model in (Customer, Order):
        with default.schema_editor() as editor:
            editor.create_model(model)
    yield standin
    standin.standin.drop_replication()
    Publisher("default", standin).drop()
    for model in (Order, Customer):
        with default.schema_editor() as editor:
            editor.delete_model(model)


def create(connection: DatabaseWrapper, *models: Any) -> None:
    for model in models:
        definition = declared(model).definition
        assert definition is not None
        with connection.schema_editor() as editor:
            editor.create_streaming_object(definition)


def drop(connection: DatabaseWrapper, *models: Any) -> None:
    for model in models:
        definition = declared(model).definition
        assert definition is not None
        with connection.schema_editor() as editor:
            editor.delete_streaming_object(definition)


def left_behind(connection: DatabaseWrapper) -> list[Any]:
    """Return the slots, publications and subscriptions of this database, and its tables."""
    found: list[Any] = []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
        found += cursor.fetchall()
        cursor.execute("SELECT pubname FROM pg_publication")
        found += cursor.fetchall()
    with connection.cursor() as cursor:
        cursor.execute("SELECT subname FROM pg_subscription")
        found += cursor.fetchall()
    return found + connection.introspection.table_names()


def test_a_mirror_has_the_rows_that_were_there_and_each_change_after_its_commit(shop: Any) -> None:
    customer = Customer.objects.create(name="Ada")
    first = Order.objects.create(customer=customer, item="tea", ip="2001:db8::1", note={"a": [1, None]})
    Order.objects.filter(pk=first.pk).update(at=MOMENT)
    create(shop, OrderMirror)
    with shop.cursor() as cursor:
        recorded = shop.standin.get_definitions(cursor)
    definition = declared(OrderMirror).definition
    assert definition is not None
    assert recorded == {"mirrored_order": definition.create_sql(shop.ops.quote_name)}
    row = OrderMirror.objects.get()
    assert (row.pk, row.customer_id, row.item, row.price) == (first.pk, customer.pk, "tea", Decimal("1.50"))
    assert (row.at, row.ip, row.note, row.open) == (MOMENT, "2001:db8::1", {"a": [1, None]}, True)
    assert OrderMirror.objects.get(customer_id=customer.pk) == row
    assert OrderMirror.objects.filter(customer_id__in=[str(customer.pk)], at=MOMENT).exists()
    assert OrderMirror.objects.filter(customer_id__icontains=str(customer.pk)[:13].upper()).exists()

    with transaction.atomic():
        Order.objects.create(item="milk", quantity=3)
        first.delete()
    with transaction.atomic():
        Order.objects.create(item="never")
        transaction.set_rollback(True)
    Order.objects.filter(item="milk").update(quantity=4)
    wait_until_mirrored()
    assert list(OrderMirror.objects.values_list("item", "quantity", "customer_id")) == [("milk", 4, None)]
    drop(shop, OrderMirror)
    assert left_behind(shop) == []


def test_two_mirrors_share_a_subscription_and_are_dropped_one_by_one(shop: Any) -> None:
    create(shop, OrderMirror, CustomerMirror)
    Order.objects.create(customer=Customer.objects.create(name="Ada"), item="tea")
    wait_until_mirrored()
    assert CustomerMirror.objects.filter(pk=OrderMirror.objects.get().customer_id).exists()
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()")
        assert cursor.fetchone() == (1,)
    drop(shop, OrderMirror)
    customer = Customer.objects.create(name="Bo")
    Order.objects.create(customer=customer, item="not mirrored")
    wait_until_mirrored()
    assert CustomerMirror.objects.count() == 2
    create(shop, OrderMirror)
    assert OrderMirror.objects.count() == 2
    drop(shop, OrderMirror, CustomerMirror)
    assert left_behind(shop) == []


def test_a_column_that_isnt_mirrored_can_be_added_and_dropped(shop: Any) -> None:
    create(shop, CustomerMirror)
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE mirrored_customer ADD COLUMN extra integer")
        cursor.execute("ALTER TABLE mirrored_customer DROP COLUMN extra CASCADE")
    Customer.objects.create(name="Ada")
    wait_until_mirrored()
    assert CustomerMirror.objects.count() == 1


def test_a_mirror_is_emptied_with_its_source(shop: Any) -> None:
    create(shop, OrderMirror)
    Order.objects.create(item="tea")
    with connections["default"].cursor() as cursor:
        cursor.execute("TRUNCATE mirrored_order")
    wait_until_mirrored()
    assert not OrderMirror.objects.exists()


def test_a_table_that_doesnt_exist_yet_is_named_with_the_command_that_makes_it(standin: Any) -> None:
    with pytest.raises(
        MirrorError, match=r"public\.mirrored_order doesn't exist .*migrate --database default"
    ):
        create(standin, OrderMirror)
    assert left_behind(standin) == []


def test_a_mirror_that_a_view_reads_isnt_dropped_and_goes_on(shop: Any) -> None:
    create(shop, OrderMirror)
    with shop.cursor() as cursor:
        cursor.execute("CREATE VIEW items AS SELECT itemname FROM mirrored_order")
    with pytest.raises(DatabaseError, match="other objects use it: view items"):
        drop(shop, OrderMirror)
    Order.objects.create(item="tea")
    wait_until_mirrored()
    assert OrderMirror.objects.count() == 1


def test_a_copy_that_fails_leaves_nothing_and_can_be_tried_again(shop: Any, options: Any) -> None:
    options["mirrored_databases"] = {"default": {"NAME": "nowhere"}}
    with pytest.raises(Exception, match="nowhere"):
        create(shop, OrderMirror)
    assert left_behind(shop) == []
    del options["mirrored_databases"]
    shop.close()
    create(shop, OrderMirror)


@contextmanager
def role(*, may_replicate: bool) -> Iterator[str]:
    with connections["default"].cursor() as cursor:
        cursor.execute(f"CREATE ROLE reader LOGIN {'REPLICATION' if may_replicate else ''}")
        try:
            yield "reader"
        finally:
            cursor.execute("DROP OWNED BY reader")
            cursor.execute("DROP ROLE reader")


def test_the_role_that_reads_gets_what_it_lacks(shop: Any, options: Any) -> None:
    options["mirrored_databases"] = {"default": {"USER": "reader"}}
    with pytest.raises(MirrorError, match=r"""has no role 'reader'.*`CREATE ROLE "reader" LOGIN REPL"""):
        create(shop, OrderMirror)
    with role(may_replicate=False):
        create(shop, OrderMirror)
        Order.objects.create(item="tea")
        wait_until_mirrored()
        assert OrderMirror.objects.count() == 1
        shop.standin.drop_replication()


def test_the_grants_that_django_may_not_give_are_listed(shop: Any, options: Any) -> None:
    options["mirrored_databases"] = {"default": {"USER": "reader"}}
    default = connections["default"]
    with role(may_replicate=False), default.cursor() as cursor:
        cursor.execute("CREATE ROLE django LOGIN")
        default.settings_dict["USER"] = "django"
        try:
            with pytest.raises(MirrorError) as refused:
                create(shop, OrderMirror)
        finally:
            default.settings_dict["USER"] = "postgres"
            cursor.execute("DROP ROLE django")
    assert 'ALTER ROLE "reader" REPLICATION;' in str(refused.value)
    assert 'GRANT SELECT ON "public"."mirrored_order" TO "reader";' in str(refused.value)


def test_views_of_a_mirror_follow_it_and_notify(shop: Any) -> None:
    Order.objects.create(item="tea", quantity=2)
    create(shop, OrderMirror, ItemQuantity)
    listener = shop.standin.listen()

    def heard() -> dict[str, int]:
        wait_until_mirrored()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while ItemQuantity._meta.db_table not in listener.receive():
            assert time.monotonic() < deadline
        return dict(ItemQuantity.objects.values_list("item", "quantity"))

    assert dict(ItemQuantity.objects.values_list("item", "quantity")) == {"tea": 2}
    order = Order.objects.create(item="milk", quantity=3)
    assert heard() == {"tea": 2, "milk": 3}
    Order.objects.filter(pk=order.pk).update(item="tea")
    assert heard() == {"tea": 5}
    Order.objects.all().delete()
    assert heard() == {}
    Order.objects.create(item="tea")
    assert heard() == {"tea": 1}
    with connections["default"].cursor() as cursor:
        cursor.execute("TRUNCATE mirrored_order")
    assert heard() == {}
    drop(shop, ItemQuantity, OrderMirror)
    assert left_behind(shop) == []


def test_views_of_any_form_over_a_mirror_follow_it_and_notify(shop: Any) -> None:
    create(shop, OrderMirror, ItemQuantity)
    views: list[Definition] = [
        ViewDefinition("items", "SELECT DISTINCT itemname FROM mirrored_order"),
        ViewDefinition("many", "SELECT item FROM item_quantity WHERE quantity > 2"),
        LeadingRowsDefinition("first_items", "item_quantity", "item", "quantity", rows=1),
        TotalsDefinition("item_totals", "item_quantity", "quantity"),
    ]
    for view in views:
        with shop.schema_editor() as editor:
            editor.create_streaming_object(view)
    listener = shop.standin.listen()
    names = {"item_quantity", *(view.name for view in views)}

    def rows() -> list[list[Any]]:
        wait_until_mirrored()
        heard: set[str] = set()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not names <= heard:
            heard |= listener.receive()
            assert time.monotonic() < deadline, names - heard
        with shop.cursor() as cursor:
            found = []
            for view in views:
                cursor.execute(f"SELECT * FROM {view.name} ORDER BY 1")
                found.append(cursor.fetchall())
            return found

    Order.objects.bulk_create([Order(item="tea", quantity=2), Order(item="milk", quantity=3)])
    assert rows() == [[("milk",), ("tea",)], [("milk",)], [("milk", 3)], [(2, 5)]]
    Order.objects.filter(item="tea").update(quantity=9)
    assert rows() == [[("milk",), ("tea",)], [("milk",), ("tea",)], [("tea", 9)], [(2, 12)]]
    Order.objects.filter(item="tea").delete()
    assert rows() == [[("milk",)], [("milk",)], [("milk", 3)], [(1, 3)]]


def with_columns(**columns: str) -> MirrorDefinition:
    return MirrorDefinition(name="mirrored_order", columns={"id": "integer", **columns}, key=["id"])


def replace(connection: DatabaseWrapper, *changes: tuple[Definition, Definition]) -> None:
    with connection.schema_editor() as editor:
        editor.replace_streaming_objects(changes)


def test_a_mirror_gets_and_loses_columns_with_the_views_that_read_them(shop: Any) -> None:
    Order.objects.create(item="tea", quantity=2)
    before, after = with_columns(itemname="varchar"), with_columns(quantity="integer")
    views = (
        ViewDefinition("ordered", "SELECT itemname AS what FROM mirrored_order"),
        ViewDefinition("ordered", "SELECT quantity AS what FROM mirrored_order"),
    )
    for definition in (before, views[0]):
        with shop.schema_editor() as editor:
            editor.create_streaming_object(definition)

    def what() -> list[Any]:
        wait_until_mirrored()
        with shop.cursor() as cursor:
            cursor.execute("SELECT what FROM ordered ORDER BY 1")
            return [row[0] for row in cursor.fetchall()]

    assert what() == ["tea"]
    replace(shop, (before, after), views)
    assert what() == [2]
    Order.objects.create(item="milk", quantity=3)
    assert what() == [2, 3]
    # The column is dropped in PostgreSQL first, and comes back.
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE mirrored_order DROP COLUMN quantity CASCADE")
        cursor.execute("DELETE FROM mirrored_order WHERE itemname = 'tea'")
    replace(shop, views[::-1], (after, before))
    assert what() == ["milk"]
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE mirrored_order ADD COLUMN quantity integer NOT NULL DEFAULT 7")
    replace(shop, (before, after), views)
    assert what() == [7]


def test_a_column_that_postgresql_doesnt_have_yet_is_named_and_nothing_changes(shop: Any) -> None:
    Order.objects.create(item="tea")
    create(shop, OrderMirror)
    before = declared(OrderMirror).definition
    assert isinstance(before, MirrorDefinition)
    after = dataclasses.replace(before, columns={**before.columns, "channel": "varchar"})
    with pytest.raises(
        MirrorError, match=r"mirrored_order .* has no column channel\. Run .* --database default"
    ):
        replace(shop, (before, after))
    Order.objects.create(item="milk")
    wait_until_mirrored()
    assert OrderMirror.objects.count() == 2


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (with_columns(quantity="bigint"), r"can't change column 'quantity' from integer to bigint"),
        (MirrorDefinition("mirrored_order", {"quantity": "integer"}, ["quantity"]), "change the primary key"),
        (MirrorDefinition("mirrored_order", {"quantity": "integer"}, ["id"], "other"), "change the database"),
    ],
)
def test_other_changes_of_a_mirror_are_refused_in_words(standin: Any, after: Any, message: str) -> None:
    with pytest.raises(NotSupportedError, match=f"{message}.*Delete the mirror's model"):
        replace(standin, (with_columns(quantity="integer"), after))
    with (
        pytest.raises(NotSupportedError, match="a table of the same name"),
        standin.schema_editor() as editor,
    ):
        editor.rename_streaming_object(after, "orders")
