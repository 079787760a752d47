"""The card in a real Chromium: what moves when htmx swaps in a new one, and how cards and pages are laid out.

Cards are rendered from made-up snapshots into a page without a server; a swap is what a message does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from live import rendering
from live.rankings import RANKINGS
from live.snapshots import Comparison, Snapshot, Totals, key_text, row_id
from tests.browser import badge, resize
from tests.conftest import BOTH
from tests.processes import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [BOTH, pytest.mark.browser]
STATIC = ROOT / "live" / "static" / "live"
#: Rows that glide stop where they begin, however late a busy machine looks.
STOPPED = """
const animate = Element.prototype.animate;
Element.prototype.animate = function (...how) {
  const animation = animate.apply(this, how);
  animation.pause();
  return animation;
};
"""
RANKING = RANKINGS["states-by-turnover"]
SINCE = datetime(2026, 11, 27, 13, 5, tzinfo=UTC)
LONG = "A state whose name is so long that no card of any width has enough room for all of it, nor has a wall"


def snapshot(*names: str, ranking: str = RANKING.slug) -> Snapshot:
    """Return a ranking of these names, from the largest value to the smallest."""
    values = tuple((name, 1000.0 - place) for place, name in enumerate(names))
    ranks = {key_text(name): rank for rank, name in enumerate(reversed(names), start=1)}
    return Snapshot(
        RANKINGS[ranking],
        values,
        datetime.now(UTC),
        "PostgreSQL 18.4 (stand-in)",
        Totals(51, 10_000.0),
        Comparison(SINCE, ranks),
    )


def show(page: Page, *snapshots: Snapshot) -> None:
    """Open a page with these cards."""
    cards = "".join(rendering.card(snapshot) for snapshot in snapshots)
    page.set_content(
        f'<html lang="en" class="live-palette"><body class="page"><div class="cards">{cards}</div></body>'
    )
    for sheet in ("ranking.css", "live.css"):
        page.add_style_tag(path=STATIC / sheet)
    page.add_script_tag(path=STATIC / "vendor/htmx-4.0.1/htmx.min.js")
    page.add_script_tag(content=STOPPED)
    page.add_script_tag(path=STATIC / "motion.js")
    settle(page)


def swap(page: Page, *snapshots: Snapshot) -> list[str]:
    """Swap in a ranking's new cards, as messages do. Return the ids of the rows that glide."""
    gliding: list[str] = page.evaluate(
        """async (texts) => {
          for (const text of texts) {
            await htmx.swap({sourceElement: document.body, target: document.body, swap: "none", text});
          }
          return document.getAnimations().map((animation) => animation.effect.target.id);
        }""",
        [rendering.card_message(snapshot) for snapshot in snapshots],
    )
    return gliding


