"""What every peer shows: the same four rankings, read by the same SQL and worded the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from demo.shop.catalogue import product_name
from live import formats

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two looks of the peers that poll; so long do they keep what they have read, too.
INTERVAL = 1
#: Where the rankings are.
URL = os.environ.get("RISINGWAVE_URL", "")


class Ranking(NamedTuple):
    """Five rows of a view, the largest first."""

    title: str
    view: str
    key: str
    measure: str
    name: Callable[[Any], str]
    display: Callable[[float], str]

    @property
    def sql(self) -> str:
        """As the dashboard asks."""
        return (
            f"SELECT {self.key}, {self.measure}::float8 FROM {self.view} "
            f"ORDER BY {self.measure} DESC NULLS LAST, {self.key} ASC NULLS LAST LIMIT 5"
        )

    def rows(self, values: Any) -> list[dict[str, Any]]:
        """Pairs of key and value, as they are shown."""
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
