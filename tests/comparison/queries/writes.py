"""Writes, each on authors of its own, read back afterwards."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Count, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Concat, Lower, Upper

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf

#: The first key of each write's authors, far from the others.
_FIRST = 1_000
_SIZE = 10


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the writes by name."""
    return {
        name: _written(write, first)
        for (name, write), first in zip(_WRITES.items(), count(_FIRST, _SIZE), strict=False)
    }


def _written(write: Callable[[Any, Shelf], Any], first: int) -> Callable[[Shelf], Any]:
    """Return a query that adds five authors, writes, reads them and deletes them."""

    def run(s: Shelf) -> Any:
        own = s.authors.filter(pk__range=(first, first + _SIZE - 1))
        s.authors.bulk_create(
            s.authors.model(pk=first + n, name=f"name {n}", age=n or None, rating=n / 2) for n in range(5)
        )
        try:
            result = write(own, s)
            rows = own.order_by("pk").values_list("name", "age", "active", "rating", F("pk") - first)
            return [result, list(rows)]
        finally:
            own.delete()

    return run


def _save(own: Any, s: Shelf) -> Any:
    author = own.earliest("pk")
    author.name, author.age = "saved", F("age") + 1
    author.save()
    again = own.latest("pk")
    again.active = True
    again.save(update_fields=["active"])
    return None


_WRITES: dict[str, Callable[[Any, Shelf], Any]] = {
    "update": lambda own, s: own.update(age=7),
    "update to NULL": lambda own, s: own.filter(age__gt=2).update(age=None, name=None),
    "update by an expression": lambda own, s: own.update(age=F("age") * 2 + 1, name=Upper("name")),
    "update by a case": lambda own, s: own.update(active=Case(When(age__gt=2, then=True), default=False)),
    "update by a condition": lambda own, s: own.update(active=Q(age__gt=1)),
    "update by text": lambda own, s: own.update(name=Concat(Lower("name"), Value("!"))),
    "update by a subquery": lambda own, s: own.update(
        age=Subquery(s.books.filter(author=OuterRef("pk") % 10 + 1).order_by("pk").values("pages")[:1])
    ),
    "update where in a subquery": lambda own, s: own.filter(pk__in=own.filter(age__gt=2).values("pk")).update(
        name="found"
    ),
    "update of few": lambda own, s: own.filter(Q(age=1) | Q(age=None)).update(rating=9),
    "delete": lambda own, s: own.filter(age__gt=2).delete()[0],
    "delete where in a subquery": lambda own, s: own.filter(pk__in=own.filter(age=1).values("pk")).delete()[
        0
    ],
    "delete by exclude": lambda own, s: own.exclude(age__in=[1, 2]).delete()[0],
    "save": _save,
    "get_or_create": lambda own, s: [
        s.authors.get_or_create(pk=own.earliest("pk").pk, defaults={"name": "new"})[1],
        s.authors.get_or_create(pk=own.earliest("pk").pk + 7, defaults={"name": "new"})[1],
    ],
    "update_or_create": lambda own, s: [
        s.authors.update_or_create(pk=own.earliest("pk").pk, defaults={"name": "new"})[1],
        s.authors.update_or_create(pk=own.earliest("pk").pk + 7, defaults={"name": "new"})[1],
    ],
    "bulk_update": lambda own, s: s.authors.bulk_update(
        [s.authors.model(pk=author.pk, age=50, name="bulk") for author in own], ["age", "name"]
    ),
    "bulk_create, ignoring conflicts": lambda own, s: s.authors.bulk_create(
        [s.authors.model(pk=own.earliest("pk").pk)], ignore_conflicts=True
    ),
    "bulk_create, updating conflicts": lambda own, s: s.authors.bulk_create(
        [s.authors.model(pk=own.earliest("pk").pk)],
        update_conflicts=True,
        update_fields=["name"],
        unique_fields=["pk"],
    ),
    "update of the key": lambda own, s: own.filter(age=1).update(id=F("id") + 5),
    "aggregate after a write": lambda own, s: [own.update(age=3), own.aggregate(n=Count("age"))],
}
