"""The definition of a materialized view by its SELECT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.migrations.serializer import BaseSerializer
from django.db.migrations.writer import MigrationWriter

from django_risingwave.streaming.definitions import Definition, MaterializedViewDefinition

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class ViewDefinition(Definition):
    """A materialized view of any SELECT, which RisingWave gets as it is written.

    `standin` is the SELECT of the stand-in, if PostgreSQL can't say the same as `query`.
    """

    kind = "MATERIALIZED VIEW"

    query: str
    standin: str | None = None

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        return f"CREATE {self.kind} {quote_name(self.name)} AS {self.query}"

    def same_as(self, other: Definition) -> bool:
        """Return whether the other view has the same name and SELECTs, even if they are written differently.

        Raises UnreadableSQLError.
        """
        if isinstance(other, MaterializedViewDefinition):
            other = ViewDefinition(other.name, other.select_sql(), self.standin)
        return (
            isinstance(other, ViewDefinition)
            and self.name == other.name
            and _canonical(self.query) == _canonical(other.query)
            and _canonical(self.standin) == _canonical(other.standin)
        )

    def relations_read(self) -> frozenset[str]:
        """Return the names of the relations that the SELECT reads. Raises UnreadableSQLError."""
        from django_risingwave.streaming.reading_sql import relations_read  # noqa: PLC0415 - imports sqlglot

        return relations_read(self.query)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return the path and the arguments for a migration file, which has one line per line of SQL."""
        path, args, kwargs = super().deconstruct()
        for name in ("query", "standin"):
            if "\n" in kwargs.get(name, ""):
                kwargs[name] = _Lines(kwargs[name])
        return path, args, kwargs


def _canonical(sql: str | None) -> str | None:
    from django_risingwave.streaming.reading_sql import canonical  # noqa: PLC0415 - imports sqlglot

    return None if sql is None else canonical(sql)


@dataclass(frozen=True)
class _Lines:
    """A text that a migration file shows line by line."""

    text: str


class _LinesSerializer(BaseSerializer):
    def serialize(self) -> tuple[str, set[str]]:
        lines = "\n".join(map(repr, self.value.text.splitlines(keepends=True)))
        return f"(\n{lines}\n)", set()


# Django indents what it writes, which would change a text in triple quotes.
MigrationWriter.register_serializer(_Lines, _LinesSerializer)
