"""The first orders of the shop, and the history of their rankings.

This module imports models, so it can be imported only after django.setup().
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.management import CommandError, call_command
from django.db import Error

from demo.console import say
from demo.databases import first_line
from demo.errors import DemoError
from demo.shop.models import Order
from demo.shop.past_records import fill_history
from live.conf import live_settings

#: Order lines that an empty table gets: enough for rankings whose leaders are close.
INITIAL_ORDER_LINES = 100_000
#: Days over which they were placed: more than the longest window of a ranking.
INITIAL_DAYS = 10


def insert_first_orders() -> None:
    """Fill an empty table of orders. Raises DemoError."""
    try:
        if not Order.objects.exists():
            say(f"Inserting {INITIAL_ORDER_LINES:,} order lines")
            call_command("generate_orders", count=INITIAL_ORDER_LINES, days=INITIAL_DAYS)
            if live_settings.HISTORY:
                say("Writing the history of the rankings")
                fill_history(datetime.now(UTC))
    except (Error, CommandError) as error:
        raise DemoError(f"The first orders can't be inserted: {first_line(error)}") from error
