"""Definitions of what brings rows into RisingWave: sources, and tables with a connector.

The grammar and its limits are those of parse_create_table(), parse_create_source() and
parse_include_options() in src/sqlparser/src/parser.rs, and of src/frontend/src/handler/create_source.rs and
create_table.rs at v3.0.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import NotSupportedError

from django_risingwave.streaming.connectors.options import (
    ConnectedDefinition,
    check_options,
    options_sql,
)
from django_risingwave.streaming.rebuilding.altering_columns import add_columns, drop_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.connectors.options import Option
    from django_risingwave.streaming.definitions import Definition

_TEXTS = frozenset({"varchar", "text"})
# What INCLUDE may name, with the types of its column: get_supported_additional_columns() and
# build_additional_column_desc() in src/connector/src/parser/additional_columns.rs at v3.0.3.
_INCLUDED = {
    "file": _TEXTS,
    "header": _TEXTS | {"bytea"},
    "key": frozenset({"bytea"}),
    "offset": _TEXTS,
    "partition": _TEXTS,
    "payload": frozenset({"jsonb"}),
    "subject": _TEXTS,
    "timestamp": frozenset({"timestamp with time zone"}),
}
# Formats of messages that only add rows, and have no key.
_APPENDING = frozenset({None, "PLAIN", "NATIVE"})
_FORMATS = _APPENDING | {"UPSERT", "DEBEZIUM", "DEBEZIUM_MONGO", "MAXWELL", "CANAL"}
_ENCODINGS = frozenset({None, "AVRO", "BYTES", "CSV", "JSON", "NATIVE", "PARQUET", "PROTOBUF"})
_CONFLICTS = frozenset({None, "DO NOTHING", "DO UPDATE FULL", "DO UPDATE IF NOT NULL"})


@dataclass(frozen=True)
class ConnectorDefinition(ConnectedDefinition):
    """A relation whose rows a connector brings.

    `columns` has all columns and their SQL types, `include` those that aren't in a message's value: what
    INCLUDE names (for a header, `header.<its name>`) and the column. Both are dictionaries or pairs.
    `watermark` is a column and an SQL expression. Without a format and an encoding there is no FORMAT clause.

    Raises ValueError for what RisingWave refuses.
    """

    is_altered_in_place = True
    #: Whether RisingWave can drop a column. A source has only ALTER SOURCE … ADD COLUMN.
    can_drop_columns: ClassVar[bool] = False

    columns: Mapping[str, str]
    connector: Mapping[str, Option]
    format: str | None = "PLAIN"
    encode: str | None = "JSON"
    encode_options: Mapping[str, Option] = field(default_factory=dict)
    include: Mapping[str, str] = field(default_factory=dict)
    primary_key: Sequence[str] = ()
    watermark: Sequence[str] | None = None

    @property
    def _owner(self) -> str:
        return f"{self.kind.capitalize()} {self.name!r}"

    def __post_init__(self) -> None:
        # So that a definition in another form isn't taken for a changed one.
        for name, form in (("columns", dict), ("include", dict), ("primary_key", tuple)):
            object.__setattr__(self, name, form(getattr(self, name)))
        if isinstance(self.watermark, list):
            object.__setattr__(self, "watermark", tuple(self.watermark))
        check_options(self._owner, self.connector)
        check_options(self._owner, self.encode_options)
        for problem in self._problems():
            raise ValueError(f"{self._owner}: {problem}")

    def _problems(self) -> Iterator[str]:
        connector = str(self.connector.get("connector", ""))
        if not connector:
            yield 'connector must have the option "connector", such as "kafka".'
        if connector.endswith("-cdc"):
            yield f"{connector} has no columns of its own. Declare a Mirror, or use RunRisingWaveSQL."
        if not self.columns:
            yield "the model has no columns."
        if self.format not in _FORMATS:
            yield _one_of("format", self.format, _FORMATS)
        if self.encode not in _ENCODINGS:
            yield _one_of("encode", self.encode, _ENCODINGS)
        if (self.format is None) != (self.encode is None):
            yield "format and encode belong together. Set both, or both to None."
        yield from self._problems_of_include()
        yield from self._problems_of_key()
        if self.watermark is not None:
            if isinstance(self.watermark, str) or len(self.watermark) != 2:
                yield (
                    f"watermark must be a column and an SQL expression, not {self.watermark!r}. Set it to a "
                    'pair such as ("placed_at", "placed_at - INTERVAL \'5 seconds\'").'
                )
            elif self.watermark[0] not in self.columns:
                yield f"watermark names {self.watermark[0]!r}, which isn't a column of the model."

    def _problems_of_include(self) -> Iterator[str]:
        if self.include and self.format in {"DEBEZIUM", "MAXWELL", "CANAL"}:
            yield f"format {self.format} can't be combined with include. Remove include."
        for part, column in self.include.items():
            kind, _, header = part.partition(".")
            types = _INCLUDED.get(kind)
            if types is None or (kind == "header") != bool(header):
                names = ["header.<name>" if name == "header" else name for name in sorted(_INCLUDED)]
                yield f"include can't name {part!r}. Use {', '.join(names)}."
            elif column not in self.columns:
                yield f"include names {column!r}, which isn't a column of the model."
            elif self.columns[column] not in types:
                yield (
                    f"the {part} of a message is {' or '.join(sorted(types))}, but the column {column!r} is "
                    f"{self.columns[column]}. Use a field of that type."
                )
            elif kind == "payload" and self.encode != "JSON":
                yield f"include can name payload with encode JSON only, not {self.encode}."

    def _problems_of_key(self) -> Iterator[str]:
        if self.format == "UPSERT" and (
            "key" not in self.include or list(self.primary_key) != [self.include["key"]]
        ):
            yield (
                "format UPSERT identifies a row by its message's key. Declare a BinaryField with "
                'primary_key=True, and name its column in include = {"key": …}.'
            )
        elif self.format not in _APPENDING and not self.primary_key:
            yield f"format {self.format} needs a primary key. Set primary_key=True on a field."

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return the path and the arguments for a migration file.

        Columns are pairs: Django writes dictionaries in the order of their keys, and messages in CSV have
        columns by position.
        """
        path, args, kwargs = super().deconstruct()
        for name in {"columns", "include"} & kwargs.keys():
            kwargs[name] = list(kwargs[name].items())
        return path, args, kwargs

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        clauses = [
            f"CREATE {self.kind} {quote_name(self.name)} ({', '.join(self._parts(quote_name))})",
            *self._modifiers(),
            *self._includes(quote_name),
            f"WITH ({options_sql(self.connector, quote_name)})",
            *format_clause(self.format, self.encode, self.encode_options, quote_name),
        ]
        return " ".join(clauses)

    def column_types(self) -> dict[str, str]:
        """Return the types of the columns that a message's value has."""
        included = set(self.include.values())
        return {name: kind for name, kind in self.columns.items() if name not in included}

    def _parts(self, quote_name: Callable[[str], str]) -> Iterator[str]:
        for name, column_type in self.column_types().items():
            yield f"{quote_name(name)} {column_type}"
        if self.primary_key:
            yield f"PRIMARY KEY ({', '.join(map(quote_name, self.primary_key))})"
        if self.watermark is not None:
            column, expression = self.watermark
            yield f"WATERMARK FOR {quote_name(column)} AS {expression}"

    def _modifiers(self) -> Iterator[str]:
        """Yield what stands between the columns and INCLUDE."""
        return iter(())

    def _includes(self, quote_name: Callable[[str], str]) -> Iterator[str]:
        for part, column in self.include.items():
            kind, _, header = part.partition(".")
            if header:
                column_type = "bytea" if self.columns[column] == "bytea" else "varchar"
                name = header.replace("'", "''")
                yield f"INCLUDE header '{name}' {column_type} AS {quote_name(column)}"
            else:
                yield f"INCLUDE {kind} AS {quote_name(column)}"

    def check_alteration(self, old: Definition) -> None:
        """Raise NotSupportedError unless only columns are added, or dropped where that is possible."""
        self._changed_columns(old)

    def alter_first(self, old: Definition, editor: DatabaseSchemaEditor) -> None:
        """Add the new columns."""
        if standin := editor.connection.standin:
            standin.record(self, editor)
        added, _ = self._changed_columns(old)
        add_columns(editor, self, added)

    def alter_last(self, old: Definition, editor: DatabaseSchemaEditor) -> None:
        """Drop the old columns."""
        _, dropped = self._changed_columns(old)
        drop_columns(editor, self, dropped)

    def _changed_columns(self, old: Definition) -> tuple[dict[str, str], list[str]]:
        if isinstance(old, ConnectorDefinition):
            return old.changed_columns(self)
        raise NotSupportedError(
            f"{old.kind.capitalize()} {old.name!r} can't get a connector. Delete its model in one migration, "
            "and create it again in another one."
        )

    def changed_columns(self, new: Definition) -> tuple[dict[str, str], list[str]]:
        """Return the columns that the new definition has in addition, with their types, and those it lacks.

        Raises NotSupportedError if anything else differs, which RisingWave can't change in place. A copy that
        takes the relation's place would read the topic again from its beginning, or miss what came before.
        """
        if isinstance(new, type(self)) and _without_columns(self) == _without_columns(new):
            added = {name: kind for name, kind in new.columns.items() if name not in self.columns}
            kept = {name: kind for name, kind in self.columns.items() if name in new.columns}
            dropped = [name for name in self.columns if name not in new.columns]
            if {**kept, **added} == new.columns and not (dropped and not self.can_drop_columns):
                return added, dropped
        raise NotSupportedError(
            f"{self._owner} can't be changed, except for {self._changeable}. Declare the new one in a model "
            "with another db_table, let the views read that, and then delete this model."
        )

    @property
    def _changeable(self) -> str:
        return "added and removed columns" if self.can_drop_columns else "added columns"


