"""Conditions on one column."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import F, Q, Value
from django.db.models.functions import Lower, Upper

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf

_PATTERNS = ("ann", "çel", "ÇEL", "ß", "100%", "under_", "back\\", "ıs", "λ", "(a.b)*", " ", "")
_TEXT_LOOKUPS = (
    "exact",
    "iexact",
    "contains",
    "icontains",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
)
_MOMENT = dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the queries by name."""
    found: dict[str, Callable[[Shelf], Any]] = {}
    for lookup in _TEXT_LOOKUPS:
        for pattern in _PATTERNS:
            found[f"name {lookup} {pattern!r}"] = _filter("authors", f"name__{lookup}", pattern)
    for lookup, value in _CONDITIONS_ON_AUTHORS:
        found[f"author {lookup} {value!r}"] = _filter("authors", lookup, value)
    for lookup, value in _CONDITIONS_ON_BOOKS:
        found[f"book {lookup} {value!r}"] = _filter("books", lookup, value)
        found[f"no book {lookup} {value!r}"] = _exclude("books", lookup, value)
    return found | _OTHERS


def _filter(table: str, lookup: str, value: Any) -> Callable[[Shelf], Any]:
    return lambda shelf: getattr(shelf, table).filter(**{lookup: value}).values_list("pk")


def _exclude(table: str, lookup: str, value: Any) -> Callable[[Shelf], Any]:
    return lambda shelf: getattr(shelf, table).exclude(**{lookup: value}).values_list("pk")


_CONDITIONS_ON_AUTHORS: list[tuple[str, Any]] = [
    ("name__regex", "^[A-Z]"),
    ("name__regex", r"\s"),
    ("name__regex", "ß|λ"),
    ("name__iregex", "^ÇEL"),
    ("name__iregex", "^a.n$"),
    ("name__in", ["Ann", "", "Çelik"]),
    ("name__gt", "Z"),
    ("name__lte", "b"),
    ("name__range", ("A", "a")),
    ("name__isnull", True),
    ("rating", 4.5),
    ("rating__gt", 4.5),
    ("rating__lt", 0),
    ("rating__gte", 1e299),
    ("rating__in", [3.25, 2]),
    ("rating", float("nan")),
    ("active", True),
    ("active__isnull", False),
    ("active__in", [True, None]),
]
_CONDITIONS_ON_BOOKS: list[tuple[str, Any]] = [
    ("pages", 30),
    ("pages__gt", 50),
    ("pages__lt", 10.5),
    ("pages__range", (20, 40)),
    ("pages__in", [0, 10, None]),
    ("pages__isnull", True),
    ("pages", 2**40),
    ("price", Decimal("2.50")),
    ("price__gte", Decimal("8.255")),
    ("price__lt", 1),
    ("price__in", [Decimal(3), Decimal("4.25")]),
    ("published", dt.date(2026, 4, 1)),
    ("published__year", 2026),
    ("published__month", 4),
    ("published__day", 15),
    ("published__week", 14),
    ("published__iso_year", 2026),
    ("published__iso_week_day", 7),
    ("published__week_day", 1),
    ("published__quarter__gt", 1),
    ("published__range", (dt.date(2026, 3, 25), dt.date(2026, 4, 5))),
    ("sold_at", _MOMENT),
    ("sold_at__gt", _MOMENT),
    ("sold_at__date", dt.date(2026, 3, 29)),
    ("sold_at__time__lt", dt.time(4)),
    ("sold_at__hour", 3),
    ("sold_at__minute__gte", 30),
    ("sold_at__second", 0),
    ("opens__hour__gte", 20),
    ("opens__gt", dt.time(12)),
    ("opens__minute", 11),
    ("takes__gt", dt.timedelta(days=1)),
    ("takes", dt.timedelta(days=1, seconds=1, microseconds=1)),
    ("takes__lt", dt.timedelta(seconds=10)),
    ("code", uuid.UUID(int=5)),
    ("code__in", [uuid.UUID(int=5), uuid.UUID(int=6)]),
    ("code__gt", uuid.UUID(int=40)),
    ("code__contains", "0002"),
    ("code__isnull", True),
    ("address", "2001:db8::1"),
    ("address__startswith", "192."),
    ("address__contains", "db8"),
    ("cover", b"\x05\x00\xff"),
    ("cover__isnull", True),
    ("title", ""),
    ("title__in", ["b1", "Ç3"]),
]

_OTHERS: dict[str, Callable[[Shelf], Any]] = {
    "a column compared with another": lambda s: s.books.filter(pages__gt=F("price") * 10).values_list("pk"),
    "text compared with another column": lambda s: (
        s.books.filter(title__icontains=F("author__name")).order_by("pk").values_list("pk")
    ),
    "a name contained in an expression": lambda s: (
        s.authors.filter(name__icontains=Lower(Value("ANN"))).order_by("pk").values_list("pk")
    ),
    "upper case": lambda s: s.authors.order_by("pk").values_list("pk", Upper("name"), Lower("name")),
    "or": lambda s: s.books.filter(Q(pages=10) | Q(price__gt=8) | Q(author=None)).values_list("pk"),
    "and not": lambda s: s.books.filter(Q(pages__gt=10) & ~Q(price__gt=2)).values_list("pk"),
    "exclusive or": lambda s: s.books.filter(Q(pages__gt=30) ^ Q(price__gt=4)).values_list("pk"),
    "not or": lambda s: s.books.filter(~(Q(pages=10) | Q(published=None))).values_list("pk"),
    "a condition as a column": lambda s: (
        s.books.annotate(long=Q(pages__gt=40)).order_by("pk").values_list("pk", "long")
    ),
    "nothing": lambda s: s.books.filter(pk__in=[]).values_list("pk"),
    "none": lambda s: s.books.none().values_list("pk"),
    "everything": lambda s: s.books.exclude(pk__in=[]).values_list("pk"),
    "many values": lambda s: s.books.filter(pk__in=range(0, 4_000, 3)).values_list("pk"),
}
