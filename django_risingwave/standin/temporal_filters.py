"""Recognizes temporal filters such as `placed_at > now() - INTERVAL '1 hour'`, by which rows leave a view.

RisingWave removes rows as time passes: https://docs.risingwave.com/processing/sql/temporal-filters
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator

# The comparisons after which a row leaves and never comes back, by whether now() is on the left.
_LEAVING = {False: (exp.GT, exp.GTE), True: (exp.LT, exp.LTE)}
#: The type of the columns that rows leave by, as PostgreSQL writes it.
TIME_TYPE = "timestamp with time zone"


class NotLeavingError(Exception):
    """A condition with now() by which rows don't leave in the order of one column."""


@dataclass(frozen=True)
class TemporalFilter:
    """A condition that a row meets until some time, earlier the smaller the column's value is."""

    #: The name of the column, of type TIME_TYPE.
    column: str
    #: The condition, in PostgreSQL's SQL.
    condition: str


def conjuncts(node: Any) -> Iterator[exp.Expression]:
    """Yield the conditions that AND connects."""
    inner = node.unnest()
    if isinstance(inner, exp.And):
        yield from conjuncts(inner.left)
        yield from conjuncts(inner.right)
    else:
        yield node


def has_now(node: Any) -> bool:
    """Return whether the expression has now() in it."""
    return node.find(exp.CurrentTimestamp) is not None


def recognize_filter(node: Any) -> TemporalFilter:
    """Return the temporal filter that a condition with now() is. Raises NotLeavingError."""
    comparison = node.unnest()
    if isinstance(comparison, exp.Binary):
        now_is_left = has_now(comparison.left)
        moment, limit = comparison.left, comparison.right
        if now_is_left:
            moment, limit = limit, moment
        columns = list(moment.find_all(exp.Column))
        if (
            isinstance(comparison, _LEAVING[now_is_left])
            and len(columns) == 1
            and _never_decreases(moment, exp.Column)
            and _never_decreases(limit, exp.CurrentTimestamp)
        ):
            return TemporalFilter(columns[0].name, comparison.sql(dialect="postgres"))
    raise NotLeavingError


def _never_decreases(node: Any, of: type[exp.Expression]) -> bool:
    """Return whether the value of an expression never decreases when that of its operand increases."""
    if isinstance(node, exp.TimestampTrunc):
        return _never_decreases(node.this, of)
    if isinstance(node, exp.Add | exp.Sub):
        return isinstance(node.right, exp.Interval) and _never_decreases(node.left, of)
    return isinstance(node, of) if not isinstance(node, exp.Paren) else _never_decreases(node.this, of)