def _without_columns(definition: Definition) -> dict[str, Any]:
    return {
        item.name: getattr(definition, item.name) for item in fields(definition) if item.name != "columns"
    }


@dataclass(frozen=True)
class SourceDefinition(ConnectorDefinition):
    """A source: rows that views read as they come, and that RisingWave doesn't keep."""

    kind = "SOURCE"

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.watermark is not None and self.primary_key:
            yield "a watermark needs rows that only arrive and never change, as those of format PLAIN."


@dataclass(frozen=True)
class ConnectorTableDefinition(ConnectorDefinition):
    """A table that keeps the rows of its connector. INSERT, UPDATE and DELETE work too."""

    kind = "TABLE"
    can_drop_columns = True

    append_only: bool = False
    on_conflict: str | None = None

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.on_conflict not in _CONFLICTS:
            yield _one_of("on_conflict", self.on_conflict, _CONFLICTS)
        if self.on_conflict and not self.primary_key:
            yield "on_conflict needs a primary key, and a RowIdField isn't one."
        if self.append_only and self.format not in _APPENDING:
            yield f"append_only can't be combined with format {self.format}, which changes rows."
        if self.append_only and self.primary_key and self.on_conflict not in (None, "DO NOTHING"):
            yield f'with append_only, on_conflict must be "DO NOTHING", not {self.on_conflict!r}.'
        if self.watermark is not None and not self.append_only:
            yield "a watermark needs rows that never change. Set append_only = True."

    def _modifiers(self) -> Iterator[str]:
        if self.append_only:
            yield "APPEND ONLY"
        if self.on_conflict:
            yield f"ON CONFLICT {self.on_conflict}"


def needs_key(message_format: str | None) -> bool:
    """Return whether messages of a format change rows, which RisingWave finds by a primary key."""
    return message_format not in _APPENDING


def format_clause(
    message_format: str | None,
    encode: str | None,
    options: Mapping[str, Option],
    quote_name: Callable[[str], str],
) -> Iterator[str]:
    """Yield the FORMAT clause, or nothing without a format."""
    if message_format is not None:
        yield f"FORMAT {message_format} ENCODE {encode}"
        if options:
            yield f"({options_sql(options, quote_name)})"


def _one_of(name: str, value: Any, values: frozenset[str | None]) -> str:
    return f"{name} must be {', '.join(sorted(filter(None, values)))} or None, not {value!r}."
