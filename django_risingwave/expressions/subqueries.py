"""Refuse subqueries where RisingWave doesn't support them.

These are subqueries in an aggregate and in GROUP BY, and correlated subqueries next to an aggregate:

src/frontend/src/optimizer/plan_node/logical_agg.rs and src/frontend/src/binder/expr/function/aggregate.rs at
v3.0.3; https://github.com/risingwavelabs/risingwave/issues/2275.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.models.expressions import Ref, Subquery
from django.db.models.sql import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper


def aggregate_as_risingwave(
    node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any
) -> Any:
    """Refuse an aggregate whose argument or filter contains a subquery."""
    if any(_subqueries(node.get_source_expressions())):
        raise NotSupportedError(
            f"RisingWave doesn't support a subquery in an aggregate ({type(node).__name__}). Annotate the "
            "rows with the subquery first, then aggregate() the annotation."
        )
    return node.as_sql(compiler, connection, **context)


def check_grouped(expressions: Iterable[Any]) -> None:
    """Raise NotSupportedError if a GROUP BY expression contains a subquery."""
    if any(_subqueries(expressions)):
        raise NotSupportedError(
            "RisingWave doesn't support a subquery in GROUP BY. Use two queries, or a materialized view."
        )


def check_beside_aggregates(expressions: Iterable[Any]) -> None:
    """Raise NotSupportedError if an expression selected with aggregates contains a correlated subquery."""
    if any(query.get_external_cols() for query in _subqueries(expressions)):
        raise NotSupportedError(
            "RisingWave doesn't support a correlated subquery next to an aggregate. Use two queries, or a "
            "materialized view."
        )


def _subqueries(expressions: Iterable[Any]) -> Iterator[Any]:
    """Yield the subqueries in these expressions, except those behind a reference to another column."""
    for expression in expressions:
        if isinstance(expression, Subquery):
            yield expression.query
        elif isinstance(expression, Query):
            yield expression
        elif expression is not None and not isinstance(expression, Ref):
            yield from _subqueries(getattr(expression, "get_source_expressions", list)())