def settle(page: Page) -> None:
    """Wait for what motion.js measures after a frame."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => setTimeout(done))))"
    )


def element(name: str) -> str:
    return f"{RANKING.id}-{row_id(name)}"


def test_rows_glide_only_when_their_order_changes_and_a_riser_is_tinted_and_above(page):
    show(page, snapshot("Ohio", "Utah", "Iowa"))
    assert swap(page, snapshot("Ohio", "Utah", "Iowa")) == []
    riser = page.locator(f"#{element('Iowa')}")
    top = riser.bounding_box()["y"]
    # The second swap changes nothing, and leaves what moves.
    moved = snapshot("Iowa", "Ohio", "Utah")
    assert set(swap(page, moved, moved)) == {element(name) for name in ("Iowa", "Ohio", "Utah")}
    # It starts where it was, and covers the rows that it overtakes.
    assert abs(riser.bounding_box()["y"] - top) < 1
    styles = page.evaluate(
        """async ([text, ...ids]) => {
          await htmx.swap({sourceElement: document.body, target: document.body, swap: "none", text});
          return ids.map((id) => getComputedStyle(document.getElementById(id)))
            .map((style) => [style.zIndex, style.backgroundColor]);
        }""",
        [rendering.card_message(snapshot("Utah", "Iowa", "Ohio")), element("Utah"), element("Ohio")],
    )
    (above, tint), (below, card) = styles
    assert (above, below) == ("1", "auto")
    assert tint != card
    assert "rgba" not in tint + card, "Names below a row would shine through."
    # A row that falls again is no riser.
    assert riser.get_attribute("data-rose") is None
    page.wait_for_function("!document.querySelector('[data-rose]')")


def test_a_new_row_glides_in_from_below_and_bars_jump(page):
    show(page, snapshot("Ohio", "Utah"))
    assert swap(page, snapshot("Iowa", "Utah")) == [element("Iowa")]
    row, last = page.locator(f"#{element('Iowa')}"), page.locator(f"#{element('Utah')}")
    assert row.bounding_box()["y"] > last.bounding_box()["y"]
    assert page.evaluate("getComputedStyle(document.querySelector('.bar rect')).transitionDuration") == "0s"


def test_with_reduced_motion_nothing_moves(page):
    page.emulate_media(reduced_motion="reduce")
    show(page, snapshot("Ohio", "Utah"))
    assert swap(page, snapshot("Utah", "Ohio")) == []
    assert page.locator("[data-rose]").count() == 0


def sparklines(**rows: list[int | None]) -> str:
    points = {row_id(name): values for name, values in rows.items()}
    message = {"type": "sparklines", "ranking": RANKING.id, "step": 60, "rows": points}
    return json.dumps(message, separators=(",", ":"))


def hear(page: Page, data: str) -> None:
    """Tell the page of a message."""
    page.evaluate(
        """(data) => {
          const detail = {message: {data}};
          document.dispatchEvent(new CustomEvent("htmx:ws:before:message:incoming", {detail}));
        }""",
        data,
    )


def test_sparklines_are_drawn_with_their_gaps_and_stay_when_a_card_is_swapped(page):
    show(page, snapshot("Ohio", "Utah"))
    box = page.locator(f"#{element('Ohio')} .value").bounding_box()
    hear(page, sparklines(Ohio=[0, 50, None, 100, 100], Utah=[None, None, None, None, None]))
    path = page.locator(f"#{element('Ohio')} .spark path")
    assert path.get_attribute("d") == "M0.0 18.0h0L17.5 10.0M52.5 2.0h0L70.0 2.0"
    assert page.locator(f"#{element('Utah')} .spark > *").count() == 0
    assert page.locator(f"#{element('Ohio')} .value").bounding_box() == box
    page.evaluate("window.drawn = document.querySelector('.spark path')")
    swap(page, snapshot("Utah", "Ohio", "Iowa"))
    assert page.evaluate("drawn.isConnected")
    # A paused page stays as it is. The next swap brings what has come meanwhile.
    page.evaluate("() => { window.livePage = {isPaused: () => true, isClosed: () => true}; }")
    hear(page, sparklines(Ohio=[0, 100]))
    assert page.evaluate("drawn.isConnected")
    page.evaluate("() => { livePage.isPaused = () => false; }")
    swap(page, snapshot("Utah", "Ohio", "Iowa"))
    assert path.get_attribute("d") == "M0.0 18.0h0L70.0 2.0"
    # A card that is narrow has room for its names only.
    resize(page, 320, 700)
    assert not path.is_visible()


def test_a_page_without_a_socket_asks_for_its_sparklines(page, server, orders):
    orders((1, 2, 3.0, "Ohio"))
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    lines = json.loads(sparklines(Ohio=[0, 100]))
    page.route("**/sparklines/?rankings=*", lambda route: route.fulfill(json=[lines]))
    page.goto(server.url)
    page.locator(f"#{element('Ohio')} .spark path").wait_for()
    with page.expect_request("**/sparklines/?*window=1h*"):
        page.get_by_role("navigation", name="Window").get_by_role("link", name="1 h").click()


def test_each_name_can_be_read_in_full(page):
    show(page, snapshot("Ohio", LONG))
    name = page.locator(f"#{element(LONG)} .name")
    assert name.get_attribute("title") == LONG
    name.locator("xpath=self::*[@data-cut]").wait_for(state="attached")
    assert page.locator("[data-cut]").count() == 1
    height = page.locator(".live-card").bounding_box()["height"]
    name.focus()
    assert LONG in name.evaluate("name => getComputedStyle(name, '::after').content")
    assert page.locator(".live-rows").evaluate("rows => getComputedStyle(rows).overflow") == "visible"
    assert page.locator(".live-card").bounding_box()["height"] == height
    # A swap doesn't take the focus away.
    swap(page, snapshot(LONG, "Ohio"))
    settle(page)
    assert name.evaluate("name => name === document.activeElement")


def test_a_name_of_the_usual_length_is_cut_on_no_screen_and_no_paper(page):
    usual = snapshot("Noise-Cancelling Headphones", "Pennsylvania")
    show(page, replace(usual, values=tuple((name, (value or 0) * 1050) for name, value in usual.values)))
    cut = """() => [...document.querySelectorAll(".name")].filter((name) =>
      name.scrollWidth > name.clientWidth || name.scrollHeight > name.clientHeight).length"""
    lines = """(name) => {
      const range = document.createRange();
      range.selectNodeContents(name);
      return new Set([...range.getClientRects()].map(({ top }) => top)).size;
    }"""
    # Some letters a line, as in a narrow column of another site.
    for width in (250, 280, 300):
        resize(page, width, 700)
        assert page.evaluate(cut) == 0, width
    for width in (320, 360, 390, 410, 420, 440, 480, 500, 540, 620):
        resize(page, width, 700)
        assert page.evaluate(cut) == 0, width
        assert page.locator(f"#{element('Pennsylvania')} .name").evaluate(lines) == 1, width
    show(page, snapshot(LONG))
    page.emulate_media(media="print")
    assert page.evaluate(cut) == 0


def test_no_word_of_a_title_is_broken_beside_a_total(page):
    show(page, snapshot("Ohio"))
    resize(page, 320, 700)
    lines = page.locator("h2 a").evaluate("""(title) => {
      const head = title.closest(".head");
      head.innerHTML = "<h2>Bundesstaaten nach Umsatz</h2><span class='total'>6.537.570 $</span>";
      const range = document.createRange();
      const [text] = head.firstChild.childNodes;
      range.setStart(text, 0);
      range.setEnd(text, "Bundesstaaten".length);
      return new Set([...range.getClientRects()].map(({ top }) => top)).size;
    }""")
    assert lines == 1


def test_times_are_in_the_zone_and_language_of_the_viewer(browser: Browser):
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    page.clock.set_fixed_time(datetime(2026, 11, 27, 14, 0, tzinfo=UTC))
    show(page, snapshot("Ohio"))
    assert page.locator("time.since").text_content() == "22:05"
    # A wall shows the same card on other days.
    page.clock.set_fixed_time(datetime(2026, 11, 29, 14, 0, tzinfo=UTC))
    swap(page, snapshot("Ohio"))
    assert page.locator("time.since").text_content() == "Fri 22:05"
    context.close()


def columns(page: Page) -> int:
    """Return how many cards stand side by side, after checking that nothing sticks out of the page."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lefts = "[...document.querySelectorAll('.live-card')].map(card => card.offsetLeft)"
    return len(set(page.evaluate(lefts)))


