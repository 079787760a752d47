"""Case-insensitive lookups, also of letters outside of ASCII."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db.models.lookups import IContains, IEndsWith, IExact, IRegex, IStartsWith, Lookup

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper

# What a regular expression of the lookup begins and ends with. Without the option `m`, `^` and `$` only match
# at the beginning and the end of the text: https://docs.rs/regex/1/regex/#empty-matches
_ANCHORS: dict[Any, tuple[str, str]] = {
    IContains: ("", ""),
    IEndsWith: ("", "$"),
    IExact: ("^", "$"),
    IStartsWith: ("^", ""),
}
CASE_INSENSITIVE = tuple(_ANCHORS)

# Special characters outside of brackets, the backslash first: those that follow are quoted with one.
_SPECIAL = "\\.^$*+?()[{|"
_ANY_SPECIAL = re.compile("[" + re.escape(_SPECIAL) + "]")


def ignore_case(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write a regular expression instead of UPPER() where the text to find may not be ASCII.

    UPPER(), LOWER() and ILIKE of RisingWave 2.8.0 only know the letters of ASCII; `(?i)` knows all:
    upper('ç') = 'ç', but 'ÇELIK' ~ '(?i)çel'. A constant of ASCII keeps Django's SQL, which costs less.
    """
    constant = node.rhs_is_direct_value() and not node.bilateral_transforms
    if not connection.is_risingwave or (constant and str(node.rhs).isascii()):
        return node.as_sql(compiler, connection, **context)
    params: Any
    begin, end = next(anchors for lookup, anchors in _ANCHORS.items() if isinstance(node, lookup))
    if constant:
        pattern, params = "%s", (begin + quote(str(node.rhs)) + end,)
    else:
        sql, params = Lookup.process_rhs(node, compiler, connection)
        pattern = f"'{begin}' || {quote_in_sql(sql)} || '{end}'"
    lookup = IRegex(node.lhs, node.rhs)
    lhs, lhs_params = lookup.process_lhs(compiler, connection)
    return f"{lhs} {lookup.get_rhs_op(connection, pattern)}", (*lhs_params, *params)


def quote(text: str) -> str:
    """Return a regular expression that matches this text alone."""
    return _ANY_SPECIAL.sub(r"\\\g<0>", text)


def quote_in_sql(sql: str) -> str:
    """Return SQL that quotes the text of an expression as `quote()` does.

    Uses REPLACE(): REGEXP_REPLACE() of RisingWave 2.8.0 doubles a backslash before a reference to a group.
    """
    for character in _SPECIAL:
        sql = f"REPLACE({sql}, '{character}', '\\{character}')"
    return sql
