"""The rankings, each declared once. docs/rankings.md tells how to add one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F, FloatField
from django.db.models.functions import Cast

from live import formats
from live.catalogue import product_name
from live.models import ItemAverageQuantity, ItemQuantity, ItemTurnover, StateTurnover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db.models import QuerySet

    from django_risingwave.models import MaterializedView


def state_name(state: str | None) -> str:
    """The state as it is stored, or words for none."""
    return "(no state)" if state is None else state


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
    name: Callable[[Any], str]
    #: The measure as people read it.
    display: Callable[[float], str]
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


RANKINGS: dict[str, Ranking] = {
    ranking.slug: ranking
    for ranking in (
        Ranking(
            slug="states-by-turnover",
            title="states by turnover",
            model=StateTurnover,
            key="state",
            measure="turnover",
            name=state_name,
            display=formats.money,
        ),
        Ranking(
            slug="products-by-average-quantity",
            title="products by average quantity",
            model=ItemAverageQuantity,
            key="itemid",
            measure="average_quantity",
            name=product_name,
            display=formats.average,
        ),
        Ranking(
            slug="products-by-quantity",
            title="products by quantity",
            model=ItemQuantity,
            key="itemid",
            measure="quantity",
            name=product_name,
            display=formats.quantity,
        ),
        Ranking(
            slug="products-by-turnover",
            title="products by turnover",
            model=ItemTurnover,
            key="itemid",
            measure="turnover",
            name=product_name,
            display=formats.money,
        ),
    )
}


def select(slugs: Iterable[str]) -> list[Ranking]:
    """The rankings of these slugs, each once, in the order given. Raises UnknownRankingError."""
    try:
        return [RANKINGS[slug] for slug in dict.fromkeys(slugs)]
    except KeyError as error:
        raise UnknownRankingError(error.args[0]) from None
