"""Rows that are awkward to query: NULL, ties, letters outside of ASCII, NaN, JSON of mixed types."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from tests.comparison.models import Author, Book, Tag

#: Name, age, born, active, rating.
_AUTHORS: list[tuple[Any, ...]] = [
    ("Ann", 30, dt.date(1990, 1, 31), True, 4.5),
    ("ann", 30, dt.date(1990, 1, 31), False, 4.5),
    ("Bob", 41, dt.date(1984, 2, 29), True, None),
    ("Çelik", 41, None, None, 3.25),
    ("çelik", None, dt.date(1999, 12, 31), True, float("nan")),
    ("Dora 100%", 52, dt.date(1973, 7, 4), False, 0.0),
    ("under_score", 25, dt.date(2000, 1, 1), True, -1.5),
    ("back\\slash", 25, dt.date(2000, 1, 1), None, 1e300),
    ("Straße", 30, dt.date(1990, 6, 15), True, 1e-300),
    ("", 0, dt.date(1970, 1, 1), False, 4.5),
    (None, None, None, None, None),
    ("İstanbul ıssız", 60, dt.date(1966, 3, 27), True, 2.0),
    ("Ελλάς", 60, dt.date(1966, 10, 30), True, 2.0),
    ('it\'s "quoted" (a.b)*', 33, dt.date(1993, 8, 8), True, 9.75),
    (" spaces  ", 33, dt.date(1993, 8, 8), False, 9.75),
]
_TAGS = ["new", "old", "rare", "unused"]
_ATTRS: list[Any] = [
    {"n": 1, "s": "one", "list": [1, 2, 3], "deep": {"x": {"y": 1}}},
    {"n": 2, "s": "two", "b": True, "list": []},
    {"n": 10, "s": "Ten", "b": False, "list": ["a", None]},
    {"n": 11.5, "s": "", "nothing": None},
    {"n": "3", "s": "ğüş", "list": {"not": "a list"}},
    {"n": None, "s": None},
    {"n": True},
    {"n": [1]},
    {"n": -2, "with space": 1, "quo'te": 2, "0": "zero"},
    {},
    [],
    [1, {"n": 1}],
    "text",
    7,
    True,
    None,
]


def authors() -> list[Author]:
    names = ("name", "age", "born", "active", "rating")
    return [
        Author(pk=pk, **dict(zip(names, values, strict=True))) for pk, values in enumerate(_AUTHORS, start=1)
    ]


def tags() -> list[Tag]:
    return [Tag(pk=pk, name=name) for pk, name in enumerate(_TAGS, start=1)]


def books() -> list[Book]:
    """Return 48 books; each column is NULL in some of them, at different places."""
    return [_book(number) for number in range(1, 49)]


def _book(number: int) -> Book:
    day = dt.date(2026, 3, 20) + dt.timedelta(days=number)

    def unless(every: int, value: Any) -> Any:
        return None if number % every == 0 else value

    return Book(
        pk=number,
        title=["b", "B", "ç", "Ç", "", "a b", "Zz", "éa"][number % 8] + str(number % 5),
        author_id=unless(5, number % 12 + 1),
        editor_id=unless(3, number % 4 + 1),
        price=unless(7, Decimal(number % 10) + Decimal("0.25") * (number % 3)),
        pages=unless(6, number % 9 * 10),
        published=unless(8, day),
        # Around a change to summer time.
        sold_at=unless(9, dt.datetime(2026, 3, 28, 22, 30, tzinfo=dt.UTC) + dt.timedelta(hours=number)),
        opens=unless(10, dt.time(number % 24, number % 60, 7, number)),
        takes=unless(11, dt.timedelta(days=number % 3, seconds=number, microseconds=number)),
        attrs=_ATTRS[number % len(_ATTRS)],
        code=unless(4, uuid.UUID(int=number)),
        address=unless(12, "2001:db8::1" if number % 2 else f"192.0.2.{number}"),
        cover=unless(13, bytes([number, 0, 255])),
    )


def tagged() -> list[Any]:
    """Return the rows of the table between books and tags: some books have no tag, one tag has no book."""
    through = Book.tags.through
    return [
        through(pk=book * 10 + tag, book_id=book, tag_id=tag)
        for book in range(1, 41)
        for tag in range(1, 4)
        if book % (tag + 1) == 0
    ]
