"""A mirror declares the model that it follows. Its fields, columns and SQL come from there."""

# ruff: noqa: DJ008 - the models are never shown

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import OperationWriter
from django.db.models.functions import Upper
from django.test.utils import isolate_apps

from django_risingwave.models import Mirror
from django_risingwave.streaming.autodetector import RisingWaveAutodetector
from django_risingwave.streaming.declaring.declarations import DeclarationError, declared
from django_risingwave.streaming.detecting.state import StreamingModelState
from tests.django_risingwave.mirrored import (
    LABEL,
    Customer,
    CustomerMirror,
    ItemQuantity,
    Order,
    OrderMirror,
)

_numbers = count()


def mirror(source: type[models.Model], **stream: Any) -> Any:
    """Return a new mirror of a model."""
    meta = type("Meta", (Mirror.Meta,), {"app_label": LABEL, "apps": source._meta.apps})
    body = {"Meta": meta, "Stream": type("Stream", (), {"of": source, **stream}), "__module__": __name__}
    return type(f"Mirror{next(_numbers)}", (Mirror,), body)


def test_a_mirror_has_the_fields_of_its_source_and_the_key_of_each_foreign_key() -> None:
    fields: dict[str, Any] = {field.name: field for field in OrderMirror._meta.fields}
    assert list(fields) == [
        "id",
        "customer_id",
        "item",
        "quantity",
        "price",
        "at",
        "ip",
        "note",
        "open",
    ]
    assert isinstance(fields["id"], models.IntegerField)
    assert not isinstance(fields["id"], models.AutoField)
    assert fields["id"].primary_key
    assert isinstance(fields["customer_id"], models.UUIDField)
    assert fields["customer_id"].null
    assert fields["item"].column == "itemname"
    assert not fields["item"].db_index
    assert not fields["quantity"].has_default()
    assert OrderMirror._meta.db_table == "mirrored_order"
    assert not OrderMirror._meta.managed


def test_the_columns_have_the_types_that_the_connector_accepts_for_those_of_postgresql() -> None:
    """The key of an AutoField is an integer there, and the connector refuses a bigint for it."""
    definition = declared(OrderMirror).definition
    assert definition is not None
    assert definition.create_sql('"{}"'.format) == (
        'CREATE TABLE "mirrored_order" ("id" integer, "customer_id" varchar, "itemname" varchar, '
        '"quantity" integer, "price" numeric, "at" timestamp with time zone, "ip" varchar, "note" jsonb, '
        '"open" boolean, PRIMARY KEY ("id")) FROM "mirrors_of_default" TABLE \'public.mirrored_order\''
    )
    assert definition.drop_sql('"{}"'.format) == 'DROP TABLE "mirrored_order"'


def test_a_mirror_of_some_fields_has_them_and_the_key() -> None:
    assert [field.name for field in CustomerMirror._meta.fields] == ["id"]
    found = mirror(Order, fields=["quantity"], using="shop", schema="sales")
    assert [field.name for field in found._meta.fields] == ["id", "quantity"]
    definition: Any = declared(found).definition
    assert (definition.using, definition.source_table) == ("shop", "sales.mirrored_order")


@isolate_apps("django_risingwave")
def test_a_field_of_the_mirror_itself_is_kept() -> None:
    class Orders(Mirror):
        customer = models.ForeignKey(CustomerMirror, models.DO_NOTHING, db_constraint=False)

        class Meta(Mirror.Meta):
            app_label = LABEL

        class Stream:
            of = Order

    field: Any = Orders._meta.get_field("customer")
    assert field.remote_field.model is CustomerMirror
    assert "customer_id" not in [field.name for field in Orders._meta.fields]


@isolate_apps("django_risingwave")
def test_the_field_of_a_foreign_key_to_a_later_model_is_added_with_that_model() -> None:
    class Early(models.Model):
        late = models.ForeignKey("Late", models.CASCADE)

        class Meta:
            app_label = LABEL

    found = mirror(Early)
    assert [field.name for field in found._meta.fields] == ["id"]

    class Late(models.Model):
        id = models.SmallAutoField(primary_key=True)

        class Meta:
            app_label = LABEL

    assert isinstance(found._meta.get_field("late_id"), models.SmallIntegerField)
    definition: Any = declared(found).definition
    assert definition.columns["late_id"] == "smallint"


@isolate_apps("django_risingwave")
def test_a_column_that_risingwave_cant_follow_is_named() -> None:
    class Odd(models.Model):
        tags = ArrayField(models.TextField())
        name = models.TextField()
        loud = models.GeneratedField(
            expression=Upper("name"), output_field=models.TextField(), db_persist=True
        )

        class Meta:
            app_label = LABEL

    with pytest.raises(DeclarationError, match=r"Odd\.tags is a 'text\[\]' in PostgreSQL.*Stream\.fields"):
        declared(mirror(Odd))
    with pytest.raises(DeclarationError, match=r"Odd\.loud is generated"):
        declared(mirror(Odd, fields=["loud"]))
    assert declared(mirror(Odd, fields=["name"])).definition is not None


@pytest.mark.parametrize(
    ("source", "stream", "message"),
    [
        (Order, {"fields": ["colour"]}, "'colour', which isn't a field .* Choose from: id, customer, item"),
        (Order, {"of": None}, "mirrors no model. Name one"),
        (Order, {"of": OrderMirror}, "can't mirror mirrored.OrderMirror: .* in PostgreSQL"),
    ],
)
def test_what_cant_be_mirrored_is_refused_in_words(source: Any, stream: Any, message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=message):
        mirror(source, **stream)


def test_a_table_name_of_its_own_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="'orders', but a mirror has the name of its source's"):

        class Orders(Mirror):
            class Meta(Mirror.Meta):
                app_label = LABEL
                db_table = "orders"

            class Stream:
                of = Order


def state(*found: Any) -> ProjectState:
    state = ProjectState()
    for model in found:
        kind = StreamingModelState if hasattr(model, "Stream") else ModelState
        state.add_model(kind.from_model(model))
    return state


def changes(before: ProjectState, after: ProjectState) -> list[Any]:
    detector = RisingWaveAutodetector(before, after, MigrationQuestioner(specified_apps={LABEL}))
    return [
        operation
        for migration in detector.changes(MigrationGraph()).get(LABEL, [])
        for operation in migration.operations
    ]


def test_makemigrations_creates_a_mirror_after_its_source_and_before_the_views_that_read_it() -> None:
    found = changes(state(), state(ItemQuantity, OrderMirror, Order, Customer))
    names = [operation.name for operation in found]
    assert names.index("Order") < names.index("OrderMirror") < names.index("ItemQuantity")
    assert found[names.index("OrderMirror")].definition == declared(OrderMirror).definition
    assert changes(state(OrderMirror, Order, Customer), state(OrderMirror, Order, Customer)) == []


def test_the_migration_of_a_mirror_has_no_address_and_can_be_written() -> None:
    (operation,) = [
        operation
        for operation in changes(state(Order, Customer), state(Order, Customer, OrderMirror))
        if operation.name == "OrderMirror"
    ]
    written, _ = OperationWriter(operation, indentation=0).serialize()
    text = "\n".join([written] if isinstance(written, str) else written)
    assert "MirrorDefinition(" in text
    assert not any(word in text for word in ("host", "password", "slot"))
