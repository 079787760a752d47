"""Order, slices, distinct rows, united queries, raw SQL, cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import F, Value
from django.db.models.functions import Random

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf

_COLUMNS = (
    "title",
    "pages",
    "price",
    "published",
    "sold_at",
    "opens",
    "takes",
    "code",
    "address",
    "author__name",
)


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the queries by name."""
    found: dict[str, Callable[[Shelf], Any]] = {}
    for column in _COLUMNS:
        found[f"order by {column}"] = _ordered(column)
        found[f"order by -{column}"] = _ordered(f"-{column}")
        found[f"order by {column}, NULL first"] = _ordered(F(column).asc(nulls_first=True))
        found[f"order by {column} down, NULL last"] = _ordered(F(column).desc(nulls_last=True))
        found[f"distinct {column}"] = _distinct(column)
    return found | _OTHERS


def _ordered(by: Any) -> Callable[[Shelf], Any]:
    return lambda s: s.books.order_by(by, "pk").values_list("pk")


def _distinct(column: str) -> Callable[[Shelf], Any]:
    return lambda s: s.books.values_list(column).distinct()


def _keys(s: Shelf, **condition: Any) -> Any:
    return s.books.filter(**condition).order_by().values_list("pk", "title")


_OTHERS: dict[str, Callable[[Shelf], Any]] = {
    "order of floats with NaN": lambda s: s.authors.order_by("rating", "pk").values_list("pk"),
    "order of floats with NaN, down": lambda s: s.authors.order_by("-rating", "pk").values_list("pk"),
    "order of names": lambda s: s.authors.order_by("name", "pk").values_list("pk"),
    "order of booleans": lambda s: s.authors.order_by("active", "pk").values_list("pk"),
    "slice": lambda s: s.books.order_by("pk")[10:15].values_list("pk"),
    "slice to the end": lambda s: s.books.order_by("pk")[40:].values_list("pk"),
    "first and last": lambda s: [
        s.books.order_by("pages", "pk").first(),
        s.books.order_by("pages", "pk").last(),
    ],
    "latest": lambda s: [s.books.filter(pk__lt=9).latest("pk"), s.books.earliest("pk")],
    "reverse": lambda s: s.books.order_by("pages", "pk").reverse().values_list("pk"),
    "distinct on": lambda s: (
        s.books.order_by("author", "-pages", "pk").distinct("author").values_list("author", "pk")
    ),
    "distinct on two": lambda s: (
        s.books.order_by("author", "pages", "pk").distinct("author", "pages").values_list("pk")
    ),
    "union": lambda s: _keys(s, pages=10).union(_keys(s, price__gt=7)),
    "union all": lambda s: _keys(s, pages=10).union(_keys(s, pages__lt=20), all=True),
    "intersection": lambda s: _keys(s, pages__gt=10).intersection(_keys(s, price__gt=4)),
    "difference": lambda s: _keys(s, pages__gt=10).difference(_keys(s, price__gt=4)),
    "union in order": lambda s: list(_keys(s, pages=10).union(_keys(s, price__gt=7)).order_by("-pk")[:4]),
    "count of a union": lambda s: _keys(s, pages=10).union(_keys(s, price__gt=7)).count(),
    "union of slices": lambda s: (
        s.books.order_by("pk")[:3].union(s.books.order_by("-pk")[:2]).values_list("pk")
    ),
    "deferred columns": lambda s: [book.title for book in s.books.defer("title").order_by("pk")[:3]],
    "only": lambda s: [(book.pk, book.pages) for book in s.books.only("pages").order_by("pk")[:3]],
    "instances": lambda s: s.books.order_by("pk"),
    "values": lambda s: list(s.books.order_by("pk").values()[:5]),
    "extra columns": lambda s: (
        s.books.order_by("pk").annotate(one=Value(1), twice=F("pages") * 2).values_list("pk", "one", "twice")
    ),
    "iterator": lambda s: [book.pk for book in s.books.order_by("pk").iterator(chunk_size=7)],
    "raw": lambda s: [
        author.name
        for author in s.authors.raw("SELECT * FROM comparison_author WHERE age > %s ORDER BY id", [40])
    ],
    "random order": lambda s: sorted(s.books.order_by("?").values_list("pk")),
    "random": lambda s: s.books.annotate(r=Random()).filter(r__gte=0, r__lt=1).count(),
    "contains": lambda s: [s.authors.contains(s.authors.get(pk=1))],
}
