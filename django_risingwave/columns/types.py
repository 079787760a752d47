"""The types of columns that RisingWave reports, by oid, and the fields whose values they hold.

The oids are PostgreSQL's: src/common/src/types/postgres_type.rs at v3.0.3. Types without a field, such as
structs, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnType:
    """A type of columns. An array's oid doesn't tell its dimensions."""

    #: Its name in SQL, in a cast too.
    name: str
    #: The class of the field that inspectdb writes for it, or for an array's elements.
    field: str
    is_array: bool = False

    def __str__(self) -> str:
        return f"{self.name}[]" if self.is_array else self.name

    @property
    def field_name(self) -> str:
        """The name of the class of its field."""
        return "ArrayField" if self.is_array else self.field


_TYPES = {
    16: ("boolean", "BooleanField", 1000),
    17: ("bytea", "BinaryField", 1001),
    # A serial, the type of _row_id, has the same oid.
    20: ("bigint", "BigIntegerField", 1016),
    21: ("smallint", "SmallIntegerField", 1005),
    23: ("integer", "IntegerField", 1007),
    25: ("varchar", "TextField", 1009),
    700: ("real", "FloatField", 1021),
    701: ("double precision", "FloatField", 1022),
    1043: ("varchar", "TextField", 1015),
    1082: ("date", "DateField", 1182),
    1083: ("time", "TimeField", 1183),
    1114: ("timestamp", "NaiveDateTimeField", 1115),
    1184: ("timestamptz", "DateTimeField", 1185),
    1186: ("interval", "DurationField", 1187),
    1700: ("numeric", "DecimalField", 1231),
    3802: ("jsonb", "JSONField", 3807),
}
#: By oid.
TYPES = {oid: ColumnType(name, field) for oid, (name, field, _) in _TYPES.items()} | {
    array: ColumnType(name, field, is_array=True) for name, field, array in _TYPES.values()
}
_NAMES = {column_type.name for column_type in TYPES.values()}
# Other names of these types, as fields and the catalogs of both servers write them.
_SYNONYMS = {
    "bool": "boolean",
    "character varying": "varchar",
    "float4": "real",
    "float8": "double precision",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "text": "varchar",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}
# A field of the type also reads those before it.
_WIDENING = (("smallint", "integer", "bigint"), ("real", "double precision"))


def base_type(name: str | None) -> str | None:
    """Return the type of a column or of an array's elements by the one name it has here, or None."""
    name = (name or "").lower().replace("[]", "").strip()
    name = _SYNONYMS.get(name, name)
    return name if name in _NAMES else None


def holds(field_type: str | None, column: ColumnType) -> bool:
    """Return whether a field whose type is `field_type` reads the column's values as its own.

    True for a field of an unknown type, since nobody can tell.
    """
    base = base_type(field_type)
    if field_type is None or base is None:
        return True
    if column.is_array != field_type.endswith("[]"):
        return False
    if base == "real":
        base = "double precision"
    widening = next((types for types in _WIDENING if base in types), (base,))
    return column.name in widening[: widening.index(base) + 1]
