"""Sinks, which send the changes of a relation to another system."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from django_risingwave.streaming.connectors.definitions import format_clause
from django_risingwave.streaming.connectors.options import (
    ConnectedDefinition,
    check_options,
    options_sql,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django_risingwave.streaming.connectors.options import Option

_FORMATS = ("PLAIN", "UPSERT", "DEBEZIUM")


@dataclass(frozen=True)
class SinkDefinition(ConnectedDefinition):
    """A sink of the rows of `source`, or of a query over it, into a connector or a table.

    Raises ValueError for what RisingWave refuses: CreateSinkStatement in src/sqlparser/src/ast/statement.rs
    and src/frontend/src/handler/create_sink.rs at v3.0.3.
    """

    kind = "SINK"
    can_be_rebuilt = False

    source: str
    connector: Mapping[str, Option] = field(default_factory=dict)
    format: str | None = None
    encode: str | None = None
    encode_options: Mapping[str, Option] = field(default_factory=dict)
    query: str | None = None
    into: str | None = None

    def __post_init__(self) -> None:
        owner = f"Sink {self.name!r}"
        check_options(owner, self.connector)
        check_options(owner, self.encode_options)
        if (self.into is None) != ("connector" in self.connector):
            raise ValueError(
                f'{owner} needs either a connector, such as {{"connector": "kafka", …}}, or a table, into=.'
            )
        if (self.format is None) != (self.encode is None):
            raise ValueError(f"{owner}: format and encode belong together. Set both or neither.")
        if self.format is not None and self.format not in _FORMATS:
            raise ValueError(f"{owner}: format must be {', '.join(_FORMATS)} or None, not {self.format!r}.")

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        into = f" INTO {quote_name(self.into)}" if self.into else ""
        rows = f"AS {self.query}" if self.query else f"FROM {quote_name(self.source)}"
        clauses = [f"CREATE SINK {quote_name(self.name)}{into} {rows}"]
        if self.connector:
            clauses.append(f"WITH ({options_sql(self.connector, quote_name)})")
        return " ".join([*clauses, *format_clause(self.format, self.encode, self.encode_options, quote_name)])

    def relations_read(self) -> frozenset[str]:
        """Return the names of the relations that must exist before the sink."""
        from django_risingwave.streaming.reading_sql import relations_read  # noqa: PLC0415 - imports sqlglot

        read = relations_read(self.query) if self.query else frozenset()
        return read | {self.source} | ({self.into} if self.into else frozenset())


@dataclass(frozen=True)
class Sink:
    """A sink that a model declares in `Stream.sinks`: the rows of its table or view, unless there is a query.

    `connector` are the options after WITH, `format`, `encode` and `encode_options` those of the messages.
    `into` is a table on RisingWave, instead of a connector.
    """

    name: str
    connector: Mapping[str, Option] = field(default_factory=dict)
    format: str | None = None
    encode: str | None = None
    encode_options: Mapping[str, Option] = field(default_factory=dict)
    query: str | None = None
    into: str | None = None

    def definition(self, source: str) -> SinkDefinition:
        """Return the definition of the sink on a relation. Raises ValueError for what RisingWave refuses."""
        values: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        return SinkDefinition(source=source, **values)
