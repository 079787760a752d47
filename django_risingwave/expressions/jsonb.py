"""Comparisons and orders of JSON: RisingWave's jsonb has no `<`, and its ORDER BY compares text."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.backends.postgresql.operations import get_json_dumps
from django.db.models import JSONField, Value
from django.db.models.expressions import OrderBy, OrderByList
from django.db.models.fields.json import KeyTransform
from django.db.models.lookups import (
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Range,
)

from django_risingwave.columns.limits import checked_dumps
from django_risingwave.expressions.types import field_of

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper

COMPARISONS: tuple[Any, ...] = (GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual, Range)
ORDERS: tuple[Any, ...] = (OrderBy, OrderByList)

# What jsonb_typeof() gives, and the type to compare in.
_TYPES: dict[type, tuple[str, str]] = {
    bool: ("boolean", "boolean"),
    Decimal: ("number", "numeric"),
    int: ("number", "numeric"),
    str: ("string", "text"),
}


def compare(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Compare JSON with a constant in the constant's type: RisingWave 2.8.0 has no `<` or `>` of jsonb.

    A value of another type is neither less nor greater, and raises no error, since CASE evaluates the cast
    for values of this type only.
    """
    field = field_of(node.lhs)
    if not isinstance(field, JSONField):
        return node.as_sql(compiler, connection, **context)
    values = _values(node)
    constants = [_constant(node, value, field.encoder) for value in values]
    if len(types := {_TYPES[type(constant)] for constant in constants}) != 1:
        _refuse_comparison(node, node.rhs)
    ((json_type, sql_type),) = types
    lhs, params = node.process_lhs(compiler, connection)
    condition = node.get_rhs_op(connection, ["%s"] * len(values) if isinstance(node, Range) else "%s")
    typed = f"({lhs} #>> '{{}}')::{sql_type} {condition}"
    sql = f"CASE WHEN jsonb_typeof({lhs}) = '{json_type}' THEN {typed} WHEN {lhs} IS NOT NULL THEN FALSE END"
    return sql, (*params, *params, *constants, *params)


def order(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Refuse an order by JSON: RisingWave 2.8.0 orders the numbers 1, 10, 2, as text."""
    for expression in node.get_source_expressions():
        if isinstance(field_of(expression), JSONField):
            raise NotSupportedError(
                "RisingWave doesn't order JSON as PostgreSQL does. Order by a cast, such as "
                f"{_cast(expression)}."
            )
    return node.as_sql(compiler, connection, **context)


def _values(node: Any) -> list[Any]:
    if not isinstance(node, Range):
        return [node.rhs]
    # Django makes an ExpressionList of a list with an expression.
    return list(getattr(node.rhs, "get_source_expressions", lambda: node.rhs)())


def _constant(node: Any, value: Any, encoder: Any) -> Any:
    """Return the value as JSON has it."""
    if isinstance(value, Value):
        value = value.value
    if hasattr(value, "as_sql"):
        _refuse_comparison(node, value)
    if not (isinstance(value, Decimal) and encoder is None):
        value = json.loads(checked_dumps(get_json_dumps(encoder))(value), parse_float=Decimal)
    if type(value) not in _TYPES:
        _refuse_comparison(node, value)
    return value


def _refuse_comparison(node: Any, value: Any) -> None:
    other = f"the expression {type(value).__name__}" if hasattr(value, "as_sql") else repr(value)
    raise NotSupportedError(
        f"RisingWave doesn't compare JSON with {other}, only with numbers, strings or booleans of Python. "
        f"Compare casts, such as {_cast(node.lhs)}."
    )


def _cast(expression: Any) -> str:
    if isinstance(expression, OrderBy):
        expression = expression.expression
    keys: list[str] = []
    while isinstance(expression, KeyTransform):
        keys.insert(0, expression.key_name)
        expression = expression.lhs
    column = getattr(getattr(expression, "target", None), "name", "column")
    return f'Cast(KT("{"__".join([column, *(keys or ["key"])])}"), FloatField())'
