"""The page of one ranking in a real Chromium: its chart by keyboard and pointer, its rows, what is copied."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests import processes
from tests.browser import badge, shows
from tests.conftest import BOTH
from tests.live.history.histories import keep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.processes import Server

pytestmark = [BOTH, pytest.mark.browser]

PAGE = "/rankings/states-by-turnover/?span=15m"
#: The chart has a point for each minute, of which the last two are missing in the history.
MINUTES = range(3, 18)


@pytest.fixture(scope="module")
def history_server(site_environment, tmp_path_factory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("history-server") / "log"
    with processes.daphne(site_environment | {"LIVE_HISTORY": "true"}, log) as running:
        yield running


@pytest.fixture
def history(orders) -> None:
    """Two states over the last quarter of an hour, and a gap."""
    orders((1, 1, 500.0, "Ohio"), (1, 1, 300.0, "Utah"))
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for minutes in MINUTES:
        if minutes != 8:
            values = [("Ohio", 500.0 - minutes), ("Utah", 300.0 - minutes)]
            keep(now - timedelta(minutes=minutes), values)


def value(page: Page, name: str) -> str:
    return page.locator(".chart-legend li", has_text=name).locator(".value").inner_text()


def test_the_chart_tells_the_values_of_a_moment_by_keyboard_and_by_pointer(page, history_server, history):
    # The next minute's chart would have other values in the same places.
    page.route("**/chart/*", lambda route: route.abort())
    page.goto(history_server.url + PAGE + "&theme=dark")
    badge(page, "live")
    assert (value(page, "Ohio"), value(page, "Utah")) == ("$500", "$300")
    other_span = page.locator("#chart").get_by_role("link", name="1 h").get_attribute("href")
    assert other_span.endswith("?span=1h&theme=dark")
    expect(page.locator("path.line")).to_have_count(2)
    assert page.locator("path.line").first.get_attribute("d").count("M") >= 2, "the gap isn't drawn"

    # By keyboard; a screen reader hears the new text of the slider.
    slider = page.get_by_role("slider", name="Time")
    slider.focus()
    page.keyboard.press("Home")
    oldest = value(page, "Ohio")
    assert oldest.startswith("$48")
    assert f"Ohio {oldest}, Utah ${int(oldest[1:]) - 200}" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    assert value(page, "Ohio") == f"${int(oldest[1:]) + 1}"
    expect(page.locator("#chart-cursor")).to_be_visible()
    page.keyboard.press("Tab")
    assert value(page, "Ohio") == "$500"
    expect(page.locator("#chart-cursor")).to_be_hidden()

    # By pointer.
    box = page.locator(".chart-lines").bounding_box()
    x = page.locator("#chart-rows tr").nth(1).get_attribute("data-x")
    ohio = page.locator(".chart-legend li", has_text="Ohio").locator(".value")
    page.mouse.move(box["x"] + box["width"] * float(x.rstrip("%")) / 100, box["y"] + 30)
    expect(ohio).to_have_text(f"${int(oldest[1:]) + 1}")
    page.mouse.move(1, 1)
    expect(ohio).to_have_text("$500")

    # The same numbers as a table.
    page.get_by_text("The numbers").click()
    expect(page.locator("#chart-rows td").first).to_have_text(oldest)


def test_rows_change_by_themselves_and_the_chart_when_it_is_seen_again(page, history_server, history, orders):
    page.goto(history_server.url + PAGE)
    badge(page, "live")
    orders((1, 1, 900.0, "Texas"))
    shows(page, "Texas")
    # The chart is of this minute; a new minute has a new one.
    page.route(
        "**/chart/*",
        lambda route: route.fulfill(body='<section id="chart">Chart of the next minute</section>'),
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#chart")).to_have_text("Chart of the next minute")


def test_addresses_are_copied_or_selected_for_it(page, context, history_server, orders):
    orders((1, 1, 500.0, "Ohio"))
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(history_server.url + PAGE)
    page.get_by_role("button", name="Copy: WebSocket").click()
    expect(page.locator("#copied")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(
        history_server.url.replace("http", "ws") + "/ws/rankings/?rankings=states-by-turnover"
    )
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.get_by_role("button", name="Copy: iframe").click()
    expect(page.locator("#copied")).to_contain_text("Ctrl+C")
    assert "<iframe" in page.evaluate("getSelection().toString() || document.activeElement.value")


def test_a_language_that_is_chosen_on_the_board_is_that_of_the_other_pages(page, history_server, orders):
    orders((1, 1, 500.0, "Ohio"))
    page.goto(history_server.url)
    page.evaluate(
        """localStorage.setItem("live-board", '{"language": "de", "window": "1h", "filter": "x"}')"""
    )
    page.goto(history_server.url + PAGE)
    expect(page.locator("html")).to_have_attribute("lang", "de")
    assert page.url == history_server.url + PAGE + "&language=de"


def test_a_row_leads_to_the_page_of_its_key_and_back(page, history_server, history):
    page.goto(history_server.url + PAGE)
    badge(page, "live")
    page.get_by_role("link", name="Ohio").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ohio")
    expect(page.locator(".places")).to_contain_text("$500")
    expect(page.locator(".past path")).to_have_count(1)
    page.locator("#chart").get_by_role("link", name="15 min").click()
    expect(page).to_have_url(re.compile("span=15m"))
    page.get_by_role("slider", name="Time").press("Home")
    assert value(page, "Ohio").startswith("$48")
    page.get_by_role("link", name="States by turnover").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("States by turnover")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_scrolls_sideways(page, history_server, history, width):
    page.set_viewport_size({"width": width, "height": 800})
    for path in (PAGE, "/rankings/states-by-turnover/key/?key=%22Ohio%22"):
        page.goto(history_server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


#: Returns the horizontal edges of the times below the chart, from left to right.
TIMES = """() => [...document.querySelectorAll('.chart-axis text')].map(text => text.getBoundingClientRect())
  .filter(box => box.width).map(box => [box.left, box.right])"""


def test_times_below_the_chart_do_not_touch_each_other_on_a_narrow_screen(page, history_server, orders):
    orders((1, 1, 500.0, "Ohio"))
    page.set_viewport_size({"width": 320, "height": 800})
    # An hour before the first label, whose text is moved to the right so that it isn't cut off.
    moment = datetime.now(UTC).replace(hour=5, minute=0, second=0, microsecond=0) - timedelta(days=1)
    keep(moment, [("Ohio", 500.0)])
    page.goto(f"{history_server.url}/rankings/states-by-turnover/?span=24h&at={moment:%Y-%m-%dT%H:%MZ}")
    expect(page.locator(".chart-axis text").first).to_contain_text("AM")
    times = page.evaluate(TIMES)
    assert len(times) >= 2
    assert all(right + 4 <= left for (_, right), (left, _) in pairwise(times)), times


def test_on_paper_the_rows_are_below_the_chart_and_nothing_waits_for_a_click(page, history_server, history):
    page.set_viewport_size({"width": 1000, "height": 800})
    page.goto(history_server.url + PAGE)
    page.emulate_media(media="print")
    chart, card = (page.locator(name).bounding_box() for name in ("#chart", ".live-card"))
    assert chart["width"] == card["width"] > 900
    assert card["y"] > chart["y"] + chart["height"]
    for name in ("#chart nav", ".exports", "#chart summary", "#controls"):
        expect(page.locator(name)).to_be_hidden()