def test_four_cards_fit_each_screen(page, server, orders):
    orders(
        *(
            (item, item, 1e5 + item, name)
            for item, name in enumerate(["Ohio", "Utah", "Iowa", "Maine", LONG], 1)
        )
    )
    resize(page, 1280, 720)
    page.goto(server.url)
    badge(page, "live")
    page.wait_for_function("document.querySelectorAll('.live-row').length === 20")
    assert page.evaluate("document.documentElement.scrollHeight") == 720
    assert columns(page) == 2
    for width, expected in ((320, 1), (390, 1), (768, 1), (1024, 2), (1700, 4), (2560, 4), (3840, 4)):
        resize(page, width, width)
        assert columns(page) == expected, width
    # Right to left: the first card is on the right, and so are the ranks.
    resize(page, 1280, 720)
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert columns(page) == 2
    assert page.evaluate("document.querySelector('.live-card').offsetLeft > innerWidth / 2")
    right_to_left = "document.querySelector('.rank').offsetLeft > document.querySelector('.value').offsetLeft"
    assert page.evaluate(right_to_left)
    page.evaluate("document.documentElement.removeAttribute('dir')")
    # On a wall the cards fill the screen, and nothing is cut off.
    resize(page, 1920, 1080)
    page.evaluate("document.documentElement.className += ' kiosk'")
    assert page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]") == [
        1080,
        1920,
    ]
    fits = "[...document.querySelectorAll('.live-card')].every(c => c.scrollHeight <= c.offsetHeight)"
    assert page.evaluate(fits)
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.live-card')).fontSize)") > 20


def test_on_paper_a_page_is_black_on_white_and_has_no_controls(page, server, orders):
    orders((1, 2, 3.0, "Ohio"))
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(server.url)
    badge(page, "live")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = "getComputedStyle(document.querySelector('.page-header'), '::after').content"
    assert str(datetime.now(UTC).year) in page.evaluate(printed)
    assert page.locator("button:visible, .badge:visible, .controls:visible").count() == 0
    colours = """() => ['body', '.live-card', '.name'].map(selector => {
      const style = getComputedStyle(document.querySelector(selector));
      return [style.color, style.backgroundColor];
    })"""
    black, white, none = "rgb(0, 0, 0)", "rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"
    assert page.evaluate(colours) == [[black, white], [black, white], [black, none]]
