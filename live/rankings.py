"""The rankings of a project. docs/rankings.md shows how to declare one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F

from live import formats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db.models import QuerySet

    from django_risingwave.models import MaterializedView


@dataclass(frozen=True)
class Ranking:
    """The `size` rows of a materialized view that have the largest measure."""

    #: Names the ranking in URLs, in comma-separated parameters and in the ids of elements.
    slug: str
    #: What follows "Top 5" in the heading: "states by turnover".
    title: str
    model: type[MaterializedView]
    #: The model's field that tells the rows apart.
    key: str
    #: The model's field that the rows are ranked by.
    measure: str
    #: Returns a key as people read it.
    name: Callable[[Any], str] = formats.key
    #: Returns a measure as people read it.
    display: Callable[[float], str] = formats.quantity
    size: int = 5
    #: Whether the sum of all measures means something: that of turnovers does, that of averages doesn't.
    summed: bool = True

    @property
    def heading(self) -> str:
        """The title on its own: "Top 5 states by turnover"."""
        return f"Top {self.size} {self.title}"

    def queryset(
        self, model: type[MaterializedView] | None = None, rows: int | None = None
    ) -> QuerySet[MaterializedView]:
        """Return the `size` rows, or another number, with the largest measure, ties by key, and NULL last.

        They are read from the ranking's own model, or from another one with the same fields. The query has
        neither a cast, with which RisingWave 2.8.0 uses no index, nor the aliases and the positions that
        values_list() writes: it is the query whose plan RisingWave has shown.
        """
        order = F(self.measure).desc(nulls_last=True), F(self.key).asc(nulls_last=True)
        manager = (model or self.model)._default_manager
        return manager.only(self.key, self.measure).order_by(*order)[: rows or self.size]


class UnknownRankingError(LookupError):
    """No ranking has this slug; the message lists those that exist."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"Unknown ranking {formats.quoted(slug)}. Choose from: {', '.join(RANKINGS)}.")


#: All rankings by slug, in the order of INSTALLED_APPS. The module `rankings` of each app registers its own.
RANKINGS: dict[str, Ranking] = {}
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


def register(*rankings: Ranking) -> None:
    """Add rankings to the page, the WebSocket, the JSON API and the widgets.

    Raises ImproperlyConfigured if a slug is malformed or taken, FieldDoesNotExist if the model lacks the key
    or the measure.
    """
    for ranking in rankings:
        if not SLUG.fullmatch(ranking.slug):
            raise ImproperlyConfigured(
                f"The slug of a ranking must consist of a-z, 0-9 and single hyphens between them,"
                f" not {ranking.slug!r}."
            )
        if RANKINGS.get(ranking.slug, ranking) != ranking:
            raise ImproperlyConfigured(
                f"Two rankings have the slug {ranking.slug!r}. Give one of them another slug."
            )
        for field in (ranking.key, ranking.measure):
            ranking.model._meta.get_field(field)
        RANKINGS[ranking.slug] = ranking


def select(slugs: Iterable[str]) -> list[Ranking]:
    """Return the rankings with these slugs, each once, in the given order. Raises UnknownRankingError."""
    try:
        return [RANKINGS[slug] for slug in dict.fromkeys(slugs)]
    except KeyError as error:
        raise UnknownRankingError(error.args[0]) from None
