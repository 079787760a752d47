"""The dashboard and the widget in a real Chromium: an order is inserted, and the page changes."""

from __future__ import annotations

import http.server
import threading
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from live.protocol import CloseCode
from tests import processes
from tests.browser import STATES_CARD, badge, requests_of, shows, wait_until
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = [BOTH, pytest.mark.browser]


def test_an_order_is_inserted_and_the_page_changes_by_itself(page, server, orders):
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    shows(page, "$6")
    page.evaluate("window.mark = 'not reloaded'")
    row = page.locator(f"{STATES_CARD} .live-row").first.element_handle()
    with requests_of(page) as requests:
        orders((1, 10, 10.0, "Utah"))
        shows(page, "Utah")
        shows(page, "$100")
    assert requests == []
    assert page.evaluate("window.mark") == "not reloaded"
    # Morphed, not replaced: Ohio's element is still there, now in the second place, and its bar has shrunk.
    assert row.evaluate("row => row.isConnected && row.querySelector('.name').textContent") == "Ohio"
    assert row.evaluate("row => row.querySelector('.rank').textContent") == "2"
    assert row.evaluate("row => row.querySelector('rect').getAttribute('width')") == "6.0"


def test_a_bar_glides_to_its_new_width(page, server, orders):
    orders((1, 1, 100.0, "Ohio"), (1, 1, 10.0, "Utah"))
    page.goto(server.url)
    badge(page, "live")
    shows(page, "$10")
    page.evaluate(
        """() => {
          const rect = document.querySelectorAll('#ranking-states-by-turnover rect')[1];
          rect.addEventListener('transitionend', ({propertyName, elapsedTime}) => {
            window.transition = [propertyName, elapsedTime, getComputedStyle(rect).width];
          });
        }"""
    )
    orders((1, 1, 70.0, "Utah"))
    shows(page, "$80")
    page.wait_for_function("() => window.transition")
    name, seconds, width = page.evaluate("transition")
    assert (name, width) == ("width", "80px")
    assert seconds > 0


def test_without_a_socket_the_page_polls_every_two_seconds(page, server, orders):
    page.clock.install()
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    shows(page, "$6")
    statuses = stop_clock(page)
    with requests_of(page) as requests:
        for number in range(1, 4):
            page.clock.run_for(1_999)
            page.clock.run_for(1)
            wait_until(page, lambda: len(statuses()) == number)  # noqa: B023
    assert len(requests) == 3
    assert statuses()[-1] == 304
    page.clock.resume()
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")


def test_a_poll_replaces_a_state_that_was_pushed_after_the_last_poll(page, server, orders):
    """A state A is polled, and B pushed. When the rows are back at A, the next poll must not get a 304."""
    from demo.shop.models import Order

    orders((1, 2, 3.0, "Ohio"))
    sockets = []
    page.route_web_socket("**", lambda socket: sockets.append((socket, socket.connect_to_server())))
    page.goto(server.url)
    badge(page, "live")
    orders((1, 10, 10.0, "Utah"))
    shows(page, "Utah")
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    for socket, upstream in sockets:
        upstream.close()
        socket.close(code=1011)
    Order.objects.filter(state="Utah").delete()
    expect(page.locator(STATES_CARD)).not_to_contain_text("Utah")
    badge(page, "polling")


def test_without_javascript_the_page_reloads_itself(browser, server, orders):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    shows(page, "$6")
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")
    context.close()


def stop_clock(page: Page) -> Callable[[], list[int | None]]:
    """Stop the page's clock after a poll, so that timers run only in page.clock.run_for().

    Returns the statuses of the polls that the page has handled since, None for one without an answer. Needs
    page.clock.install() before the page is opened.
    """
    page.evaluate(
        """() => {
          window.statuses = [];
          document.addEventListener('htmx:finally:request', ({detail}) => {
            statuses.push(detail.ctx.response?.status ?? null);
          });
        }"""
    )

    def statuses() -> list[int | None]:
        found: list[int | None] = page.evaluate("statuses")
        return found

    # A minute further: the next poll is due.
    page.clock.pause_at(time.time() + 60)
    wait_until(page, statuses)
    page.evaluate("statuses.length = 0")
    return statuses


