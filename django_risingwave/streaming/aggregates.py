"""The measures of a materialized view, over SQL expressions of its source's columns."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any


@dataclass(frozen=True)
class Aggregate:
    """One aggregate of an SQL expression over a row of the source, in words that both servers know."""

    expression: str

    def __post_init__(self) -> None:
        if not self.expression.strip():
            raise ValueError(
                f'{type(self).__name__}() needs an SQL expression, such as "qty" or "(qty * price)::numeric".'
            )

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return what a migration file writes."""
        return f"{type(self).__module__}.{type(self).__qualname__}", astuple(self), {}


@dataclass(frozen=True)
class Sum(Aggregate):
    """`sum(expression)`: NULL where all values are. Sum numerics or integers, for floats drift."""

    def __str__(self) -> str:
        return f"sum({self.expression})"


@dataclass(frozen=True)
class Average(Aggregate):
    """`avg(expression)`: a numeric, NULL where all values are."""

    def __str__(self) -> str:
        return f"avg({self.expression})"


@dataclass(frozen=True)
class Count(Aggregate):
    """`count(expression)`: how many values are not NULL; of "*", how many rows."""

    expression: str = "*"

    def __str__(self) -> str:
        return f"count({self.expression})"
