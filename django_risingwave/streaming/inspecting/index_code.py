"""The Python code of an index, as inspectdb writes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django_risingwave.streaming.identifiers import unquoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.streaming.inspecting.catalog import CatalogObject

_NAMES = r'(?:[^()"]|"(?:[^"]|"")*")*'
_INDEX = re.compile(
    rf"\s*CREATE\s+INDEX\s.*?\sON\s[^(]*\((?P<columns>{_NAMES})\)"
    rf"(?:\s+INCLUDE\s*\((?P<include>{_NAMES})\))?(?:\s+DISTRIBUTED\s+BY\s*\({_NAMES}\))?[\s;]*\Z",
    re.IGNORECASE | re.DOTALL,
)
_COLUMN = re.compile(
    r'(?P<name>"(?:[^"]|"")+"|\w+)(?:\s+(?P<order>ASC|DESC))?(?:\s+NULLS\s+(?P<nulls>FIRST|LAST))?',
    re.IGNORECASE,
)


def index_code(index: CatalogObject, field_name: Callable[[str], str]) -> str | None:
    """Return the models.Index, or None if the index isn't one of columns, such as one of expressions."""
    match = _INDEX.fullmatch(index.definition)
    columns = [_COLUMN.fullmatch(part.strip()) for part in match["columns"].split(",")] if match else []
    if match is None or not all(columns):
        return None
    fields, expressions, is_plain = [], [], True
    for column in filter(None, columns):
        name = field_name(unquoted(column["name"]))
        is_descending = (column["order"] or "").upper() == "DESC"
        # Both servers sort NULL as the largest value unless told otherwise.
        usual = "first" if is_descending else "last"
        nulls = (column["nulls"] or usual).lower()
        is_plain &= nulls == usual
        fields.append(f"-{name}" if is_descending else name)
        direction = "desc" if is_descending else "asc"
        expressions.append(f"models.F({name!r}).{direction}(nulls_{nulls}=True)")
    arguments = [f"fields={fields!r}"] if is_plain else expressions
    if include := match["include"]:
        stored = [field_name(unquoted(name.strip())) for name in include.split(",")]
        arguments.append(f"include={stored!r}")
    return f"models.Index({', '.join([*arguments, f'name={index.name!r}'])})"
