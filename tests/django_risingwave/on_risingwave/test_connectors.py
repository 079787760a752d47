"""RisingWave reads Kafka into a table and through a source, and tells the rows of views over both.

The broker is that of librdkafka, in this process, so the server must run on this machine.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from django.db import NotSupportedError, models
from django.test.utils import isolate_apps

from django_risingwave.models import ConnectorTable, MaterializedView, Source
from django_risingwave.streaming.connector_operations import CreateSecret, CreateSink, DropSecret, DropSink
from django_risingwave.streaming.model_operations import AlterStreamingModels, StreamingModelChange
from django_risingwave.streaming.secrets import Environment
from tests.django_risingwave.streaming.connected import creating, definition_of, migrate, reverse
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave

KAFKA = {
    "connector": "kafka",
    "topic": "payments",
    "properties.bootstrap.server": Environment("KAFKA_SERVERS"),
    "scan.startup.mode": "earliest",
}

with isolate_apps("django_risingwave"):

    class Paid(ConnectorTable):
        objects: Any

        payment_id = models.BigIntegerField(primary_key=True)
        shop = models.TextField()
        amount = models.DecimalField(max_digits=12, decimal_places=2)
        paid_at = models.DateTimeField()

        class Meta(ConnectorTable.Meta):
            app_label = "django_risingwave"
            db_table = "paid"

        class Stream:
            connector = KAFKA
            include = {"timestamp": "paid_at"}  # noqa: RUF012

    class PaidOnce(Source):
        pk = models.CompositePrimaryKey("partition", "position")
        partition = models.TextField()
        position = models.TextField()
        shop = models.TextField()

        class Meta(Source.Meta):
            app_label = "django_risingwave"
            db_table = "paid_once"

        class Stream:
            connector = KAFKA
            include = {"partition": "partition", "offset": "position"}  # noqa: RUF012

    class ShopRevenue(MaterializedView):
        objects: Any

        shop = models.TextField(primary_key=True)
        revenue = models.DecimalField(max_digits=28, decimal_places=2)
        messages = models.BigIntegerField()

        class Meta(MaterializedView.Meta):
            app_label = "django_risingwave"
            db_table = "shop_revenue"

        class Stream:
            query = (
                "SELECT t.shop, t.revenue, s.messages FROM"
                " (SELECT shop, sum(amount) AS revenue FROM paid GROUP BY shop) AS t JOIN"
                " (SELECT shop, count(*) AS messages FROM paid_once GROUP BY shop) AS s ON s.shop = t.shop"
            )


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    """A producer with a broker of its own, whose address is in the environment."""
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})
    broker = next(iter(producer.list_topics(timeout=DEADLINE_SECONDS).brokers.values()))
    monkeypatch.setenv("KAFKA_SERVERS", f"{broker.host}:{broker.port}")
    return producer


def send(producer: Producer, *payments: dict[str, Any]) -> None:
    for payment in payments:
        producer.produce("payments", json.dumps(payment).encode())
    assert producer.flush(DEADLINE_SECONDS) == 0


def test_a_view_has_what_kafka_sends_to_a_table_and_to_a_source(
    risingwave: DatabaseWrapper, producer: Producer
) -> None:
    send(producer, {"payment_id": 1, "shop": "Rome", "amount": 1.5})
    operations = [creating(model) for model in (Paid, PaidOnce, ShopRevenue)]
    migrate(risingwave, *operations)
    # As after an interruption.
    migrate(risingwave, *operations)
    send(
        producer,
        {"payment_id": 2, "shop": "Rome", "amount": 2},
        # Instead of the first one.
        {"payment_id": 1, "shop": "Rome", "amount": 4},
    )
    wait_until(
        lambda: list(ShopRevenue.objects.values_list("shop", "revenue", "messages")) == [("Rome", 6, 3)]
    )
    assert all(row.paid_at for row in Paid.objects.all())
    for operation in reversed(operations):
        reverse(risingwave, operation)
    assert risingwave.introspection.table_names(include_views=True) == []


def test_a_column_is_added_to_a_table_and_to_a_source_that_a_view_reads(
    risingwave: DatabaseWrapper, producer: Producer
) -> None:
    state = migrate(risingwave, *(creating(model) for model in (Paid, PaidOnce, ShopRevenue)))
    for model in (Paid, PaidOnce):
        old = definition_of(model)
        new = type(old)(
            **old.deconstruct()[2] | {"columns": {**old.deconstruct()[2]["columns"], "note": "text"}}
        )
        alter = AlterStreamingModels([StreamingModelChange(model.__name__, definition=new)])
        # The second time, as after an interruption.
        migrate(risingwave, alter, state=state.clone())
        migrate(risingwave, alter, state=state.clone())
    send(producer, {"payment_id": 1, "shop": "Rome", "amount": 1.5, "note": "thanks"})

    def note() -> Any:
        with risingwave.cursor() as cursor:
            cursor.execute("SELECT note FROM paid WHERE payment_id = 1")
            return cursor.fetchone()

    wait_until(lambda: note() == ("thanks",))


def test_sinks_are_created_and_dropped(risingwave: DatabaseWrapper, producer: Producer) -> None:
    state = migrate(risingwave, creating(Paid))
    sinks: list[dict[str, Any]] = [
        {"name": "paid_to_nowhere", "source": "paid", "connector": {"connector": "blackhole"}},
        {
            "name": "paid_to_kafka",
            "source": "paid",
            "connector": KAFKA | {"topic": "copies", "primary_key": "payment_id"},
            "format": "UPSERT",
            "encode": "JSON",
        },
    ]
    del sinks[1]["connector"]["scan.startup.mode"]
    for sink in sinks:
        migrate(risingwave, CreateSink(**sink), CreateSink(**sink), state=state.clone())
        with risingwave.cursor() as cursor:
            assert risingwave.introspection.get_object_kinds(cursor)[sink["name"]] == "sink"
        migrate(risingwave, DropSink(**sink), DropSink(**sink), state=state.clone())


def test_a_secret_is_created_or_refused_for_lack_of_a_licence(
    risingwave: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "x")
    secret: dict[str, Any] = {"name": "kafka_password", "value": Environment("KAFKA_PASSWORD")}
    refused = ""
    try:
        migrate(risingwave, CreateSecret(**secret), CreateSecret(**secret), DropSecret(**secret))
    except NotSupportedError as error:
        refused = str(error)
    assert not refused or "Without a licence for secrets" in refused
