"""The stand-in's sources, tables with a connector, sinks and secrets.

A relation with a connector is a plain table with the same columns, into which tests insert rows. Sinks are
recorded and send nothing, and secrets are nothing at all.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import NotSupportedError

from django_risingwave.standin.sql import join, quote
from django_risingwave.streaming.connectors.definitions import ConnectorTableDefinition, SourceDefinition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.streaming.connectors.definitions import ConnectorDefinition
    from django_risingwave.streaming.sinks import SinkDefinition

#: The constraint that marks the table in place of a source, and constrains nothing.
SOURCE = "standin_source"

logger = logging.getLogger(__name__)


def create_table_sql(definition: ConnectorDefinition) -> str:
    """Return the statement that creates the table in place of a source or of a table with a connector."""
    return f"CREATE TABLE {quote(definition.name)} ({join(_columns(definition))});"


def _columns(definition: ConnectorDefinition) -> Iterator[str]:
    for name, column_type in definition.columns.items():
        yield f"{quote(name)} {column_type}"
    if definition.primary_key:
        yield f"PRIMARY KEY ({join(map(quote, definition.primary_key))})"
    elif isinstance(definition, ConnectorTableDefinition):
        # As for other tables with a RowIdField: tables/definitions.py.
        yield '"_row_id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY'
    if isinstance(definition, SourceDefinition):
        yield f"CONSTRAINT {SOURCE} CHECK (true)"


def drop_table_sql(definition: ConnectorDefinition) -> str:
    """Return the statement that drops the table."""
    return f"DROP TABLE {quote(definition.name)};"


def check_sink(definition: SinkDefinition) -> None:
    """Say that the sink sends nothing. Raises NotSupportedError for a sink into a table."""
    if definition.into is not None:
        raise NotSupportedError(
            f"The stand-in doesn't support sink {definition.name!r}, whose rows would be missing in table "
            f"{definition.into!r}. Use a RisingWave server, or declare a materialized view of the rows."
        )
    logger.warning("sink %s: sends nothing, because the server is the stand-in", definition.name)
