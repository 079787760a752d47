"""Aggregates: over the table, by groups, with filters, over relations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import (
    Avg,
    Case,
    Count,
    F,
    FloatField,
    IntegerField,
    Max,
    Min,
    Q,
    StdDev,
    Sum,
    Value,
    Variance,
    When,
)
from django.db.models.functions import Coalesce, Lower, TruncMonth

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf

_COLUMNS = ("pages", "price", "published", "sold_at", "takes", "title", "opens")
_FUNCTIONS = (Count, Max, Min, Sum, Avg, StdDev, Variance)


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the queries by name."""
    found: dict[str, Callable[[Shelf], Any]] = {}
    for function in _FUNCTIONS:
        for column in _COLUMNS:
            if function in (Count, Max, Min) or column in ("pages", "price"):
                name = f"{function.__name__} of {column}"
                found[name] = _total(function(column))
                found[f"{name} by author"] = _by_author(function(column))
                found[f"{name} of no row"] = _total_of_nothing(function(column))
        found[f"{function.__name__} with a filter"] = _total(function("pages", filter=Q(price__gt=3)))
    return found | _OTHERS


def _total(aggregate: Any) -> Callable[[Shelf], Any]:
    return lambda s: s.books.aggregate(value=aggregate)


def _total_of_nothing(aggregate: Any) -> Callable[[Shelf], Any]:
    return lambda s: s.books.filter(pk__lt=0).aggregate(value=aggregate)


def _by_author(aggregate: Any) -> Callable[[Shelf], Any]:
    return lambda s: s.books.values("author").annotate(value=aggregate).values_list("author", "value")


_OTHERS: dict[str, Callable[[Shelf], Any]] = {
    "count": lambda s: s.books.count(),
    "count of a slice": lambda s: s.books.order_by("pk")[5:20].count(),
    "count of distinct": lambda s: s.books.values("author").distinct().count(),
    "exists": lambda s: [s.books.exists(), s.books.filter(pages=-1).exists()],
    "count distinct": lambda s: s.books.aggregate(n=Count("author", distinct=True)),
    "sum distinct": lambda s: s.books.aggregate(n=Sum("pages", distinct=True)),
    "several": lambda s: s.books.aggregate(a=Sum("pages"), b=Max("price"), c=Count("*"), d=Avg("pages")),
    "sum of an expression": lambda s: s.books.aggregate(n=Sum(F("price") * F("pages"))),
    "average of an expression": lambda s: s.books.aggregate(
        n=Avg(F("pages") * 1.5, output_field=FloatField())
    ),
    "of floats": lambda s: s.authors.filter(rating__lt=100).aggregate(a=Sum("rating"), b=Avg("rating")),
    "of NaN": lambda s: s.authors.aggregate(a=Max("rating"), b=Min("rating")),
    "default": lambda s: s.books.filter(pk__lt=0).aggregate(n=Sum("pages", default=0)),
    "an aggregate of an aggregate": lambda s: (
        s.books.values("author").annotate(n=Count("pk")).aggregate(most=Max("n"))
    ),
    "sum of cases": lambda s: s.books.aggregate(
        n=Sum(Case(When(pages__gt=30, then=1), default=0, output_field=IntegerField()))
    ),
    "having": lambda s: (
        s.books.values("author").annotate(n=Count("pk")).filter(n__gt=3).values_list("author", "n")
    ),
    "having by or": lambda s: (
        s.books.values("author")
        .annotate(n=Count("pk"), p=Max("pages"))
        .filter(Q(n__gt=4) | Q(p=80))
        .values_list("author")
    ),
    "group by two columns": lambda s: s.books.values("author", "pages").annotate(n=Count("pk")).values_list(),
    "group by an expression": lambda s: (
        s.books.annotate(l=Lower("title")).values("l").annotate(n=Count("pk")).values_list("l", "n")
    ),
    "group by a month": lambda s: (
        s.books.annotate(m=TruncMonth("published"))
        .values("m")
        .annotate(n=Sum("pages"))
        .order_by("m")
        .values_list("m", "n")
    ),
    "group by a case": lambda s: (
        s.books.annotate(k=Case(When(pages__gt=40, then=Value("long")), default=Value("short")))
        .values("k")
        .annotate(n=Count("pk"))
        .values_list("k", "n")
    ),
    "group and order by the aggregate": lambda s: (
        s.books.values("author").annotate(n=Count("pk")).order_by("-n", "author").values_list("author", "n")
    ),
    "books of each author": lambda s: (
        s.authors.annotate(n=Count("books")).order_by("pk").values_list("pk", "n")
    ),
    "authors with many books": lambda s: (
        s.authors.annotate(n=Count("books")).filter(n__gte=4).values_list("pk")
    ),
    "two relations, distinct": lambda s: (
        s.authors.annotate(a=Count("books", distinct=True), b=Count("edited", distinct=True))
        .order_by("pk")
        .values_list("a", "b")
    ),
    "tags of each book": lambda s: (
        s.books.annotate(n=Count("tags")).order_by("-n", "pk").values_list("pk", "n")
    ),
    "books of each tag": lambda s: (
        s.tags.annotate(n=Count("books"), p=Sum("books__pages")).order_by("pk").values_list("name", "n", "p")
    ),
    "a filter over a relation": lambda s: (
        s.authors.annotate(n=Count("books", filter=Q(books__pages__gt=40))).order_by("pk").values_list("n")
    ),
    "coalesced": lambda s: (
        s.authors.annotate(n=Coalesce(Sum("books__pages"), 0)).order_by("pk").values_list("n")
    ),
    "an author with all columns": lambda s: s.authors.annotate(n=Count("books")).order_by("pk"),
    "an expression of aggregates": lambda s: (
        s.books.values("author").annotate(n=Max("pages") - Min("pages")).values_list("author", "n")
    ),
}
