"""Relations: joins, prefetches, many-to-many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import F, FilteredRelation, Prefetch, Q

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the queries by name."""
    return _QUERIES


def _prefetched(s: Shelf) -> Any:
    authors = s.authors.order_by("pk").prefetch_related(Prefetch("books", s.books.order_by("-pk")))
    return [[book.pk for book in author.books.all()] for author in authors]


_QUERIES: dict[str, Callable[[Shelf], Any]] = {
    "join": lambda s: s.books.filter(author__age__gt=40).values_list("pk", "author__name"),
    "outer join": lambda s: s.books.order_by("pk").values_list("pk", "author__name", "editor__name"),
    "select_related": lambda s: [
        (book.pk, book.author and book.author.name)
        for book in s.books.select_related("author").order_by("pk")
    ],
    "prefetch_related": _prefetched,
    "prefetch many to many": lambda s: [
        sorted(tag.name for tag in book.tags.all())
        for book in s.books.order_by("pk").prefetch_related("tags")
    ],
    "many to many": lambda s: s.books.filter(tags__name="rare").values_list("pk"),
    "many to many, distinct": lambda s: (
        s.books.filter(tags__name__in=["new", "old"]).distinct().values_list("pk")
    ),
    "many to many, both": lambda s: (
        s.books.filter(tags__name="new").filter(tags__name="old").values_list("pk")
    ),
    "without": lambda s: s.books.filter(tags=None).values_list("pk"),
    "reverse": lambda s: s.authors.filter(books__pages=80).distinct().values_list("pk"),
    "reverse without": lambda s: s.authors.filter(books=None).values_list("pk"),
    "reverse of two": lambda s: s.authors.filter(books__tags__name="rare").distinct().values_list("pk"),
    "the same column of a relation": lambda s: s.books.filter(author=F("editor")).values_list("pk"),
    "another column of a relation": lambda s: s.books.filter(pages__gt=F("author__age")).values_list("pk"),
    "filtered relation": lambda s: (
        s.authors.annotate(long=FilteredRelation("books", condition=Q(books__pages__gt=50)))
        .filter(long__isnull=False)
        .distinct()
        .values_list("pk")
    ),
    "order by a relation": lambda s: s.books.order_by(
        F("author__name").asc(nulls_first=True), "pk"
    ).values_list("pk"),
    "rows of an author": lambda s: [
        sorted(author.books.values_list("pk", flat=True)) for author in s.authors.order_by("pk")[:3]
    ],
    "in_bulk": lambda s: sorted(s.authors.in_bulk([1, 3, 99])),
    "dates": lambda s: list(s.books.filter(published__isnull=False).dates("published", "month")),
    "datetimes": lambda s: list(s.books.filter(sold_at__isnull=False).datetimes("sold_at", "day")),
}
