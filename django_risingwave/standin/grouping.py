"""Recognizes sums, counts and averages of one table by key, which the stand-in keeps as a summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from django_risingwave.standin.temporal_filters import (
    TIME_TYPE,
    NotLeavingError,
    conjuncts,
    has_now,
    recognize_filter,
)
from django_risingwave.streaming.aggregates import Average, Count, Sum
from django_risingwave.streaming.reading_sql import UnreadableSQLError, identifier_name, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django_risingwave.standin.temporal_filters import TemporalFilter
    from django_risingwave.streaming.aggregates import Aggregate

# What only a plain view can compute, by the name of a part of SELECT.
_CLAUSES = {
    "with_": "WITH",
    "with": "WITH",
    "distinct": "DISTINCT",
    "having": "HAVING",
    "qualify": "QUALIFY",
    "windows": "WINDOW",
    "order": "ORDER BY",
    "limit": "LIMIT",
    "offset": "OFFSET",
    "joins": "a join",
    "laterals": "LATERAL",
}
_AGGREGATES: dict[type[exp.Expression], type[Aggregate]] = {exp.Sum: Sum, exp.Avg: Average, exp.Count: Count}

# Expressions whose value depends on nothing but their operands, whatever the session's settings.
_IMMUTABLE = (
    exp.Abs, exp.Add, exp.And, exp.Between, exp.Boolean, exp.Case, exp.Coalesce, exp.Column, exp.Div,
    exp.EQ, exp.GT, exp.GTE, exp.Identifier, exp.If, exp.In, exp.Is, exp.LT, exp.LTE, exp.Literal, exp.Lower,
    exp.Mod, exp.Mul, exp.NEQ, exp.Neg, exp.Not, exp.Null, exp.Nullif, exp.Or, exp.Paren, exp.Sub, exp.Upper,
)  # fmt: skip
_NUMBERS = {
    exp.DataType.Type.SMALLINT,
    exp.DataType.Type.INT,
    exp.DataType.Type.BIGINT,
    exp.DataType.Type.DECIMAL,
    exp.DataType.Type.FLOAT,
    exp.DataType.Type.DOUBLE,
}
#: The types of columns, as PostgreSQL writes them, that an expression may compute with.
PLAIN_TYPES = frozenset(
    {
        "bigint",
        "boolean",
        "character varying",
        "double precision",
        "integer",
        "numeric",
        "real",
        "smallint",
        "text",
    }
)


class NotAGroupingError(Exception):
    """A SELECT that isn't sums, counts and averages of one table by key. Its text completes "because …"."""


@dataclass(frozen=True)
class Grouping:
    """Sums, counts and averages of the rows of one table, by key. All SQL is PostgreSQL's."""

    source: str
    #: What a row must meet to be counted, besides the temporal filter.
    condition: str | None
    #: The SQL of each key, by the column of the summary that has it.
    keys: Mapping[str, str]
    measures: Mapping[str, Aggregate]
    #: The key of the summary or the measure, by the column of the SELECT that has it; in the SELECT's order.
    columns: Mapping[str, str]
    #: The condition by which rows leave as time passes.
    temporal_filter: TemporalFilter | None = None


def source_of(query: str) -> str:
    """Return the name of the only table that the SELECT reads. Raises NotAGroupingError."""
    return _source(_parse(query))


def recognize(query: str, types: Mapping[str, str] | None) -> Grouping:
    """Return what the SELECT groups, and how. Raises NotAGroupingError.

    `types` has the type of each column of the table, as PostgreSQL writes it; None if it isn't known.
    """
    select = _parse(query)
    source = _source(select)
    where, group = select.args.get("where"), select.args.get("group")
    if group is None or not group.expressions or any(v for k, v in group.args.items() if k != "expressions"):
        raise NotAGroupingError("it doesn't group by columns")
    outputs = {_output_name(item): _normalized(item.unalias()) for item in select.expressions}
    if len(outputs) < len(select.expressions):
        raise NotAGroupingError("two of its columns have one name")
    keys: dict[str, str] = {}
    for number, item in enumerate(group.expressions):
        key = _key(item, list(outputs.values()), outputs, types)
        name = next((name for name, output in outputs.items() if output == key), f"*.key{number}")
        _check_immutable(key, types)
        keys[name] = _sql(key)
    measures: dict[str, Aggregate] = {}
    for name, output in outputs.items():
        if type(output) in _AGGREGATES:
            measures[name] = _measure(output, types)
        elif _sql(output) not in keys.values():
            raise _more_than_a_grouping(output)
    by_sql = {sql: key for key, sql in keys.items()}
    columns = {name: name if name in measures else by_sql[_sql(outputs[name])] for name in outputs}
    condition, temporal_filter = _conditions(where, types)
    return Grouping(source, condition, keys, measures, columns, temporal_filter)