def hide(page: Page, hidden: bool) -> None:
    """Tell the page that its tab is hidden or shown; headless Chromium does neither."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


def test_a_hidden_tab_keeps_no_socket_and_catches_up_when_it_is_shown(page, server, orders):
    page.clock.install()
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    with requests_of(page) as requests:
        hide(page, True)
        badge(page, "connecting")
        orders((1, 2, 3.0, "Utah"))
        page.clock.run_for(10_000)
    assert requests == []
    hide(page, False)
    shows(page, "Utah")
    badge(page, "live")


def test_a_hidden_tab_does_not_poll_and_catches_up_when_it_is_shown(page, server, orders):
    page.clock.install()
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    with page.expect_response("**/partials/**"):
        pass
    hide(page, True)
    with requests_of(page) as requests:
        orders((1, 2, 3.0, "Utah"))
        page.clock.run_for(10_000)
    assert requests == []
    hide(page, False)
    shows(page, "Utah")


def test_polls_wait_for_as_long_as_the_server_asks(page, site_environment, tmp_path, orders):
    page.clock.install()
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    port = processes.free_port()
    with processes.daphne(site_environment, tmp_path / "log", port) as server:
        page.goto(server.url)
        badge(page, "polling")
    statuses = stop_clock(page)
    nowhere = f"postgres://nobody@127.0.0.1:{processes.free_port()}/none"
    with processes.daphne(site_environment | {"RISINGWAVE_URL": nowhere}, tmp_path / "log", port):
        with page.expect_response(lambda response: response.status == 503) as refused:
            page.clock.run_for(2_000)
        wait_until(page, lambda: statuses() == [503])
        assert refused.value.headers["retry-after"] == "5"
        with requests_of(page) as requests:
            page.clock.run_for(4_999)
        assert requests == []
        page.clock.run_for(2_000)
        wait_until(page, lambda: len(statuses()) == 2)


def test_a_paused_page_stays_as_it_is_and_catches_up_when_it_is_resumed(page, server, orders):
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    page.get_by_role("button", name="Pause").click()
    badge(page, "paused")
    page.evaluate(
        """() => document.addEventListener('htmx:ws:before:message:incoming', ({detail}) => {
          if (detail.message.data.includes('Utah')) window.arrived = true;
        })"""
    )
    orders((1, 2, 3.0, "Utah"))
    page.wait_for_function("() => window.arrived")
    expect(page.locator(STATES_CARD)).not_to_contain_text("Utah")
    page.get_by_role("button", name="Resume").click()
    shows(page, "Utah")
    badge(page, "live")


def test_a_page_reconnects_after_a_restart_of_the_server(page, site_environment, tmp_path, orders):
    port = processes.free_port()
    orders((1, 2, 3.0, "Ohio"))
    with processes.daphne(site_environment, tmp_path / "log", port) as server:
        page.goto(server.url)
        badge(page, "live")
    badge(page, "disconnected")
    shows(page, "$6")
    orders((1, 2, 3.0, "Utah"))
    with processes.daphne(site_environment, tmp_path / "log", port):
        badge(page, "live")
        shows(page, "Utah")


@pytest.mark.parametrize(
    "code",
    [
        CloseCode.NORMAL,
        CloseCode.RESTART,
        CloseCode.TOO_MANY_SUBSCRIBERS,
        CloseCode.ASGI_RESTART,
    ],
)
def test_a_page_reconnects_after_a_close_that_allows_it(page, server, orders, code):
    sockets: list[str] = []

    def first_closed(socket: WebSocketRoute) -> None:
        sockets.append(socket.url)
        if len(sockets) == 1:
            socket.close(code=code)
        else:
            socket.connect_to_server()

    page.route_web_socket("**", first_closed)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    shows(page, "Ohio")
    # A poll would show Utah too.
    page.route("**/partials/**", lambda route: route.abort())
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")
    badge(page, "live")
    assert len(sockets) == 2


@pytest.mark.parametrize(
    "code",
    [code for code in CloseCode if not code.may_reconnect and code != CloseCode.LOGIN_REQUIRED],
)
def test_a_page_polls_after_a_close_that_forbids_reconnecting(page, server, orders, code):
    sockets: list[str] = []

    def closed(socket: WebSocketRoute) -> None:
        sockets.append(socket.url)
        socket.close(code=code)

    page.clock.install()
    page.route_web_socket("**", closed)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    with requests_of(page):
        page.clock.run_for(10_000)
    assert len(sockets) == 1
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")


def test_a_page_that_reconnects_gets_only_the_cards_that_have_changed(page, server, orders):
    sockets: list[tuple[WebSocketRoute, WebSocketRoute]] = []
    cards: list[str] = []

    def recorded(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()
        sockets.append((socket, upstream))

        def pass_on(message: str | bytes) -> None:
            if str(message).startswith("<"):
                cards.append(str(message))
            socket.send(message)

        upstream.on_message(pass_on)

    page.route_web_socket("**", recorded)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    shows(page, "$6")
    etag = str(page.locator(STATES_CARD).get_attribute("data-etag"))
    cards.clear()
    socket, upstream = sockets[0]
    upstream.close()
    socket.close(code=1012)
    wait_until(page, lambda: len(sockets) == 2)
    badge(page, "live")
    assert etag in sockets[1][0].url
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")
    assert [card for card in cards if "Utah" in card]
    assert [card for card in cards if etag in card] == []


def test_a_widget_in_a_page_of_this_site_is_live(page, server, orders):
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url + "/login/")
    # As the snippet has it, in a page of the same origin.
    page.evaluate(
        """() => {
          const iframe = document.createElement('iframe');
          iframe.src = '/embed/states-by-turnover/';
          iframe.sandbox = 'allow-scripts allow-same-origin';
          document.body.append(iframe);
        }"""
    )
    iframe = page.frame_locator("iframe")
    expect(iframe.locator("#badge")).to_have_attribute("data-state", "live")
    expect(iframe.locator(STATES_CARD)).to_contain_text("$6")
    orders((1, 2, 3.0, "Utah"))
    expect(iframe.locator(STATES_CARD)).to_contain_text("Utah")


def test_a_foreign_site_may_not_embed_a_widget_unless_it_is_listed(
    context, server, site_environment, tmp_path, orders, foreign_site
):
    orders((1, 2, 3.0, "Ohio"))
    page = context.new_page()
    page.goto(f"{foreign_site}/?{server.url}/embed/states-by-turnover/")
    expect(page.frame_locator("iframe").locator(STATES_CARD)).to_have_count(0)
    with processes.daphne(
        site_environment | {"LIVE_FRAME_ANCESTORS": foreign_site}, tmp_path / "log"
    ) as listed:
        page.goto(f"{foreign_site}/?{listed.url}/embed/states-by-turnover/")
        iframe = page.frame_locator("iframe")
        expect(iframe.locator(STATES_CARD)).to_contain_text("$6")
        expect(iframe.locator("#badge")).to_have_attribute("data-state", "live")


def test_users_log_in_to_a_closed_dashboard_and_see_it_live(page, closed_server, orders, django_user_model):
    django_user_model.objects.create_user("ann", password="a-good-password")
    orders((1, 2, 3.0, "Ohio"))
    page.goto(closed_server.url)
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill("a-good-password")
    page.get_by_role("button", name="Log in").click()
    badge(page, "live")
    shows(page, "$6")
    page.get_by_role("button", name="Log out ann").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_the_admin_works_under_the_content_security_policy(page, server, orders, admin_user):
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url + "/admin/demo_shop/order/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#result_list")).to_contain_text("Ohio")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_overflows_on_a_screen_of_any_width(browser, server, orders, scheme, width):
    orders((1, 2_000_000_000, 1e9, "A state with quite a long name that goes on and on"))
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 844})
    page = context.new_page()
    page.goto(server.url)
    badge(page, "live")
    shows(page, "A state")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.fixture
def foreign_site() -> Iterator[str]:
    """Another site, with a page that embeds the URL in its query string."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            embedded = self.path.partition("?")[2]
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="{embedded}" width="600" height="400"></iframe>'.encode())

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()
