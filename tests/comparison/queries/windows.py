"""Window functions, with ties and NULL in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Avg, Count, F, Max, Min, RowRange, Sum, ValueRange, Window
from django.db.models import functions as f

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf

_ORDERS: dict[str, Any] = {
    "no order": None,
    "pages": F("pages").asc(),
    "-pages": F("pages").desc(),
    "pk": F("pk").asc(),
    "pages, pk": (F("pages").asc(), F("pk").asc()),
    "title": F("title").asc(),
    "published": F("published").asc(),
    "author, which partitions": F("author").asc(),
}
_AGGREGATES: dict[str, Any] = {
    "sum": Sum("pages"),
    "avg": Avg("pages"),
    "count": Count("*"),
    "max": Max("pages"),
    "min": Min("price"),
    "first_value": f.FirstValue("pk"),
    "last_value": f.LastValue("pages"),
}
_OTHERS: dict[str, Any] = {
    "rank": (f.Rank(), "pages"),
    "dense rank": (f.DenseRank(), "pages"),
    "row number": (f.RowNumber(), ("pages", "pk")),
    "row number, no order": (f.RowNumber(), None),
    "percent rank": (f.PercentRank(), "pages"),
    "cumulative distribution": (f.CumeDist(), "pages"),
    "ntile": (f.Ntile(4), ("pages", "pk")),
    "nth value": (f.NthValue("pages", 2), "pk"),
    "lag": (f.Lag("pages"), "pk"),
    "lag by 2": (f.Lag("pages", 2), "pk"),
    "lag with a default": (f.Lag("pages", 1, 0), "pk"),
    "lead": (f.Lead("pages"), "pk"),
}
_FRAMES: dict[str, Any] = {
    "rows 2 before": RowRange(start=-2, end=0),
    "rows 1 to 1": RowRange(start=-1, end=1),
    "rows all": RowRange(start=None, end=None),
    "rows after": RowRange(start=1, end=2),
    "range to the current row": ValueRange(start=None, end=0),
    "range all": ValueRange(start=None, end=None),
    "range of values": ValueRange(start=-10, end=10),
}


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the queries by name."""
    found: dict[str, Callable[[Shelf], Any]] = {}
    for name, function in _AGGREGATES.items():
        for order, expression in _ORDERS.items():
            found[f"{name} by {order}"] = _window(function, expression)
    for name, (function, order) in _OTHERS.items():
        found[name] = _window(function, order)
    for frame, between in _FRAMES.items():
        for name in ("sum", "avg", "count", "max"):
            order = "pages" if "range" in frame else "pk"
            found[f"{name} over {frame}"] = _window(_AGGREGATES[name], order, between)
    return found | {
        "filtered by rank": lambda s: (
            s.books.annotate(r=Window(f.RowNumber(), partition_by="author", order_by=("-pages", "pk")))
            .filter(r__lte=2)
            .order_by("pk")
            .values_list("pk", "r")
        ),
        "ordered by a window": lambda s: (
            s.books.annotate(
                r=Window(f.Rank(), partition_by="author", order_by=F("pages").desc(nulls_last=True))
            )
            .order_by("r", "pk")
            .values_list("pk")
        ),
    }


def _window(function: Any, order: Any, frame: Any = None) -> Callable[[Shelf], Any]:
    window = Window(function, partition_by="author", order_by=order, frame=frame)
    return lambda s: s.books.annotate(value=window).order_by("pk").values_list("pk", "value")
