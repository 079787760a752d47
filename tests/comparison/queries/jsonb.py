"""JSON: paths, types, keys, order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, IntegerField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, JSONObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf

_CONDITIONS: list[tuple[str, Any]] = [
    ("attrs__n", 1),
    ("attrs__n", "3"),
    ("attrs__n", None),
    ("attrs__n", True),
    ("attrs__n", 11.5),
    ("attrs__n", [1]),
    ("attrs__n__gt", 2),
    ("attrs__n__gte", 2),
    ("attrs__n__lt", 10),
    ("attrs__n__lte", 11.5),
    ("attrs__n__range", (1, 10)),
    ("attrs__s__gt", "one"),
    ("attrs__n__in", [1, 2, "3"]),
    ("attrs__n__isnull", True),
    ("attrs__n__isnull", False),
    ("attrs__s", ""),
    ("attrs__s__contains", "w"),
    ("attrs__s__icontains", "TE"),
    ("attrs__s__icontains", "Ğ"),
    ("attrs__s__startswith", "t"),
    ("attrs__s__istartswith", "ğÜ"),
    ("attrs__s__iexact", "TEN"),
    ("attrs__s__regex", "^t"),
    ("attrs__s__iregex", "^T"),
    ("attrs__deep__x__y", 1),
    ("attrs__deep__x", {"y": 1}),
    ("attrs__list__0", 1),
    ("attrs__list__1", None),
    ("attrs__list", []),
    ("attrs__list__contains", [1]),
    ("attrs__1__n", 1),
    ("attrs__0", 1),
    ("attrs", {}),
    ("attrs", []),
    ("attrs", "text"),
    ("attrs", 7),
    ("attrs", True),
    ("attrs__isnull", True),
    ("attrs__contains", {"n": 1}),
    ("attrs__contains", {"deep": {"x": {"y": 1}}}),
    ("attrs__contains", [1]),
    ("attrs__contained_by", {"n": 1, "s": "one", "b": True}),
    ("attrs__has_key", "n"),
    ("attrs__has_key", "with space"),
    ("attrs__has_keys", ["n", "s"]),
    ("attrs__has_any_keys", ["b", "nothing"]),
    ("attrs__deep__has_key", "x"),
    ("attrs__nothing", None),
    ("attrs__b", True),
    ("attrs__b", False),
]


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the queries by name."""
    found: dict[str, Callable[[Shelf], Any]] = {}
    for lookup, value in _CONDITIONS:
        found[f"{lookup} {value!r}"] = _filter(lookup, value)
        found[f"not {lookup} {value!r}"] = _exclude(lookup, value)
    return found | _OTHERS


def _filter(lookup: str, value: Any) -> Callable[[Shelf], Any]:
    return lambda shelf: shelf.books.filter(**{lookup: value}).values_list("pk")


def _exclude(lookup: str, value: Any) -> Callable[[Shelf], Any]:
    return lambda shelf: shelf.books.exclude(**{lookup: value}).values_list("pk")


_OTHERS: dict[str, Callable[[Shelf], Any]] = {
    "values": lambda s: s.books.order_by("pk").values_list("attrs"),
    "a value by path": lambda s: s.books.order_by("pk").values_list("attrs__n", "attrs__list__0"),
    "a text by path": lambda s: s.books.annotate(s=KT("attrs__s")).order_by("pk").values_list("s"),
    "order by a path": lambda s: s.books.exclude(attrs__n=None).order_by("attrs__n", "pk").values_list("pk"),
    "order by text": lambda s: s.books.annotate(s=KT("attrs__s")).order_by("s", "pk").values_list("s", "pk"),
    "order by a cast": lambda s: (
        s.books.filter(attrs__n__in=[1, 2, 10])
        .annotate(n=Cast(KT("attrs__n"), IntegerField()))
        .order_by("-n", "pk")
        .values_list("n", "pk")
    ),
    "group by a path": lambda s: (
        s.books.values("attrs__s").annotate(n=Count("pk")).values_list("attrs__s", "n")
    ),
    "distinct": lambda s: s.books.values_list("attrs__b").distinct(),
    "compare two paths": lambda s: s.books.filter(attrs__n=F("attrs__list__0")).values_list("pk"),
    "build an object": lambda s: s.authors.order_by("pk").values_list(
        JSONObject(name="name", age="age", one=Value(1))
    ),
    "build a nested object": lambda s: s.authors.order_by("pk").values_list(
        JSONObject(inner=JSONObject(name="name"))
    ),
}
