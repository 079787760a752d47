"""Subqueries: IN, EXISTS, scalars, correlated ones, with NULL on either side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Avg, Case, Count, Exists, F, Max, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf


def _young(s: Shelf) -> Any:
    return s.authors.filter(age__lt=40)


def _edited(s: Shelf) -> Any:
    """Return keys, NULL among them."""
    return s.books.values("editor")


def _of_author(s: Shelf) -> Any:
    return s.books.filter(author=OuterRef("pk"))


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the queries by name."""
    found: dict[str, Callable[[Shelf], Any]] = {}
    for name, condition in _CONDITIONS.items():
        found[name] = _books(condition)
        found[f"not: {name}"] = _other_books(condition)
        found[f"or: {name}"] = _books_or_long_ones(condition)
        found[f"selected: {name}"] = _selected(condition)
        found[f"case: {name}"] = _in_case(condition)
    return found | _OTHERS


def _books(condition: Any) -> Callable[[Shelf], Any]:
    return lambda s: s.books.filter(condition(s)).values_list("pk")


def _other_books(condition: Any) -> Callable[[Shelf], Any]:
    return lambda s: s.books.exclude(condition(s)).values_list("pk")


def _books_or_long_ones(condition: Any) -> Callable[[Shelf], Any]:
    return lambda s: s.books.filter(condition(s) | Q(pages=80)).values_list("pk")


def _selected(condition: Any) -> Callable[[Shelf], Any]:
    return lambda s: s.books.annotate(value=condition(s)).order_by("pk").values_list("pk", "value")


def _in_case(condition: Any) -> Callable[[Shelf], Any]:
    return lambda s: (
        s.books.annotate(value=Case(When(condition(s), then=1), default=0))
        .order_by("pk")
        .values_list("pk", "value")
    )


_CONDITIONS: dict[str, Callable[[Shelf], Any]] = {
    "author in": lambda s: Q(author__in=_young(s)),
    "author in a set with NULL": lambda s: Q(author__in=_edited(s)),
    "author in a slice": lambda s: Q(author__in=_young(s).order_by("pk")[:3]),
    "author in distinct": lambda s: Q(author__in=_edited(s).distinct()),
    "author in a union": lambda s: Q(
        author__in=_young(s).values("pk").union(s.authors.filter(pk=3).values("pk"))
    ),
    "pk in": lambda s: Q(pk__in=s.books.filter(pages__gt=40).values("pk")),
    "pages in": lambda s: Q(pages__in=s.books.filter(price__gt=5).values("pages")),
    "pages in groups": lambda s: Q(pages__in=s.books.values("author").annotate(m=Max("pages")).values("m")),
    "title in": lambda s: Q(title__in=s.books.filter(pages=10).values("title")),
    "author and editor in": lambda s: Q(author__in=_young(s)) & Q(editor__in=_young(s)),
    "exists": lambda s: Q(Exists(s.books.filter(editor=OuterRef("author")))),
    "exists not": lambda s: ~Q(Exists(s.books.filter(editor=OuterRef("author"), pages__gt=50))),
}
_OTHERS: dict[str, Callable[[Shelf], Any]] = {
    "exclude nullable": lambda s: s.books.exclude(author__in=_young(s)).values_list("pk"),
    "exclude over a relation": lambda s: s.authors.exclude(books__pages__gt=40).values_list("pk"),
    "exclude over many": lambda s: s.books.exclude(tags__name="rare").values_list("pk"),
    "exclude twice": lambda s: s.books.exclude(tags__name="rare").exclude(tags__name="old").values_list("pk"),
    "exclude a relation of a relation": lambda s: s.tags.exclude(books__author__age__gt=50).values_list("pk"),
    "a scalar": lambda s: (
        s.authors.annotate(value=Subquery(_of_author(s).order_by("-pages", "pk").values("title")[:1]))
        .order_by("pk")
        .values_list("pk", "value")
    ),
    "a scalar in a condition": lambda s: s.books.filter(
        pages__gt=Subquery(s.books.values(n=Value(1)).annotate(a=Avg("pages")).values("a"))
    ).values_list("pk"),
    "a correlated aggregate": lambda s: (
        s.authors.annotate(value=Subquery(_of_author(s).values("author").annotate(n=Count("*")).values("n")))
        .order_by("pk")
        .values_list("pk", "value")
    ),
    "a correlated sum": lambda s: (
        s.authors.annotate(
            value=Coalesce(Subquery(_of_author(s).values("author").annotate(n=Sum("pages")).values("n")), 0)
        )
        .order_by("-value", "pk")
        .values_list("pk", "value")
    ),
    "a correlated aggregate in a condition": lambda s: (
        s.authors.annotate(
            value=Subquery(_of_author(s).values("author").annotate(n=Max("pages")).values("n"))
        )
        .filter(value__gt=50)
        .values_list("pk")
    ),
    "a correlated aggregate by another column": lambda s: (
        s.authors.annotate(
            value=Subquery(
                _of_author(s).values("editor").annotate(n=Count("*")).order_by("editor").values("n")[:1]
            )
        )
        .order_by("pk")
        .values_list("value")
    ),
    "two subqueries compared": lambda s: s.authors.filter(
        Q(
            pk__in=s.authors.annotate(
                a=Subquery(_of_author(s).order_by("pk").values("pages")[:1]),
                b=Subquery(_of_author(s).order_by("-pk").values("pages")[:1]),
            )
            .filter(a=F("b"))
            .values("pk")
        )
    ).values_list("pk"),
    "two exists compared": lambda s: (
        s.authors.annotate(
            a=Exists(s.books.filter(author=OuterRef("pk"))), b=Exists(s.books.filter(editor=OuterRef("pk")))
        )
        .filter(a=F("b"))
        .values_list("pk")
    ),
    "order by exists": lambda s: s.authors.order_by(
        Exists(s.books.filter(editor=OuterRef("pk"))).desc(), "pk"
    ).values_list("pk"),
    "an aggregate of a subquery": lambda s: s.authors.annotate(
        v=Subquery(_of_author(s).order_by("pk").values("pages")[:1])
    ).aggregate(n=Sum("v")),
    "group by a subquery": lambda s: (
        s.authors.annotate(v=Subquery(_of_author(s).order_by("pk").values("pages")[:1]))
        .values("v")
        .annotate(n=Count("pk"))
        .values_list("v", "n")
    ),
    "in a list of subqueries' rows": lambda s: s.authors.filter(
        pk__in=s.books.filter(pages__gt=30, tags__name="new").values("author")
    ).values_list("pk"),
    "a filtered aggregate over a subquery": lambda s: s.authors.aggregate(
        n=Count("pk", filter=Q(pk__in=s.books.values("editor")))
    ),
    "having in": lambda s: (
        s.books.values("author")
        .annotate(n=Max("pages"))
        .filter(n__in=s.books.filter(price__gt=4).values("pages"))
        .values_list("author")
    ),
}
