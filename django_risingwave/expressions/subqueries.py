"""Where RisingWave takes no subquery: in an aggregate, in GROUP BY, and a correlated one beside an aggregate.

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
    """Refuse an aggregate over a subquery, or with one in its filter."""
    if any(_subqueries(node.get_source_expressions())):
        raise NotSupportedError(
            f"RisingWave has no subquery in an aggregate, as in {type(node).__name__}() here. Annotate the "
            "rows with the subquery first, and aggregate() what was annotated."
        )
    return node.as_sql(compiler, connection, **context)


def check_grouped(expressions: Iterable[Any]) -> None:
    """Raise NotSupportedError if one of what is grouped by has a subquery."""
    if any(_subqueries(expressions)):
        raise NotSupportedError(
            "RisingWave has no subquery in GROUP BY. Make two queries of it, or a materialized view."
        )


def check_beside_aggregates(expressions: Iterable[Any]) -> None:
    """Raise NotSupportedError if one of what is selected with aggregates has a correlated subquery."""
    if any(query.get_external_cols() for query in _subqueries(expressions)):
        raise NotSupportedError(
            "RisingWave has no correlated subquery beside an aggregate. Make two queries of it, or a "
            "materialized view."
        )


def _subqueries(expressions: Iterable[Any]) -> Iterator[Any]:
    """Yield the queries in these expressions. A reference to another column of the query is none."""
    for expression in expressions:
        if isinstance(expression, Subquery):
            yield expression.query
        elif isinstance(expression, Query):
            yield expression
        elif expression is not None and not isinstance(expression, Ref):
            yield from _subqueries(getattr(expression, "get_source_expressions", list)())