def _conditions(
    where: exp.Expression | None, types: Mapping[str, str] | None
) -> tuple[str | None, TemporalFilter | None]:
    """Return the SQL of what depends on the row alone, and the temporal filter."""
    if where is None:
        return None, None
    parts = list(conjuncts(_normalized(where.this)))
    temporal = [part for part in parts if has_now(part)]
    others = [part for part in parts if not has_now(part)]
    for part in others:
        _check_immutable(part, types)
    condition = " AND ".join(f"({_sql(part)})" for part in others) or None
    if not temporal:
        return condition, None
    try:
        (node,) = temporal
        found = recognize_filter(node)
    except (ValueError, NotLeavingError):
        raise NotAGroupingError(
            f"rows don't leave by {' AND '.join(map(_sql, temporal))} in the order of one column"
        ) from None
    if types is not None and types.get(found.column) != TIME_TYPE:
        raise NotAGroupingError(f"{_sql(node)} compares {found.column}, which isn't a {TIME_TYPE}")
    return condition, found


def _parse(query: str) -> exp.Select:
    try:
        select = parse(query)
    except UnreadableSQLError:
        raise NotAGroupingError("sqlglot can't read its SELECT") from None
    if not isinstance(select, exp.Select):
        raise NotAGroupingError("it is more than one SELECT")
    return select


def _source(select: exp.Select) -> str:
    for part, clause in _CLAUSES.items():
        if select.args.get(part):
            raise NotAGroupingError(f"it has {clause}")
    origin = select.args.get("from_") or select.args.get("from")
    table = origin.this if origin is not None else None
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise NotAGroupingError("it doesn't read one table")
    used = {part for part, value in table.args.items() if value} - {"this", "alias"}
    if used or (table.args.get("alias") and table.args["alias"].args.get("columns")):
        raise NotAGroupingError("it reads its table by more than a name")
    if any(part is not select for part in select.find_all(exp.Query)):
        raise NotAGroupingError("it has a subquery")
    return identifier_name(table.this)


def _key(
    item: exp.Expression,
    positions: list[exp.Expression],
    outputs: Mapping[str, exp.Expression],
    types: Mapping[str, str] | None,
) -> exp.Expression:
    """Return the expression of an item of GROUP BY, which may be a position or the name of an output."""
    if isinstance(item, exp.Literal) and item.is_int:
        number = int(item.this)
        if not 1 <= number <= len(positions):
            raise NotAGroupingError(f"it has no column {number}")
        return positions[number - 1]
    key = _normalized(item)
    # A column of the table comes before an output of that name.
    if isinstance(key, exp.Column) and types is not None and key.name not in types and key.name in outputs:
        return outputs[key.name]
    return key


def _measure(node: exp.Expression, types: Mapping[str, str] | None) -> Aggregate:
    argument = node.this
    if any(value for part, value in node.args.items() if part not in ("this", "big_int")):
        raise NotAGroupingError(f"{_sql(node)} has more than one argument")
    if isinstance(argument, exp.Star):
        return Count()
    if isinstance(argument, exp.Distinct):
        raise NotAGroupingError(f"{_sql(node)} needs the distinct values")
    # Whether a column is NULL depends on nothing else, whatever its type.
    if not (isinstance(node, exp.Count) and isinstance(argument, exp.Column)):
        _check_immutable(argument, types)
    return _AGGREGATES[type(node)](_sql(argument))


def _check_immutable(node: exp.Expression, types: Mapping[str, str] | None) -> None:
    """Raise NotAGroupingError unless the expression's value depends on nothing but the row."""
    if isinstance(node, exp.Column):
        if types is not None and node.name not in types:
            raise NotAGroupingError(f"{_sql(node)} is not a column of the table")
        return
    for part in node.walk():
        if isinstance(part, exp.Column):
            if types is not None and types.get(part.name) not in PLAIN_TYPES:
                raise NotAGroupingError(f"{_sql(node)} computes with {part.name}, which has another type")
        elif isinstance(part, exp.Cast):
            if type(part) is not exp.Cast or part.to.this not in _NUMBERS or part.to.expressions:
                raise NotAGroupingError(f"{_sql(node)} may depend on the session")
        elif not isinstance(part, (*_IMMUTABLE, exp.DataType)):
            raise NotAGroupingError(f"{_sql(node)} may not depend on the row alone")


def _normalized(node: exp.Expression) -> exp.Expression:
    """Return the expression with all columns quoted, and without the name of the table."""

    def normalize(part: exp.Expression) -> exp.Expression:
        if isinstance(part, exp.Column) and isinstance(part.this, exp.Identifier):
            return exp.column(exp.to_identifier(identifier_name(part.this), quoted=True))
        return part

    return node.copy().transform(normalize)


def _output_name(item: exp.Expression) -> str:
    if isinstance(item, exp.Alias):
        return identifier_name(item.args["alias"])
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Identifier):
        return identifier_name(item.this)
    if isinstance(item, (exp.Sum, exp.Avg, exp.Count)):
        return item.key
    raise _more_than_a_grouping(item)


def _more_than_a_grouping(node: exp.Expression) -> NotAGroupingError:
    return NotAGroupingError(f"{_sql(node)} is more than a sum, a count, an average or a key")


def _sql(node: exp.Expression) -> str:
    return node.sql(dialect="postgres")
