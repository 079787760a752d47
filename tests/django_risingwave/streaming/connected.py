"""Models of sources and of tables with a connector, in an app registry of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.migrations.state import ModelState, ProjectState
from django.test.utils import isolate_apps

from django_risingwave.fields import RowIdField
from django_risingwave.models import ConnectorTable, ReadOnlyManager, Source
from django_risingwave.streaming.declaring.declarations import declared
from django_risingwave.streaming.model_operations import CreateStreamingModel
from django_risingwave.streaming.secrets import Environment, Secret
from django_risingwave.streaming.sinks import Sink
from tests.django_risingwave.streaming.migrating import LABEL

if TYPE_CHECKING:
    from django_risingwave.streaming.definitions import Definition

KAFKA = {
    "connector": "kafka",
    "topic": "orders",
    "properties.bootstrap.server": Environment("KAFKA_SERVERS"),
    "scan.startup.mode": "earliest",
}

with isolate_apps("django_risingwave"):

    class Click(Source):
        objects: ClassVar[ReadOnlyManager[Any]]

        click_id = models.TextField(primary_key=True)
        page = models.TextField()
        arrived_at = models.DateTimeField()

        class Meta(Source.Meta):
            app_label = "django_risingwave"
            db_table = "clicks"

        class Stream:
            connector = KAFKA
            include = {"timestamp": "arrived_at"}  # noqa: RUF012 - as users write it

    class Payment(ConnectorTable):
        objects: ClassVar[models.Manager[Any]]

        payment_id = models.BigIntegerField(primary_key=True)
        amount = models.DecimalField(max_digits=12, decimal_places=2)
        trace = models.TextField(null=True)
        arrived_at = models.DateTimeField(null=True)

        class Meta(ConnectorTable.Meta):
            app_label = "django_risingwave"
            db_table = "payments"

        class Stream:
            connector = KAFKA | {
                "properties.sasl.password": Secret("kafka_password", Environment("KAFKA_PASSWORD"))
            }
            include = {"timestamp": "arrived_at", "header.trace": "trace"}  # noqa: RUF012
            subscription = "1 day"
            sinks = [Sink("payments_to_nowhere", {"connector": "blackhole"})]  # noqa: RUF012

    class Reading(ConnectorTable):
        """Measurements without a key, which only arrive."""

        objects: ClassVar[models.Manager[Any]]

        row_id = RowIdField()
        measured_at = models.DateTimeField()
        value = models.FloatField()

        class Meta(ConnectorTable.Meta):
            app_label = "django_risingwave"
            db_table = "readings"

        class Stream:
            connector = {"connector": "datagen", "datagen.rows.per.second": 10}  # noqa: RUF012
            append_only = True
            watermark = ("measured_at", "measured_at - INTERVAL '5 seconds'")


def definition_of(model: Any) -> Definition:
    """Return the definition of a model's relation."""
    definition = declared(model).definition
    assert definition
    return definition


def create_sql(definition: Definition) -> str:
    return definition.create_sql('"{}"'.format)


def creating(model: Any) -> CreateStreamingModel:
    """Return the operation that makemigrations writes for a model."""
    state = ModelState.from_model(model)
    return CreateStreamingModel(
        state.name, list(state.fields.items()), state.options, state.bases, definition=definition_of(model)
    )


def migrate(connection: Any, *operations: Any, state: ProjectState | None = None) -> ProjectState:
    """Run the operations, and return the state after them."""
    state = state or ProjectState()
    for operation in operations:
        before = state.clone()
        operation.state_forwards(LABEL, state)
        with connection.schema_editor() as editor:
            operation.database_forwards(LABEL, editor, before, state)
    return state


def reverse(connection: Any, operation: Any) -> None:
    """Run an operation, the first of its app, backwards."""
    state = ProjectState()
    operation.state_forwards(LABEL, state)
    with connection.schema_editor() as editor:
        operation.database_backwards(LABEL, editor, state, ProjectState())
