"""Migration operations for sinks and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import NotSupportedError

from django_risingwave.streaming.migration_operations import CreateAttached, DropAttached
from django_risingwave.streaming.secrets import SecretDefinition
from django_risingwave.streaming.sinks import SinkDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.connectors.options import Option
    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.secrets import Environment


class _SinkOperation:
    def __init__(
        self,
        name: str,
        *,
        source: str,
        connector: Mapping[str, Option] | None = None,
        format: str | None = None,  # noqa: A002 - as in RisingWave's SQL
        encode: str | None = None,
        encode_options: Mapping[str, Option] | None = None,
        query: str | None = None,
        into: str | None = None,
    ) -> None:
        self.definition: Definition = SinkDefinition(
            name, source, connector or {}, format, encode, encode_options or {}, query, into
        )


class CreateSink(_SinkOperation, CreateAttached):
    """Create a sink, which sends the rows of a relation to another system, and then each change.

    An example::

        CreateSink(
            "turnover_to_kafka",
            source="state_turnover",
            connector={
                "connector": "kafka",
                "topic": "turnover",
                "properties.bootstrap.server": Environment("KAFKA_SERVERS"),
                "primary_key": "state",
            },
            format="UPSERT",
            encode="JSON",
        )

    On the stand-in it sends nothing. Without the option `snapshot = false`, a sink that is created again
    sends all rows again.
    """


class DropSink(_SinkOperation, DropAttached):
    """Drop a sink that an earlier CreateSink with the same arguments has created."""


class CreateSecret(CreateAttached):
    """Create a secret whose value is an environment variable's when the migration runs.

    An example::

        CreateSecret("kafka_password", value=Environment("KAFKA_PASSWORD"))
    """

    def __init__(self, name: str, value: Environment) -> None:
        self.definition = SecretDefinition(name, value)

    def _create(self, app_label: str, editor: DatabaseSchemaEditor) -> None:
        """Create the secret. Raises NotSupportedError if RisingWave's licence doesn't include secrets."""
        try:
            super()._create(app_label, editor)
        except NotSupportedError as error:
            # RisingWave 2.8.0, on a machine with more than 20 GiB: "feature SecretManagement is not available
            # due to license error".
            if "SecretManagement" not in str(error):
                raise
            name = self.definition.name
            (value,) = self.definition.environment().values()
            raise NotSupportedError(
                f"Secret {name!r} can't be created: {error}\nWithout a licence for secrets, give the options "
                f'Environment("{value.variable}") instead of Secret("{name}").'
            ) from error


class DropSecret(DropAttached):
    """Drop a secret that an earlier CreateSecret has created."""

    def __init__(self, name: str, value: Environment) -> None:
        self.definition = SecretDefinition(name, value)
