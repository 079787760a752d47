"""Window functions with the figures that PostgreSQL gives, or NotSupportedError.

With ORDER BY and no frame, RisingWave 2.8.0 ends the frame at the row, PostgreSQL at its last peer: rows that
are equal in the order would silently get other figures. So each frame is written out, in a form that both
servers understand alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.models import (
    Aggregate,
    Avg,
    Count,
    DateField,
    DateTimeField,
    DecimalField,
    FloatField,
    Func,
    IntegerField,
    RowRange,
    StdDev,
    Sum,
    ValueRange,
    Variance,
)
from django.db.models.expressions import Col, OrderBy, OrderByList, WindowFrameExclusion
from django.db.models.functions import DenseRank, FirstValue, LastValue, Rank, RowNumber

from django_risingwave.expressions.joins import repeats_rows
from django_risingwave.expressions.types import field_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper

# RisingWave 2.8.0 refuses them without ORDER BY.
_NUMBERING = (DenseRank, Rank, RowNumber)
# Of a frame without values, RisingWave 2.8.0 gives SUM() as 0 and divides by zero for the others.
_NOT_OF_NOTHING = (Avg, StdDev, Sum, Variance)


def window(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write the frame out, and NULL for a frame without values."""
    function = node.source_expression
    # src/frontend/src/binder/expr/function/mod.rs
    if getattr(function, "filter", None) is not None:
        raise NotSupportedError(
            "RisingWave doesn't support filter= in a window function. Put the condition into the aggregate: "
            "Sum(Case(When(condition, then=...)))."
        )
    node = _with_frame(node, compiler)
    sql, params = node.as_sql(compiler, connection, **context)
    if isinstance(function, _NUMBERING) and not _expressions(node.order_by):
        raise NotSupportedError(
            f"RisingWave doesn't support {function.function}() without an order. Pass order_by to Window(), "
            "or order the queryset if it is a sliced prefetch."
        )
    if not (isinstance(function, _NOT_OF_NOTHING) and _may_hold_nothing(node.frame)):
        return sql, params
    count = node.copy()
    count.source_expression = Count(function.get_source_expressions()[0])
    count_sql, count_params = count.as_sql(compiler, connection)
    return f"CASE WHEN {count_sql} > 0 THEN {sql} END", (*count_params, *params)


def window_frame(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Refuse EXCLUDE GROUP and TIES: src/frontend/src/binder/expr/function/window.rs."""
    if node.exclusion in (WindowFrameExclusion.GROUP, WindowFrameExclusion.TIES):
        raise NotSupportedError(
            f"RisingWave doesn't support EXCLUDE {node.exclusion.value}, only CURRENT ROW and NO OTHERS."
        )
    return node.as_sql(compiler, connection, **context)


def lag_or_lead(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Refuse a default, which RisingWave 2.8.0 lacks."""
    if len(node.get_source_expressions()) > 2:  # the expression and the offset
        raise NotSupportedError(
            f"RisingWave doesn't support a default in {node.function}(). Wrap the window in Coalesce()."
        )
    return node.as_sql(compiler, connection, **context)


def _with_frame(node: Any, compiler: SQLCompiler) -> Any:
    """Return the window with a frame that holds the same rows on both servers.

    A frame of PostgreSQL's RANGE ends at the last row that is equal in the order, a peer. If all rows of the
    partition are peers, that is the whole partition; if none are, it is the row itself.
    """
    frame: Any = node.frame
    function, items = node.source_expression, _expressions(node.order_by)
    if isinstance(frame, RowRange):
        return node
    if not isinstance(function, Aggregate | FirstValue | LastValue):
        # PostgreSQL computes the others without the frame.
        return _replace(node, node.order_by, None)
    if frame is None and (isinstance(function, FirstValue) or not items):
        # The first value is the same wherever the frame ends. Without an order all rows are in the frame.
        return node
    if frame is None:
        frame = ValueRange(end=0)
    compiler.compile(frame)  # Django refuses other bounds than None and 0.
    for order in (items, order_within := _order_within_partition(node, compiler)):
        if len(order) == 1 and (comparable := _comparable(order[0])):
            return _replace(node, OrderByList(comparable), frame)
    if not order_within:
        return _replace(node, None, RowRange(exclusion=frame.exclusion) if frame.exclusion else None)
    if frame.start.value is frame.end.value is None or _holds_key(map(_ordered, items), compiler):
        return _replace(node, node.order_by, RowRange(frame.start.value, frame.end.value, frame.exclusion))
    raise NotSupportedError(
        f"RisingWave can't tell which rows are equal in the order of the window of {function.function}(): it "
        "only compares one number, date or timestamp. Add the primary key to order_by, or pass "
        "frame=RowRange(end=0) if the frame may end at the row."
    )


def _replace(node: Any, order_by: Any, frame: Any) -> Any:
    clone = node.copy()
    clone.order_by, clone.frame = order_by, frame
    return clone


def _expressions(expressions: Any) -> list[Any]:
    return expressions.get_source_expressions() if expressions is not None else []


def _ordered(item: Any) -> Any:
    return item.expression if isinstance(item, OrderBy) else item


def _order_within_partition(node: Any, compiler: SQLCompiler) -> list[Any]:
    """Return the items of order_by without those in which all rows of a partition are equal."""
    partition = [compiler.compile(expression) for expression in _expressions(node.partition_by)]
    return [item for item in _expressions(node.order_by) if compiler.compile(_ordered(item)) not in partition]


def _holds_key(expressions: Iterable[Any], compiler: SQLCompiler) -> bool:
    """Return whether no two rows of the query are equal in these expressions, since they hold the key."""
    query: Any = compiler.query
    if query.extra_tables or repeats_rows(query):
        return False
    columns = {
        column.target
        for column in expressions
        if isinstance(column, Col) and column.alias == query.base_table
    }
    return columns.issuperset(query.get_meta().pk_fields)


def _comparable(item: Any) -> Any:
    """Return the item in a type that RisingWave compares in a RANGE frame, or None if there is none.

    2.8.0 compares numbers and timestamps, and asks for a cast of dates to timestamp.
    """
    expression = _ordered(item)
    field = field_of(expression)
    if isinstance(field, DateTimeField | DecimalField | FloatField | IntegerField):
        return item
    if not isinstance(field, DateField):
        return None
    timestamp = Func(expression, template="(%(expressions)s)::timestamp", output_field=DateTimeField())
    if not isinstance(item, OrderBy):
        return timestamp
    clone = item.copy()
    clone.expression = timestamp
    return clone


def _may_hold_nothing(frame: Any) -> bool:
    """Return whether the frame can lose rows or lie beside the row, so that it may hold no value."""
    if frame is None:
        return False
    start, end = frame.start.value, frame.end.value
    return bool(start is not None or (end is not None and end < 0) or frame.exclusion)
