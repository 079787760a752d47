"""Refuse subqueries where RisingWave doesn't support them.

These are subqueries in an aggregate, in GROUP BY, in a join condition and in VALUES, and correlated
subqueries next to an aggregate: src/frontend/src/planner/relation.rs, src/frontend/src/binder/values.rs,
src/frontend/src/optimizer/plan_node/logical_agg.rs and src/frontend/src/binder/expr/function/aggregate.rs at
v3.0.3; https://github.com/risingwavelabs/risingwave/issues/2275.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.models.expressions import Ref, Subquery
from django.db.models.lookups import In
from django.db.models.sql import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper


def aggregate_as_risingwave(
    node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any
) -> Any:
    """Refuse an aggregate whose argument or filter contains a subquery."""
    if any(subqueries(node.get_source_expressions())):
        raise NotSupportedError(
            f"RisingWave doesn't support a subquery in an aggregate ({type(node).__name__}). Annotate the "
            "rows with the subquery first, then aggregate() the annotation."
        )
    return node.as_sql(compiler, connection, **context)


def filtered_relation_as_risingwave(
    node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any
) -> Any:
    """Refuse a join condition that contains a subquery."""
    if any(subqueries([node.resolved_condition])):
        raise NotSupportedError(
            "RisingWave doesn't support a subquery in a join condition "
            f"(FilteredRelation({node.relation_name!r})). Evaluate the subquery first, as in "
            "condition=Q(author__in=list(queryset))."
        )
    return node.as_sql(compiler, connection, **context)


def check_inserted(field: Any, value: Any) -> None:
    """Raise NotSupportedError if a value of an INSERT contains a subquery ("Subquery in VALUES" in 2.8.0)."""
    if any(subqueries([value])):
        raise NotSupportedError(
            f"RisingWave doesn't support a subquery as a value of an INSERT ({field}). Evaluate it first."
        )


def check_grouped(expressions: Iterable[Any]) -> None:
    """Raise NotSupportedError if a GROUP BY expression contains a subquery."""
    if any(subqueries(expressions)):
        raise NotSupportedError(
            "RisingWave doesn't support a subquery in GROUP BY. Use two queries, or a materialized view."
        )


def check_beside_aggregates(expressions: Iterable[Any]) -> None:
    """Raise NotSupportedError if an expression selected with aggregates contains a correlated subquery.

    An `in` lookup of a subquery is written as a correlated one: in_subquery.py.
    """
    for query, lookup in _subqueries_and_lookups(expressions, None):
        if isinstance(lookup, In):
            raise NotSupportedError(
                "RisingWave doesn't support an `in` lookup of a subquery next to an aggregate. Evaluate the "
                "subquery first, as in filter(author__in=list(queryset))."
            )
        if query.get_external_cols():
            raise NotSupportedError(
                "RisingWave doesn't support a correlated subquery next to an aggregate. Use two queries, or "
                "a materialized view."
            )


def subqueries(expressions: Iterable[Any]) -> Iterator[Any]:
    """Yield the subqueries in these expressions, except those behind a reference to another column."""
    for query, _ in _subqueries_and_lookups(expressions, None):
        yield query


def _subqueries_and_lookups(expressions: Iterable[Any], parent: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each subquery with the expression that it is a part of."""
    for expression in expressions:
        if isinstance(expression, Subquery):
            yield expression.query, parent
        elif isinstance(expression, Query):
            yield expression, parent
        elif expression is not None and not isinstance(expression, Ref):
            sources: Any = getattr(expression, "get_source_expressions", list)()
            yield from _subqueries_and_lookups(sources, expression)
