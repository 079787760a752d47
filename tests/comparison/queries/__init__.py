"""The queries by kind. Each is a function of the rows, whose result is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.comparison.queries import (
    aggregates,
    functions,
    jsonb,
    lookups,
    related,
    shapes,
    subqueries,
    windows,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf

    Query = Callable[[Shelf], Any]

_KINDS = (lookups, jsonb, functions, aggregates, windows, subqueries, related, shapes, writes)
#: By kind and name, such as "jsonb: n > 2".
QUERIES: dict[str, Query] = {
    f"{kind.__name__.rpartition('.')[2]}: {name}": query
    for kind in _KINDS
    for name, query in kind.queries().items()
}
