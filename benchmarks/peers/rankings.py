"""The four rankings that every peer shows: the same SQL, titles and formats."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from demo.shop.catalogue import product_name
from live import formats

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two polls of the peers that poll, and the lifetime of their caches.
POLL_SECONDS = 1
#: The database of the rankings.
URL = os.environ.get("RISINGWAVE_URL", "")


class Ranking(NamedTuple):
    """The five rows of a view with the largest measures."""

    title: str
    view: str
    key: str
    measure: str
    name: Callable[[Any], str]
    display: Callable[[float], str]

    @property
    def sql(self) -> str:
        """The query, as the dashboard sends it."""
        return (
            f"SELECT {self.key}, {self.measure}::float8 FROM {self.view} "
            f"ORDER BY {self.measure} DESC NULLS LAST, {self.key} ASC NULLS LAST LIMIT 5"
        )

    def rows(self, values: Any) -> list[dict[str, Any]]:
        """Format pairs of (key, value) for display."""
        return [
            {"rank": rank, "name": self.name(key), "value": value, "display": self.display(value)}
            for rank, (key, value) in enumerate(values, start=1)
        ]


def state_name(state: str | None) -> str:
    return state or "(no state)"


RANKINGS = (
    Ranking("Top 5 states by turnover", "state_turnover", "state", "turnover", state_name, formats.money),
    Ranking(
        "Top 5 products by average quantity",
        "item_average_quantity",
        "itemid",
        "average_quantity",
        product_name,
        formats.average,
    ),
    Ranking(
        "Top 5 products by quantity", "item_quantity", "itemid", "quantity", product_name, formats.quantity
    ),
    Ranking("Top 5 products by turnover", "item_turnover", "itemid", "turnover", product_name, formats.money),
)
