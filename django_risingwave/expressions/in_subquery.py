"""Write `IN (subquery)` where RisingWave supports it, and EXISTS elsewhere.

RisingWave 2.8.0 supports `x IN (SELECT …)` only as a condition of its own in WHERE. Under OR, NOT (… AND …)
and CASE, and in the select list, it answers "Feature is not yet implemented: In($1)"
(https://github.com/risingwavelabs/risingwave/issues/1343). `NOT (x IN (SELECT …))` is accepted, but finds
other rows than in PostgreSQL if either side is NULL (https://github.com/risingwavelabs/risingwave/issues/4233).

EXISTS is supported everywhere, but is false where IN is NULL. That makes a difference under NOT and in
results. There a CASE returns NULL, unless neither side can be NULL.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models.expressions import Col, ColPairs, ExpressionWrapper, Subquery
from django.db.models.fields.tuple_lookups import TupleIn
from django.db.models.lookups import Exact, In
from django.db.models.sql import Query
from django.db.models.sql.constants import LOUTER
from django.db.models.sql.where import AND, XOR, WhereNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper

    Sql = tuple[str, Any]

_SELECT = re.compile(r"\(+\s*(?:SELECT|WITH)\b", re.IGNORECASE)


def where_as_risingwave(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Sql:
    """Write IN for conditions of their own in WHERE, and EXISTS under OR, where NULL counts as false."""
    if node is compiler.query.where or node is getattr(compiler, "where", None):
        node = _with_forms(node, as_conjunct=True)
    sql: Sql = node.as_sql(compiler, connection, **context)
    return sql


def in_as_risingwave(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **_: Any) -> Sql:
    """Write IN (subquery) as an expression, which can be NULL."""
    return _as_exists(node, compiler, connection, null_is_false=False)


def tuple_as_risingwave(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper) -> Sql:
    """Write a comparison of several columns with a subquery as EXISTS, with a comparison for each column.

    In RisingWave's source, a subquery in an expression returns one column only
    (src/frontend/planner_test/tests/testdata/output/subquery_expr_correlated.yaml at v3.0.3). Except for
    `in`, the result is false rather than NULL if the subquery returns no row.
    """
    is_in = isinstance(node, TupleIn)
    columns = [_column(number, column.output_field) for number, column in enumerate(node.lhs)]
    if is_in:
        # Not a TupleExact, whose right side is values only on Django 5.2.0.
        equal: list[Any] = [Exact(*pair) for pair in zip(node.lhs, columns, strict=True)]
        condition, params = WhereNode(equal, AND).as_sql(compiler, connection)
    else:
        condition, params = type(node)(node.lhs, columns).get_fallback_sql(compiler, connection)
    rows, rows_params = (_of_rows(node) if is_in else node).process_rhs(compiler, connection)
    table = f'{rows} AS "_in" ({", ".join(_name(column) for column in columns)})'
    true = f"EXISTS (SELECT 1 FROM {table} WHERE {condition})"  # noqa: S608 - Django's SQL
    can_be_null = any(_can_be_null(column, compiler.query) for column in node.lhs) or _selects_null(node.rhs)
    if not (is_in and can_be_null):
        return true, (*rows_params, *params)
    pairs, pairs_params = _equal_or_null(node.lhs, columns, compiler)
    null = f"EXISTS (SELECT 1 FROM {table} WHERE {pairs})"  # noqa: S608 - Django's SQL
    return _three_valued(true, null), (*rows_params, *params, *rows_params, *pairs_params)


@dataclass(frozen=True)
class _InForm:
    """An `in` lookup, with the form that its place in WHERE allows."""

    lookup: Any
    write: Callable[..., Sql]

    def as_sql(self, compiler: SQLCompiler, connection: DatabaseWrapper) -> Sql:
        return self.write(self.lookup, compiler, connection)


@dataclass(frozen=True)
class _Rows:
    """The rows of a subquery, rather than its single value: scalar_subqueries.py limits those."""

    query: Any

    @property
    def _db(self) -> str | None:
        """The alias that the queryset uses, which `in` compares with its own."""
        return getattr(self.query, "_db", None)

    def as_sql(self, compiler: SQLCompiler, connection: DatabaseWrapper) -> Sql:
        sql: Sql = self.query.as_sql(compiler, connection)
        return sql


def _with_forms(node: Any, *, as_conjunct: bool) -> Any:
    if isinstance(node, In) and not isinstance(node, TupleIn):
        return _InForm(node, _as_in if as_conjunct else _as_positive_exists)
    if not isinstance(node, WhereNode) or node.negated or node.connector == XOR:
        return node
    as_conjunct = as_conjunct and (node.connector == AND or len(node.children) == 1)
    children = [_with_forms(child, as_conjunct=as_conjunct) for child in node.children]
    clone = node.create(children, node.connector)
    clone.resolved = node.resolved
    return clone


def _as_in(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper) -> Sql:
    # The lookup of a foreign key of several columns becomes a TupleIn, which needs the query itself.
    lookup = node if isinstance(node.lhs, ColPairs) else _of_rows(node)
    sql: Sql = lookup.as_sql(compiler, connection)
    return sql


def _as_positive_exists(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper) -> Sql:
    return _as_exists(node, compiler, connection, null_is_false=True)


def _as_exists(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, *, null_is_false: bool) -> Sql:
    # The lookup's own as_sql() comes first: that of a ForeignKey's lookup does more than that of In.
    sql, params = _as_in(node, compiler, connection)
    if node.rhs_is_direct_value() or isinstance(node.lhs, ColPairs):
        return sql, params
    left, left_params = node.process_lhs(compiler, connection)
    rows = sql.removeprefix(f"{left} IN ")
    if rows == sql or not _SELECT.match(rows):
        return sql, params
    rows_params = tuple(params[len(left_params) :])
    table = f'{rows} AS "_in" ("column0")'
    exists = f'EXISTS (SELECT 1 FROM {table} WHERE "_in"."column0" = {left})'  # noqa: S608 - Django's SQL
    if null_is_false or not (_can_be_null(node.lhs, compiler.query) or _selects_null(node.rhs)):
        return exists, (*rows_params, *left_params)
    null = f'EXISTS (SELECT 1 FROM {table} WHERE "_in"."column0" IS NULL OR {left} IS NULL)'  # noqa: S608
    return _three_valued(exists, null), (*rows_params, *left_params) * 2


def _three_valued(true: str, null: str) -> str:
    return f"CASE WHEN {true} THEN TRUE WHEN {null} THEN NULL::boolean ELSE FALSE END"


def _equal_or_null(left: Any, right: Any, compiler: SQLCompiler) -> Sql:
    """Write that no pair of columns differs for certain."""
    conditions = []
    params: list[Any] = []
    for left_column, right_column in zip(left, right, strict=True):
        a, a_params = compiler.compile(left_column)
        b, _ = compiler.compile(right_column)
        conditions.append(f"({a} = {b} OR {a} IS NULL OR {b} IS NULL)")
        params += [*a_params, *a_params]
    return " AND ".join(conditions), params


def _of_rows(node: Any) -> Any:
    """Return the lookup with a right side that returns rows, if it is a subquery."""
    query = node.rhs.expression if isinstance(node.rhs, ExpressionWrapper) else node.rhs
    if type(query) is Subquery:
        query = query.query
    if not isinstance(query, Query):
        return node
    node = copy(node)
    node.rhs = _Rows(query)
    return node


def _column(number: int, field: Any) -> Col:
    column = copy(field)
    column.column = f"column{number}"
    return Col("_in", column, field)


def _name(column: Any) -> str:
    return f'"{column.target.column}"'


def _can_be_null(expression: Any, query: Any) -> bool:
    """Return whether an expression can be NULL, as far as Django knows.

    Nothing holds the columns of an unmanaged model, such as that of a view, to what its fields say.
    """
    if not isinstance(expression, Col) or not expression.target.model._meta.managed:
        return True
    join = query.alias_map.get(expression.alias)
    return join is None or join.join_type == LOUTER or expression.target.null


def _selects_null(subquery: Any) -> bool:
    query = subquery.query if isinstance(subquery, Subquery) else subquery
    return (
        not isinstance(query, Query)
        or bool(query.combinator or query.annotation_select or query.extra_select)
        or any(_can_be_null(column, query) for column in query.select)
    )
