"""inspectdb for RisingWave: models with their declarations, each after those that its relation reads.

For other databases it is Django's command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.core.management.commands.inspectdb import Command as InspectCommand
from django.db import connections, models
from django.db.migrations.recorder import MigrationRecorder

from django_risingwave.columns.types import TYPES
from django_risingwave.fields import ROW_ID
from django_risingwave.routers import VENDOR
from django_risingwave.streaming.connectors.sql import read_connector
from django_risingwave.streaming.inspecting.catalog import read_catalog
from django_risingwave.streaming.inspecting.created_sql import is_mirror
from django_risingwave.streaming.inspecting.declaration_code import (
    RESERVED,
    base_class,
    imports,
    meta_code,
    stream_code,
)
from django_risingwave.streaming.rebuilding.plan import is_temporary_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.inspecting.catalog import Catalog, CatalogObject

_RELATIONS = frozenset({"materialized view", "source", "table", "view"})
_BYTEA, _JSONB, _TIMESTAMP = 17, 3802, 1114
# precision of a numeric without arguments: None in psycopg 3, 65535 in psycopg2.
_NO_PRECISION = (None, 65535)
_DECIMAL = "max_digits=28, decimal_places=10"


class _Code:
    """Python code as an argument of a field: Django writes the repr() of each argument."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class Command(InspectCommand):
    """Always includes views and sources."""

    def handle_inspection(self, options: dict[str, Any]) -> Iterable[str]:
        """Return the lines of the module."""
        connection: Any = connections[options["database"]]
        if connection.vendor != VENDOR:
            return super().handle_inspection(options)
        return self._inspect(connection, options)

    def _inspect(self, connection: DatabaseWrapper, options: dict[str, Any]) -> Iterator[str]:
        self._connection = connection
        self._catalog: Catalog = read_catalog(connection)
        # Model name -> table, table -> columns of its primary key, table -> column used as its key.
        self._tables: dict[str, str] = {}
        self._keys: dict[str, list[str]] = {}
        self._substitutes: dict[str, str] = {}
        options = options | {"include_views": True}
        if not options["table"]:
            options["table"] = list(self._chosen(options.get("table_name_filter")))
            if not options["table"]:
                # Django would take all tables instead.
                options["table_name_filter"] = lambda name: False
        lines = [line for written in super().handle_inspection(options) for line in self._rewrite(written)]
        for line in lines:
            yield line
            if line == "from django.db import models":
                yield from imports(lines)

    def _chosen(self, is_wanted: Callable[[str], bool] | None) -> Iterator[str]:
        """Yield the names of the relations, each after those that it reads."""
        for found in self._catalog.in_order():
            connector = read_connector(found.definition)
            if (
                found.kind in _RELATIONS
                # The source of mirrors has no columns.
                and not (connector and str(connector.options.get("connector")).endswith("-cdc"))
                and found.name != MigrationRecorder.Migration._meta.db_table
                and not is_temporary_name(found.name)
                and (is_wanted is None or is_wanted(found.name))
            ):
                yield found.name

    # Names ----------------------------------------------------------------------------------------------

    def normalize_table_name(self, table_name: str) -> str:
        """Return the model's name, and remember its table."""
        name: str = super().normalize_table_name(table_name)
        if not name.isidentifier() or name in RESERVED:
            name = f"Model{name}"
        number, unique = 1, name
        while self._tables.get(unique, table_name) != table_name:
            number += 1
            unique = f"{name}{number}"
        self._tables[unique] = table_name
        return unique

    def normalize_col_name(
        self,
        col_name: str,
        used_column_names: list[str],
        is_relation: bool,  # noqa: FBT001 - Django's signature
    ) -> tuple[str, dict[str, Any], list[str]]:
        """Return the field's name, which must not hide an attribute of each model."""
        name, params, notes = super().normalize_col_name(col_name, used_column_names, is_relation)
        if hasattr(models.Model, name) or name == "objects":
            name = f"{name}_field"
            params["db_column"] = col_name
            notes.append("Field renamed because each model has an attribute of this name.")
        return name, params, notes

    def _field_name(self, column: str) -> str:
        return self.normalize_col_name(column, [], False)[0]

    # Lines ----------------------------------------------------------------------------------------------

    def _rewrite(self, line: str) -> Iterator[str]:
        """Yield Django's line with the model's base class and primary key."""
        if match := re.fullmatch(r"class (\w+)\(models\.Model\):", line):
            found = self._relation(self._tables[match[1]])
            yield f"class {match[1]}({base_class(found)}):"
            if is_mirror(found.definition):
                yield "    # It follows a table of PostgreSQL. If that is a model's, declare a Mirror."
            if self._has_row_id(found.name):
                yield "    row_id = RowIdField()"
        elif match := re.fullmatch(r"    pk = models\.CompositePrimaryKey\((.*)\)", line):
            columns = re.findall(r"'(.*?)'(?:, |$)", match[1])
            names = ", ".join(repr(self._field_name(column)) for column in columns)
            yield f"    pk = models.CompositePrimaryKey({names})"
        elif f"db_column={ROW_ID!r}" not in line:
            # Keys of materialized views may be NULL, which Django's system checks refuse.
            if "primary_key=True" in line:
                line = line.replace(", blank=True, null=True", "")
            yield re.sub(r"\bmodels\.(ArrayField|NaiveDateTimeField)\(", r"\1(", line)

    def get_field_type(
        self, connection: Any, table_name: str, row: Any
    ) -> tuple[str, dict[str, Any], list[str]]:
        """Return the field's type, its arguments and its comments."""
        field_type, params, notes = super().get_field_type(connection, table_name, row)
        column_type = TYPES.get(row.type_code)
        if column_type and column_type.is_array:
            arguments = _DECIMAL if column_type.field == "DecimalField" else ""
            base = _Code(f"models.{column_type.field}({arguments})")
            field_type, params, notes = "ArrayField", {"base_field": base}, []
        elif row.type_code == _TIMESTAMP:
            field_type = "NaiveDateTimeField"
        elif field_type == "CharField" and "max_length" not in params:
            # RisingWave's varchar has no length, and is the same type as text.
            field_type = "TextField"
        elif field_type == "DecimalField" and row.precision in _NO_PRECISION:
            params = {"max_digits": 28, "decimal_places": 10}
            notes = [
                "The column doesn't record max_digits and decimal_places: 28 is the maximum, 10 a guess."
            ]
        if self._is_substitute_key(table_name, row.name):
            params = {"primary_key": True} | params
            notes.append("The primary key is unknown: set primary_key on the column that identifies a row.")
        return field_type, params, notes

    def get_meta(self, table_name: str, *args: Any) -> list[str]:
        """Return the lines of class Meta, which inherits the Meta of the base class, and of class Stream."""
        found = self._relation(table_name)
        base = base_class(found)
        meta = [
            line.replace("class Meta:", f"class Meta({base}.Meta):")
            for line in super().get_meta(table_name, *args)
        ]
        # The other bases' Meta sets managed = False already.
        if base not in ("RisingWaveModel", "ReadOnlyModel"):
            meta = [line for line in meta if "managed = False" not in line]
        indexes = meta_code(self._catalog, found, self._field_name)
        return [*meta, *indexes, *stream_code(self._catalog, found)]

    # Keys -----------------------------------------------------------------------------------------------

    def _relation(self, table: str) -> CatalogObject:
        return self._catalog.objects[table]

    def _key(self, table: str) -> list[str]:
        if table not in self._keys:
            with self._connection.cursor() as cursor:
                columns = self._connection.introspection.get_primary_key_columns(cursor, table)
            self._keys[table] = columns or []
        return self._keys[table]

    def _has_row_id(self, table: str) -> bool:
        """Return whether the server generates the key, as RisingWave does for a table without one."""
        if self._relation(table).kind != "table":
            return False
        key = self._key(table)
        return key == [ROW_ID] or (not key and self._connection.is_risingwave)

    def _is_substitute_key(self, table: str, column: str) -> bool:
        """Return whether the column becomes the primary key of a relation without one: Django needs one."""
        if self._key(table) or self._has_row_id(table):
            return False
        if table not in self._substitutes:
            with self._connection.cursor() as cursor:
                columns = self._connection.introspection.get_table_description(cursor, table)
            # Django hashes an instance by its key.
            hashable = [other for other in columns if _is_hashable(other.type_code)]
            self._substitutes[table] = (hashable or columns)[0].name
        return column == self._substitutes[table]


def _is_hashable(oid: int) -> bool:
    column_type = TYPES.get(oid)
    return oid not in (_BYTEA, _JSONB) and not (column_type and column_type.is_array)
