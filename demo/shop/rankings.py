"""The rankings of the shop."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from demo.shop.catalogue import product_name
from demo.shop.details import product_details, state_details
from demo.shop.models import (
    ITEM_TURNOVER_WINDOWS,
    STATE_TURNOVER_WINDOWS,
    ItemAverageQuantity,
    ItemQuantity,
    ItemTurnover,
    StateTurnover,
)
from live import formats
from live.rankings import Ranking, register
from live.thresholds import Threshold
from live.windows import Window

#: What inserts orders, where no demo does.
GENERATE = "python manage.py generate_orders --rate 20"


def state_name(state: str | None) -> str:
    """Return the name of a state as it is stored, or a text for NULL and for one that can't be seen."""
    if state is None:
        return gettext("(no state)")
    return state if state.strip() else gettext("(empty name)")


register(
    Ranking(
        slug="states-by-turnover",
        title=_("states by turnover"),
        keys=_("states"),
        model=StateTurnover,
        key="state",
        measure="turnover",
        name=state_name,
        details=state_details,
        filled_by=GENERATE,
        currency="USD",
        windows=STATE_TURNOVER_WINDOWS,
        # With 20 order lines a second, both are crossed within the demo's first hour.
        thresholds=(
            Threshold(above=10_000_000, of="total"),
            Threshold(above=100_000, window=Window.QUARTER_HOUR),
        ),
    ),
    Ranking(
        slug="products-by-average-quantity",
        title=_("products by average quantity"),
        keys=_("products"),
        unit=_("units an order line, on average"),
        model=ItemAverageQuantity,
        key="itemid",
        measure="average_quantity",
        name=product_name,
        details=product_details,
        filled_by=GENERATE,
        display=formats.average,
        summed=False,
    ),
    Ranking(
        slug="products-by-quantity",
        title=_("products by quantity"),
        keys=_("products"),
        unit=_("units"),
        model=ItemQuantity,
        key="itemid",
        measure="quantity",
        name=product_name,
        details=product_details,
        filled_by=GENERATE,
    ),
    Ranking(
        slug="products-by-turnover",
        title=_("products by turnover"),
        keys=_("products"),
        model=ItemTurnover,
        key="itemid",
        measure="turnover",
        name=product_name,
        details=product_details,
        filled_by=GENERATE,
        currency="USD",
        windows=ITEM_TURNOVER_WINDOWS,
    ),
)
