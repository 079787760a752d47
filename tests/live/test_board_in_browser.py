"""The board in a real Chromium: a viewer chooses, filters, presses keys and hangs it on a wall."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser import STATES_CARD, badge, hide, shows
from tests.conftest import BOTH

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

pytestmark = [BOTH, pytest.mark.browser]

STATES, QUANTITY, TURNOVER = "states-by-turnover", "products-by-quantity", "products-by-turnover"
AVERAGE = "products-by-average-quantity"


@pytest.fixture(autouse=True)
def some_orders(orders) -> None:
    orders((1, 2, 3.0, "Ohio"), (2, 1, 2.0, "Utah"), (3, 1, 1.0, "Texas"))


def open_board(page: Page, address: str) -> None:
    page.goto(address)
    # A page whose browser keeps other choices leads to their address, and has no liveBoard.
    page.wait_for_function("() => window.liveBoard")
    badge(page, "live")


def shows_cards(page: Page, *slugs: str) -> None:
    """Wait until these cards are visible, in this order, and no others."""
    page.wait_for_function(
        """slugs => slugs === Array.from(document.querySelectorAll(".live-card"))
          .filter(card => card.checkVisibility()).map(card => card.dataset.ranking).join()""",
        arg=",".join(slugs),
    )


def has_theme(page: Page, theme: str) -> None:
    """Wait until the page has a theme."""
    expect(page.locator("html")).to_have_attribute("data-theme", theme)


def settings(page: Page):
    page.keyboard.press("s")
    return page.get_by_role("dialog", name="Settings")


def test_a_browser_keeps_what_its_viewer_chooses_and_the_address_wins(page, server):
    open_board(page, server.url)
    page.get_by_role("button", name="Theme: as the system").click()
    expect(page.get_by_role("button", name="Theme: light")).to_be_focused()
    page.keyboard.press("t")
    has_theme(page, "dark")
    expect(page).to_have_url(re.compile(r"\?theme=dark$"))
    dialog = settings(page)
    dialog.get_by_role("checkbox", name="Products by average quantity").uncheck()
    dialog.get_by_role("checkbox", name="Products by turnover").uncheck()
    up = dialog.get_by_role("button", name="Move Products by quantity up")
    up.press("Enter")
    up.press("Enter")
    dialog.get_by_label("Rows").select_option("10")
    dialog.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(f"rankings={QUANTITY},{STATES}&top=10"))
    badge(page, "live")
    shows_cards(page, QUANTITY, STATES)
    # Without parameters, the page is as it was left; with them, as they say, and nothing is forgotten.
    open_board(page, f"{server.url}?rankings={TURNOVER}&theme=light")
    shows_cards(page, TURNOVER)
    has_theme(page, "light")
    open_board(page, server.url)
    shows_cards(page, QUANTITY, STATES)
    has_theme(page, "dark")
    settings(page).get_by_role("button", name="Back to the defaults").click()
    expect(page.locator(".live-card")).to_have_count(4)
    has_theme(page, "auto")


def test_a_user_finds_the_choices_of_one_browser_in_another(
    page, browser, closed_server, client, django_user_model
):
    client.force_login(django_user_model.objects.create_user("ann"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": closed_server.url}
    page.context.add_cookies([cookie])
    open_board(page, closed_server.url)
    with page.expect_response("**/preferences/") as kept:
        page.keyboard.press("t")
    assert kept.value.status == 204
    with page.expect_response("**/preferences/"):
        dialog = settings(page)
        dialog.get_by_label("Updates").select_option("30")
        dialog.get_by_role("button", name="Apply").click()
    badge(page, "polling")
    expect(page.locator("#badge-detail")).to_have_text("every 30 s")
    other = browser.new_context()
    other.add_cookies([cookie])
    elsewhere = other.new_page()
    sockets: list[str] = []
    elsewhere.on("websocket", lambda socket: sockets.append(socket.url))
    elsewhere.goto(closed_server.url)
    badge(elsewhere, "polling")
    has_theme(elsewhere, "light")
    assert sockets == []
    other.close()


def test_a_filter_leaves_out_rows_and_cards_and_says_so(page, server, orders):
    open_board(page, server.url)
    page.evaluate(
        """() => {
          window.glides = 0;
          Element.prototype.animate = () => { glides += 1; };
        }"""
    )
    page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Filter by name")
    expect(field).to_be_focused()
    # Single keys are letters here.
    field.press_sequentially("TEX")
    expect(page.locator("#board-note")).to_have_text("1 row matches, of the leading 50 of each ranking")
    expect(page.locator(".live-row:visible")).to_have_count(1)
    shows_cards(page, STATES)
    # Also when rows change.
    orders((1, 5, 50.0, "Iowa"), (9, 1, 1.0, "Texas"))
    shows(page, "$250")
    expect(page.locator(".live-row:visible")).to_have_count(1)
    # No row that is shown has moved, neither by the filter nor by rows that it leaves out.
    assert page.evaluate("glides") == 0
    assert page.locator("[data-rose]").count() == 0
    page.goto(page.url)
    expect(page.locator(".live-row:visible")).to_have_text(re.compile("Texas"))
    expect(field).to_have_value("TEX")
    field.press("Escape")
    expect(page.locator(".live-card:visible")).to_have_count(4)
    expect(page.locator("#board-note")).to_be_hidden()


def test_a_window_is_chosen_in_the_same_page_which_stays_live(page, server, orders):
    open_board(page, server.url)
    page.evaluate(
        """() => {
          window.states = new Set();
          new MutationObserver(() => states.add(document.getElementById('badge').dataset.state))
            .observe(document.getElementById('badge'), {attributeFilter: ['data-state']});
        }"""
    )
    windows = page.get_by_role("navigation", name="Window")
    windows.get_by_role("link", name="1 h").click()
    card = page.locator("#ranking-states-by-turnover--1h")
    expect(card).to_contain_text("$6")
    expect(windows.locator("[aria-current]")).to_have_text("1 h")
    expect(page).to_have_url(re.compile(r"\?window=1h$"))
    orders((1, 5, 50.0, "Iowa"))
    expect(card).to_contain_text("Iowa")
    page.keyboard.press("4")
    expect(page.locator("#ranking-states-by-turnover--7d")).to_contain_text("Iowa")
    page.go_back()
    expect(card).to_contain_text("Iowa")
    expect(page.locator("#json")).to_have_attribute("href", re.compile("window=1h"))
    assert page.evaluate("[...states]") == []
    # The browser remembers the last choice.
    open_board(page, server.url)
    expect(windows.locator("[aria-current]")).to_have_text("7 days")


def test_a_window_that_the_server_does_not_send_leaves_the_board_as_it_is(page, server):
    open_board(page, server.url)
    page.context.set_offline(True)
    page.get_by_role("navigation", name="Window").get_by_role("link", name="1 h").click()
    expect(page.locator("#board-note")).to_have_text("the server can’t be reached")
    expect(page.locator(".live-card")).to_have_count(4)
    expect(page).to_have_url(f"{server.url}/")
    page.context.set_offline(False)
    badge(page, "live")


def test_the_settings_work_without_their_script(page, server):
    page.route(re.compile(r"/settings\b.*\.js"), lambda route: route.abort())
    open_board(page, server.url)
    dialog = settings(page)
    dialog.get_by_label("Rows").select_option("10")
    dialog.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("top=10"))


def test_keys_do_what_the_help_says_unless_they_are_switched_off(page, server):
    open_board(page, server.url)
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("?")
    overlay = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(overlay).to_be_visible()
    # While it is open, other keys do nothing.
    page.keyboard.press("p")
    page.keyboard.press("Escape")
    expect(overlay).to_be_hidden()
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    page.keyboard.press("Control+p")
    page.keyboard.press("p")
    badge(page, "paused")
    page.keyboard.press("p")
    badge(page, "live")
    dialog = settings(page)
    dialog.get_by_label("Keyboard shortcuts").select_option("off")
    dialog.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("shortcuts=off"))
    open_board(page, server.url)
    page.keyboard.press("t")
    page.keyboard.press("?")
    has_theme(page, "auto")
    expect(overlay).to_be_hidden()
    page.get_by_label("Menu").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(overlay).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Menu")).to_be_focused()


def test_the_title_and_the_icon_say_the_state(page, closed_server, client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ann"))
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": closed_server.url}]
    )
    open_board(page, closed_server.url)
    title = page.title().removeprefix("Live · ")
    assert page.title() == f"Live · {title}"
    icons = {page.locator("link[rel=icon]").get_attribute("href")}
    page.keyboard.press("p")
    expect(page).to_have_title(f"⏸ Paused · {title}")
    icons.add(page.locator("link[rel=icon]").get_attribute("href"))
    page.keyboard.press("p")
    badge(page, "live")
    client.logout()
    expect(page).to_have_title(f"⚠ Closed · {title}")
    icons.add(page.locator("link[rel=icon]").get_attribute("href"))
    assert len(icons) == 3
    assert all(str(icon).startswith("data:image/svg+xml,") for icon in icons)


def test_a_kiosk_shows_its_controls_only_to_those_who_ask_and_takes_turns(page, server):
    page.clock.install()
    page.goto(f"{server.url}?kiosk=300&boards={STATES},{QUANTITY}")
    badge(page, "live")
    expect(page.locator("html")).to_have_class(re.compile(r"\bkiosk\b"))
    pause = page.get_by_role("button", name="Pause")
    page.clock.run_for(6_000)
    expect(pause).to_be_hidden()
    expect(page.locator("#badge")).to_be_visible()
    page.keyboard.press("Escape")
    expect(pause).to_be_visible()
    page.mouse.move(10, 10)
    page.clock.run_for(6_000)
    expect(pause).to_be_hidden()
    expect(page.locator(".live-card")).to_have_count(4)
    page.evaluate("window.mark = 'not reloaded'")
    page.clock.fast_forward("05:00")
    expect(page.locator(f"{STATES_CARD}:only-child")).to_be_visible()
    page.clock.fast_forward("05:00")
    expect(page.locator(f"#ranking-{QUANTITY}:only-child")).to_be_visible()
    badge(page, "live")
    # k leaves the kiosk, in the same page, for what its address says.
    page.keyboard.press("k")
    expect(pause).to_be_visible()
    expect(page.locator(".live-card")).to_have_count(4)
    expect(page).not_to_have_url(re.compile("kiosk"))
    assert page.evaluate("window.mark") == "not reloaded"


def test_a_kiosk_without_windows_takes_turns_with_the_rankings_of_its_page(page, server):
    page.clock.install()
    page.goto(f"{server.url}?kiosk=300&rankings={QUANTITY},{AVERAGE}")
    badge(page, "live")
    page.clock.run_for(6_000)
    for slug in (QUANTITY, AVERAGE, QUANTITY):
        page.clock.fast_forward("05:00")
        expect(page.locator(f"#ranking-{slug}:only-child")).to_be_visible()


def test_a_kiosk_says_where_the_screen_may_fall_asleep(page, server):
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.goto(f"{server.url}?kiosk")
    expect(page.locator("#board-note")).to_contain_text("The screen may fall asleep")


def test_a_kiosk_loads_a_new_version_after_a_day_and_stays_as_it_is_without_one(page, server):
    page.clock.install()
    page.goto(f"{server.url}?kiosk")
    badge(page, "live")
    page.evaluate("window.mark = 'not reloaded'")

    def is_check(request: Request) -> bool:
        return request.resource_type == "fetch" and request.url == page.url

    with page.expect_event("requestfinished", is_check):
        page.clock.fast_forward("25:00:00")
    page.evaluate("() => fetch('/healthz/').then(answer => answer.text())")
    assert page.evaluate("window.mark") == "not reloaded"

    def new_version(route: Route) -> None:
        if not is_check(route.request):
            return route.fallback()
        answer = route.fetch()
        return route.fulfill(response=answer, body=answer.text().replace("live/live.", "live/newer."))

    page.route("**/?kiosk", new_version)
    with page.expect_navigation():
        page.clock.fast_forward("01:00:00")
    assert page.evaluate("window.mark") is None
    badge(page, "live")


def test_each_limit_that_is_passed_while_the_page_is_open_is_notified_once(page, server, orders):
    page.add_init_script(
        """
        localStorage.setItem('live-notify', 'true');
        window.told = [];
        window.Notification = class {
          static permission = 'granted';
          constructor(title, { body }) { told.push(`${title}: ${body}`); }
        };
        """
    )
    open_board(page, server.url)
    pass_limit = """crossings => {
      const row = document.querySelector('.live-row');
      row.dataset.alerts = JSON.stringify(Object.fromEntries(crossings.map(id => [id, `limit ${id}`])));
      document.dispatchEvent(new CustomEvent('htmx:after:swap'));
      return told.length;
    }"""
    # The script arrives after the page; what it finds isn't news.
    page.wait_for_function(f"() => ({pass_limit})([performance.now()])")
    page.evaluate("told.length = 0")
    for crossings in (["a"], ["a"], ["c", "b", "a"], ["b"]):
        page.evaluate(pass_limit, crossings)
    expected = [f"Shop, live: limit {crossing}" for crossing in "acb"]
    assert page.evaluate("told") == expected
    # A tab in the background that notifies keeps listening.
    hide(page, True)
    orders((1, 9, 9.0, "Iowa"))
    shows(page, "Iowa")
    page.evaluate("localStorage.setItem('live-notify', 'false')")
    page.evaluate(pass_limit, ["d"])
    assert page.evaluate("told") == expected
