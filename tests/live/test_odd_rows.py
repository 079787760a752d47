"""Rows that nobody expected: the page, the widget and the JSON show them as text, and the layout holds."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from playwright.sync_api import expect

from tests.conftest import BOTH
from tests.live.test_views import get_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.processes import Server

STATES = "/api/rankings/states-by-turnover/"
#: Names of states, from the largest turnover to the least.
ODD_NAMES = [
    "x" * 10_000,
    "<script>window.hit = 1</script><b>&amp;",
    "\x01\x1b[31m\r\n\x7f\u2028\u202etfel",
    "مرحبا 👩‍👩‍👧‍👦\u200d\u200d é́́́́́́́",
    "",
]


@pytest.fixture
def odd_orders(orders: Callable[..., None]) -> None:
    rows: list[tuple[Any, ...]] = [(1, 100 - place, 1.0, name) for place, name in enumerate(ODD_NAMES)]
    # Outside of the first five: NULL keys, nothing and less than nothing.
    rows += [(None, -5, 1.0, None), (-(2**31), 0, 0.0, "zero"), (2**31 - 1, 2**31 - 1, -1.0, "negative")]
    # Not by the model, which keeps to 255 characters: other programs write to RisingWave, too.
    # All at once, so that nobody reads some of them.
    values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    with connections["risingwave"].cursor() as cursor:
        cursor.execute(
            f"INSERT INTO orders (itemid, qty, price, state) VALUES {values}", list(chain.from_iterable(rows))
        )


@BOTH
@pytest.mark.usefixtures("odd_orders")
def test_json_has_the_names_as_they_are(server: Server) -> None:
    answer = get_until(lambda answer: "tfel" in answer.body, server, STATES)
    rows = json.loads(answer.body)["rows"]
    assert [row["key"] for row in rows] == ODD_NAMES


@BOTH
@pytest.mark.browser
@pytest.mark.parametrize("path", ["/", "/embed/states-by-turnover/"])
@pytest.mark.parametrize("width", [320, 1280])
def test_odd_names_are_text_and_fit_the_page(
    server: Server, page: Page, odd_orders: None, path: str, width: int
) -> None:
    get_until(lambda answer: "tfel" in answer.body, server, STATES)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(server.url.rstrip("/") + path)
    card = page.locator('[data-ranking="states-by-turnover"]')
    expect(card).to_contain_text("<script>window.hit = 1</script>")
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(card).to_contain_text("(empty name)")
    # A name of 10,000 characters is cut, and takes no more than a few lines.
    assert len(card.inner_text()) < 1000
    heights = card.locator("li, tr").evaluate_all(
        "rows => rows.map(row => row.getBoundingClientRect().height)"
    )
    assert max(heights) < 200
