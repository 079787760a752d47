"""Make RisingWave accept subqueries that return one value, or refuse them with NotSupportedError.

RisingWave's planner must know that a correlated one returns at most one row. It knows that of LIMIT 1, of an
aggregate without GROUP BY and of a filter on a table's primary key (CardinalityVisitor in
src/frontend/src/optimizer/plan_visitor/cardinality_visitor.rs). It refuses all others with "Scalar subquery
might produce more than one row" (RisingWave 2.8.0), such as those of "Using aggregates within a Subquery
expression" in Django's documentation.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.models.expressions import Col, ColPairs, Exists, Func, RawSQL, Subquery
from django.db.models.fields.tuple_lookups import TupleExact
from django.db.models.lookups import Exact
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode

from django_risingwave.expressions.joins import repeats_rows
from django_risingwave.expressions.subqueries import subqueries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper

    Sql = tuple[str, Any]

# Aggregates that people write as Func(…, function="SUM"), to have one without GROUP BY.
_AGGREGATES = frozenset(
    ["COUNT", "SUM", "AVG", "MIN", "MAX", "ARRAY_AGG", "STRING_AGG", "JSONB_AGG", "BOOL_AND", "BOOL_OR"]
)


def subquery_as_risingwave(
    node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any
) -> Sql:
    """Limit a Subquery() to the one row that it returns, or refuse it."""
    template = context.get("template") or node.extra.get("template") or node.template
    if template == Subquery.template:
        node = copy(node)
        node.query = _one_row(node.query, connection)
    sql: Sql = node.as_sql(compiler, connection, **context)
    return sql


def query_as_risingwave(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **_: Any) -> Sql:
    """Do the same for a query in an expression: Django 6.1 replaces Subquery() by its query."""
    sql: Sql = _one_row(node, connection).as_sql(compiler, connection)
    return sql


def exact_as_risingwave(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Sql:
    """Compare two subqueries without `=`, which ends the session if it is a condition of WHERE.

    RisingWave 2.8.0 checks whether both sides of `=` are the same, and panics at a subquery
    (ColumnSelfEqualRewriter in src/frontend/src/expr/utils.rs, src/frontend/src/expr/subquery.rs:117). It
    checks no other operator.
    """
    sql, params = node.as_sql(compiler, connection, **context)
    if isinstance(node.lhs, ColPairs) or not (any(subqueries([node.lhs])) and any(subqueries([node.rhs]))):
        return sql, params
    left, _ = node.process_lhs(compiler, connection)
    right = sql.removeprefix(f"{left} = ")
    if right == sql:
        return sql, params
    if isinstance(node.lhs, Exists) and isinstance(node.rhs, Exists):  # neither can be NULL
        return f"{left} IS NOT DISTINCT FROM {right}", params
    return f"NOT ({left} <> {right})", params


def _one_row(query: Any, connection: DatabaseWrapper) -> Any:
    """Return the query, with LIMIT 1 if it needs one.

    Raises NotSupportedError if it might return several rows.
    """
    if query.has_limit_one() or not query.get_external_cols() or _aggregates_all(query):
        return query
    if query.combinator:
        raise _several_rows(f"it is a {query.combinator}")
    if repeats_rows(query) and query.group_by is None:
        raise _several_rows("it joins a table that may have several rows for each of its own")
    columns = _primary_key(query) if query.group_by is None else _grouped(query, connection)
    known = set(_compared(query, query.where))
    for column in columns:
        if not _is_known(column, query, known):
            name = column.target.name if isinstance(column, Col) else column
            raise _several_rows(f"no filter compares {name} with OuterRef()")
    query = query.clone()
    query.set_limits(high=1)
    return query


def _several_rows(reason: str) -> NotSupportedError:
    return NotSupportedError(
        f"RisingWave doesn't support a correlated subquery that might return more than one row: {reason}. "
        "Slice it, as in Subquery(queryset[:1]), or group it by values() of what it compares with OuterRef()."
    )


def _aggregates_all(query: Any) -> bool:
    """Return whether the query aggregates its rows without GROUP BY, or has SQL of its own that may do so."""
    if query.group_by is not None or query.combinator or query.distinct:
        return False
    selected = list(query.annotation_select.values())
    return bool(query.extra_select) or any(map(_is_aggregate, selected))


def _is_aggregate(expression: Any) -> bool:
    if isinstance(expression, RawSQL) or getattr(expression, "contains_aggregate", False):
        return True
    if isinstance(expression, Func):
        function = expression.extra.get("function", expression.function) or ""
        if function.upper() in _AGGREGATES:
            return True
    sources: Any = getattr(expression, "get_source_expressions", list)()
    return not isinstance(expression, Query | Subquery) and any(map(_is_aggregate, sources))


def _primary_key(query: Any) -> list[Any]:
    alias = query.get_initial_alias()
    return [field.get_col(alias) for field in query.get_meta().pk_fields]


def _grouped(query: Any, connection: DatabaseWrapper) -> list[Any]:
    compiler = query.clone().get_compiler(connection=connection)
    compiler.pre_sql_setup()
    grouped: list[Any] = compiler.grouped
    return grouped


def _compared(query: Any, node: Any) -> Iterator[Any]:
    """Yield what the filters of a query compare with values from outside of it."""
    if isinstance(node, WhereNode):
        if not node.negated and (node.connector == AND or len(node.children) == 1):
            for child in node.children:
                yield from _compared(query, child)
    elif isinstance(node, TupleExact):
        values = node.rhs if isinstance(node.rhs, ColPairs | list | tuple) else [node.rhs]
        if all(_is_from_outside(value, query) for value in values):
            yield from map(_key, node.lhs)
    elif isinstance(node, Exact):
        if _is_from_outside(node.rhs, query):
            yield _key(node.lhs)
        elif _is_from_outside(node.lhs, query):
            yield _key(node.rhs)


def _is_from_outside(value: Any, query: Any) -> bool:
    if not hasattr(value, "resolve_expression"):
        return True
    if isinstance(value, ColPairs) or any(subqueries([value])):
        return False
    return all(column.alias in query.external_aliases for column in Query._gen_cols([value]))  # type: ignore[attr-defined]  # not in the stubs


def _is_known(column: Any, query: Any, known: set[Any]) -> bool:
    """Return whether a filter on a column, or on the primary key of its table, leaves it one value."""
    if _key(column) in known or _is_from_outside(column, query):
        return True
    if not isinstance(column, Col):
        return False
    return all((column.alias, field.column) in known for field in column.target.model._meta.pk_fields)


def _key(expression: Any) -> Any:
    """Return what identifies an expression: a foreign key's column has different output fields."""
    return (expression.alias, expression.target.column) if isinstance(expression, Col) else expression
