"""The measures of a materialized view: aggregates of SQL expressions over its source's columns."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any


@dataclass(frozen=True)
class Aggregate:
    """An aggregate of an SQL expression over a row of the source, which both servers must understand."""

    expression: str

    def __post_init__(self) -> None:
        if not self.expression.strip():
            raise ValueError(
                f"{type(self).__name__}() needs an SQL expression, not {self.expression!r}. "
                'Write one such as "qty" or "(qty * price)::numeric".'
            )

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return the path and the arguments for a migration file."""
        return f"{type(self).__module__}.{type(self).__qualname__}", astuple(self), {}


@dataclass(frozen=True)
class Sum(Aggregate):
    """`sum(expression)`: NULL if all values are NULL. Cast floats to numeric: sums of floats are inexact."""

    def __str__(self) -> str:
        return f"sum({self.expression})"


@dataclass(frozen=True)
class Average(Aggregate):
    """`avg(expression)`: a numeric, NULL if all values are NULL."""

    def __str__(self) -> str:
        return f"avg({self.expression})"


@dataclass(frozen=True)
class Count(Aggregate):
    """`count(expression)`: the number of values that aren't NULL, or of rows for "*"."""

    expression: str = "*"

    def __str__(self) -> str:
        return f"count({self.expression})"
