"""What a ranking is, and the list of them. docs/rankings.md tells how to declare one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, FloatField
from django.db.models.functions import Cast

from live import formats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db.models import QuerySet

    from django_risingwave.models import MaterializedView


@dataclass(frozen=True)
class Ranking:
    """The `size` keys of a materialized view with the largest measure."""

    slug: str
    #: After "Top 5".
    title: str
    model: type[MaterializedView]
    key: str
    measure: str
    #: The key as people read it.
    name: Callable[[Any], str] = formats.key
    #: The measure as people read it.
    display: Callable[[float], str] = formats.quantity
    size: int = 5

    @property
    def heading(self) -> str:
        """The title on its own: "Top 5 states by turnover"."""
        return f"Top {self.size} {self.title}"

    def queryset(self) -> QuerySet[Any, tuple[Any, float | None]]:
        """Rows of (key, measure as float), the largest first; no measure is least, and ties go by key.

        The view keeps an exact numeric; the cast is on the way out, since JSON and bars want a float.
        """
        order = F(self.measure).desc(nulls_last=True), F(self.key).asc(nulls_last=True)
        top = self.model._default_manager.order_by(*order)[: self.size]
        return top.values_list(self.key, Cast(self.measure, FloatField()))


class UnknownRankingError(LookupError):
    """No ranking has that slug; the message lists those there are."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"unknown ranking {slug[:60]!r}; there are: {', '.join(RANKINGS)}")


#: All rankings by slug, in the order of INSTALLED_APPS; each app's `rankings.py` registers its own.
RANKINGS: dict[str, Ranking] = {}
#: A slug stands in URLs, in lists separated by commas, and in elements' ids.
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


def register(*rankings: Ranking) -> None:
    """Add rankings, for page, socket, JSON and widget.

    Raises ImproperlyConfigured for a slug that is taken or isn't one, and FieldDoesNotExist if the model
    has no such key or measure.
    """
    for ranking in rankings:
        if not SLUG.fullmatch(ranking.slug):
            raise ImproperlyConfigured(
                f"{ranking.slug!r} is no slug of a ranking: a-z, 0-9 and single hyphens between them"
            )
        if RANKINGS.get(ranking.slug, ranking) != ranking:
            raise ImproperlyConfigured(f"there are two rankings {ranking.slug!r}")
        for field in (ranking.key, ranking.measure):
            ranking.model._meta.get_field(field)
        RANKINGS[ranking.slug] = ranking


def select(slugs: Iterable[str]) -> list[Ranking]:
    """The rankings of these slugs, each once, in the order given. Raises UnknownRankingError."""
    try:
        return [RANKINGS[slug] for slug in dict.fromkeys(slugs)]
    except KeyError as error:
        raise UnknownRankingError(error.args[0]) from None
