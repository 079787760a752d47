"""Which of an expression's SQL is RisingWave's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django_risingwave.routers import VENDOR


@lru_cache(maxsize=1_000)  # more than the expressions and lookups of any project
def _has_own_postgresql(cls: type) -> bool:
    """Return whether `as_postgresql()` of a class outside Django comes before any `as_risingwave()`.

    Django's own are left out: expressions/functions.py decides on each of them.
    """
    for base in cls.__mro__:
        if f"as_{VENDOR}" in vars(base):
            return False
        if "as_postgresql" in vars(base):
            return not base.__module__.startswith("django.")
    return False


class CompilesForPostgreSQL:
    """A compiler that prefers a project's own `as_postgresql()` to the generic `as_sql()`.

    RisingWave takes most of PostgreSQL's SQL, so expressions and lookups that were written for PostgreSQL
    run unchanged. Where RisingWave needs other SQL, they define `as_risingwave()`.
    """

    connection: Any

    def compile(self, node: Any) -> Any:
        """Return the SQL and the parameters of an expression or a lookup."""
        cls: type = type(node)
        if _has_own_postgresql(cls):
            return node.as_postgresql(self, self.connection)
        return super().compile(node)  # type: ignore[misc]  # a mixin
