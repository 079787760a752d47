"""The operations on what is attached to a relation, by its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django_risingwave.streaming.connector_operations import CreateSecret, CreateSink, DropSecret, DropSink
from django_risingwave.streaming.definitions import SubscriptionDefinition
from django_risingwave.streaming.migration_operations import CreateSubscription, DropSubscription
from django_risingwave.streaming.secrets import SecretDefinition
from django_risingwave.streaming.sinks import SinkDefinition

if TYPE_CHECKING:
    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.migration_operations import CreateAttached, DropAttached

#: The operations that create and drop an object. Both take the definition's arguments.
ATTACHED_OPERATIONS: dict[type[Definition], tuple[type[CreateAttached], type[DropAttached]]] = {
    SecretDefinition: (CreateSecret, DropSecret),
    SinkDefinition: (CreateSink, DropSink),
    SubscriptionDefinition: (CreateSubscription, DropSubscription),
}
