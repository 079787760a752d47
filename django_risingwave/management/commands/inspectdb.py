"""inspectdb for RisingWave: views and sources become read-only models, and every model has a primary key.

For other databases it is Django's command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.core.management.commands.inspectdb import Command as InspectCommand
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from django_risingwave.routers import VENDOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django_risingwave.base import DatabaseWrapper

_ROW_ID = "_row_id"
_BASES = {"table": "RisingWaveModel", "materialized view": "MaterializedView"}
_READ_ONLY = "ReadOnlyModel"
# Base fields by the OID of the array type: src/common/src/types/postgres_type.rs at v3.0.3. The OID doesn't
# give the number of dimensions.
_ARRAYS = {
    1000: "BooleanField()",
    1001: "BinaryField()",
    1005: "SmallIntegerField()",
    1007: "IntegerField()",
    1009: "TextField()",
    1015: "TextField()",
    1016: "BigIntegerField()",
    1021: "FloatField()",
    1022: "FloatField()",
    1115: "NaiveDateTimeField()",
    1182: "DateField()",
    1183: "TimeField()",
    1185: "DateTimeField()",
    1187: "DurationField()",
    1231: "DecimalField(max_digits=28, decimal_places=10)",
    3807: "JSONField()",
}
_BYTEA, _JSONB, _TIMESTAMP = 17, 3802, 1114
_UNHASHABLE = _ARRAYS.keys() | {_BYTEA, _JSONB}
# precision of a numeric without arguments: None in psycopg 3, 65535 in psycopg2.
_NO_PRECISION = (None, 65535)
_IMPORTS = {
    "ArrayField": "django.contrib.postgres.fields",
    "NaiveDateTimeField": "django_risingwave.fields",
    "RowIdField": "django_risingwave.fields",
    "MaterializedView": "django_risingwave.models",
    "ReadOnlyModel": "django_risingwave.models",
    "RisingWaveModel": "django_risingwave.models",
}


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
        with connection.cursor() as cursor:
            introspection: Any = connection.introspection
            self._kinds: dict[str, str] = introspection.get_relation_kinds(cursor)
        # Model name -> table, table -> columns of its primary key, table -> column used as its key.
        self._tables: dict[str, str] = {}
        self._keys: dict[str, list[str]] = {}
        self._substitutes: dict[str, str] = {}
        options = options | {"include_views": True}
        if not options["table"]:
            options["table_name_filter"] = _without_migrations(options.get("table_name_filter"))
        lines = [line for written in super().handle_inspection(options) for line in self._rewrite(written)]
        text = "\n".join(lines)
        used = [name for name in _IMPORTS if re.search(rf"\b{name}\(|\({name}[.)]", text)]
        for line in lines:
            yield line
            if line == "from django.db import models":
                yield from _imports(used)

    def normalize_table_name(self, table_name: str) -> str:
        """Return the model's name, and remember its table."""
        name: str = super().normalize_table_name(table_name)
        self._tables[name] = table_name
        return name

    def _rewrite(self, line: str) -> Iterator[str]:
        """Yield Django's line with the model's base class and primary key."""
        if match := re.fullmatch(r"class (\w+)\(models\.Model\):", line):
            table = self._tables[match[1]]
            yield f"class {match[1]}({self._base(table)}):"
            if self._has_row_id(table):
                yield "    row_id = RowIdField()"
        elif f"db_column={_ROW_ID!r}" not in line:
            # Keys of materialized views may be NULL, which Django's system checks refuse.
            if "primary_key=True" in line:
                line = line.replace(", blank=True, null=True", "")
            yield re.sub(rf"models\.({'|'.join(_IMPORTS)})\(", r"\1(", line)

    def get_field_type(
        self, connection: Any, table_name: str, row: Any
    ) -> tuple[str, dict[str, Any], list[str]]:
        """Return the field's type, its arguments and its comments."""
        field_type, params, notes = super().get_field_type(connection, table_name, row)
        if array := _ARRAYS.get(row.type_code):
            # _rewrite() removes the module of fields that aren't Django's own.
            field_type, params, notes = "ArrayField", {"base_field": _Code(f"models.{array}")}, []
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
        """Return the lines of class Meta, which inherits the Meta of the base class."""
        base = self._base(table_name)
        lines = [
            line.replace("class Meta:", f"class Meta({base}.Meta):")
            for line in super().get_meta(table_name, *args)
        ]
        # MaterializedView.Meta sets managed = False already.
        return [line for line in lines if base != "MaterializedView" or "managed = False" not in line]

    def _base(self, table: str) -> str:
        return _BASES.get(self._kinds.get(table, "table"), _READ_ONLY)

    def _key(self, table: str) -> list[str]:
        if table not in self._keys:
            with self._connection.cursor() as cursor:
                columns = self._connection.introspection.get_primary_key_columns(cursor, table)
            self._keys[table] = columns or []
        return self._keys[table]

    def _has_row_id(self, table: str) -> bool:
        """Return whether the server generates the key, as RisingWave does for a table without one."""
        if self._kinds.get(table) != "table":
            return False
        key = self._key(table)
        return key == [_ROW_ID] or (not key and self._connection.is_risingwave)

    def _is_substitute_key(self, table: str, column: str) -> bool:
        """Return whether the column becomes the primary key of a relation without one: Django needs one."""
        if self._key(table) or self._has_row_id(table):
            return False
        if table not in self._substitutes:
            with self._connection.cursor() as cursor:
                columns = self._connection.introspection.get_table_description(cursor, table)
            # Django hashes an instance by its key.
            hashable = [other for other in columns if other.type_code not in _UNHASHABLE]
            self._substitutes[table] = (hashable or columns)[0].name
        return column == self._substitutes[table]


def _without_migrations(given: Any) -> Any:
    migrations = MigrationRecorder.Migration._meta.db_table

    def is_wanted(table: str) -> bool:
        return table != migrations and (given is None or bool(given(table)))

    return is_wanted


def _imports(names: Iterable[str]) -> Iterator[str]:
    by_module: dict[str, list[str]] = {}
    for name in names:
        by_module.setdefault(_IMPORTS[name], []).append(name)
    for module, group in by_module.items():
        yield f"from {module} import {', '.join(sorted(group))}"
