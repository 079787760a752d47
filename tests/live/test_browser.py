"""The page in a real Chromium, from an order being inserted to the page changing."""

from __future__ import annotations

import http.server
import os
import threading
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect, sync_playwright

from tests import processes
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = [BOTH, pytest.mark.browser]
STATES = "#ranking-states-by-turnover"
#: Milliseconds in which a page polls twice.
TWO_POLLS = 4_500


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    flags = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's sandbox refuses to run as root.
    # Playwright leaves an event loop running in this thread; the tests themselves await nothing.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield running
        running.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose console has to stay clean of errors, the policy's violations among them."""
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert [error for error in errors if not expected(error)] == []


def expected(error: str) -> bool:
    """Chromium itself tells of connections that fail, which some of these tests bring about."""
    return (
        "WebSocket connection" in error or "htmx:ws:error" in error or "Failed to" in error or "ERR_" in error
    )


@pytest.fixture(autouse=True)
def patience() -> None:
    expect.set_options(timeout=20_000)


def shows(page: Page, text: str) -> None:
    expect(page.locator(STATES)).to_contain_text(text)


def badge(page: Page, state: str) -> None:
    expect(page.locator("#badge")).to_have_attribute("data-state", state)


def test_an_order_is_inserted_and_the_page_changes_by_itself(page, server, orders):
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    shows(page, "$6")
    page.evaluate("window.mark = 'not reloaded'")
    row = page.locator(f"{STATES} .live-row").first.element_handle()
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    orders((1, 10, 10.0, "Utah"))
    shows(page, "Utah")
    shows(page, "$100")
    assert page.evaluate("window.mark") == "not reloaded"
    # Morphed, not replaced: Ohio's element is still there, now in the second place, and its bar has shrunk.
    assert row.evaluate("row => row.isConnected && row.querySelector('.name').textContent") == "Ohio"
    assert row.evaluate("row => row.querySelector('.rank').textContent") == "2"
    assert row.evaluate("row => row.querySelector('rect').getAttribute('width')") == "6.0"
    assert polls == []


def test_a_bar_glides_to_its_new_width(page, server, orders):
    orders((1, 1, 100.0, "Ohio"), (1, 1, 10.0, "Utah"))
    page.goto(server.url)
    badge(page, "live")
    shows(page, "$10")
    page.evaluate(
        """() => {
          window.widths = new Set();
          const rect = document.querySelectorAll('#ranking-states-by-turnover rect')[1];
          const watch = () => { widths.add(getComputedStyle(rect).width); requestAnimationFrame(watch); };
          watch();
        }"""
    )
    orders((1, 1, 70.0, "Utah"))
    shows(page, "$80")
    page.wait_for_function("() => widths.has('80px')")
    assert page.evaluate("widths.size") > 4


def test_where_no_socket_can_be_had_the_page_polls(page, server, orders):
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    shows(page, "$6")
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    for _ in range(2):
        with page.expect_response(lambda response: "/partials/" in response.url and response.status == 304):
            pass
    assert len(polls) <= 3
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")


def test_what_was_pushed_and_undone_is_not_mistaken_for_what_was_polled(page, server, orders):
    """The page shows a pushed state B after a polled state A; back at A, a poll must not answer 304."""
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
    expect(page.locator(STATES)).not_to_contain_text("Utah")
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


def hide(page: Page, hidden: bool) -> None:
    """Headless Chromium hides no tab, so the page is told."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


def let_time_pass(page: Page, milliseconds: int) -> None:
    """Let time pass on the page's installed clock, and wait until all requests of that time are known."""
    page.clock.run_for(milliseconds)
    with page.expect_response("**/healthz/"):
        page.evaluate("() => void fetch('/healthz/')")


def test_a_hidden_tab_asks_for_nothing_and_catches_up_when_shown(page, server, orders):
    page.clock.install()
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("websocket", lambda socket: requests.append(socket.url))
    hide(page, True)
    badge(page, "connecting")
    orders((1, 2, 3.0, "Utah"))
    let_time_pass(page, TWO_POLLS)
    assert [url for url in requests if not url.endswith("/healthz/")] == []
    hide(page, False)
    shows(page, "Utah")
    badge(page, "live")


def test_a_hidden_tab_does_not_poll_and_catches_up_when_shown(page, server, orders):
    page.clock.install()
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    with page.expect_response("**/partials/**"):
        pass
    hide(page, True)
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    orders((1, 2, 3.0, "Utah"))
    let_time_pass(page, TWO_POLLS)
    assert [url for url in polls if not url.endswith("/healthz/")] == []
    hide(page, False)
    shows(page, "Utah")


def test_polls_wait_for_as_long_as_the_server_asks(page, site_environment, tmp_path, orders):
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    port = processes.free_port()
    with processes.daphne(site_environment, tmp_path / "log", port) as server:
        page.goto(server.url)
        badge(page, "polling")
    nowhere = f"postgres://nobody@127.0.0.1:{processes.free_port()}/none"
    with processes.daphne(site_environment | {"RISINGWAVE_URL": nowhere}, tmp_path / "log", port):
        with page.expect_event("requestfinished", lambda request: request.response().status == 503) as waited:
            pass
        refused = waited.value
        with page.expect_event("requestfinished", lambda request: "/partials/" in request.url) as waited:
            pass
        polled = waited.value
        waits = int(refused.response().headers["retry-after"]) * 1000
    assert waits == 5_000
    # By the browser's clock.
    answered = refused.timing["startTime"] + refused.timing["responseEnd"]
    assert polled.timing["startTime"] - answered > waits * 0.95


def test_a_paused_page_stands_still_and_catches_up_when_resumed(page, server, orders):
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
    expect(page.locator(STATES)).not_to_contain_text("Utah")
    page.get_by_role("button", name="Resume").click()
    shows(page, "Utah")
    badge(page, "live")


def test_the_page_comes_back_after_a_restart_of_the_server(page, site_environment, tmp_path, orders):
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


@pytest.mark.parametrize("code", [1000, 1012, 4503, 4512])
def test_a_page_comes_back_on_the_codes_that_say_so(page, server, orders, code):
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
    # Polls would show the next ones too.
    page.route("**/partials/**", lambda route: route.abort())
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")
    badge(page, "live")
    assert len(sockets) == 2


@pytest.mark.parametrize("code", [1009, 4400, 4403, 4404, 4429])
def test_a_page_stays_away_on_the_codes_that_say_so_and_polls(page, server, orders, code):
    sockets: list[str] = []

    def closed(socket: WebSocketRoute) -> None:
        sockets.append(socket.url)
        socket.close(code=code)

    page.clock.install()
    page.route_web_socket("**", closed)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    # It would be back within two seconds.
    let_time_pass(page, TWO_POLLS)
    assert len(sockets) == 1
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")


def test_a_page_that_comes_back_gets_only_the_cards_that_are_new(page, server, orders):
    sockets: list[tuple[WebSocketRoute, WebSocketRoute]] = []
    cards: list[str] = []

    def noted(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()
        sockets.append((socket, upstream))

        def pass_on(message: str | bytes) -> None:
            if str(message).startswith("<"):
                cards.append(str(message))
            socket.send(message)

        upstream.on_message(pass_on)

    page.route_web_socket("**", noted)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    shows(page, "$6")
    etag = str(page.locator(STATES).get_attribute("data-etag"))
    cards.clear()
    socket, upstream = sockets[0]
    upstream.close()
    socket.close(code=1012)
    for _ in range(400):
        if len(sockets) == 2:
            break
        page.wait_for_timeout(50)
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
    expect(iframe.locator(STATES)).to_contain_text("$6")
    orders((1, 2, 3.0, "Utah"))
    expect(iframe.locator(STATES)).to_contain_text("Utah")


def test_a_foreign_site_may_not_embed_a_widget_unless_it_is_listed(
    context, server, site_environment, tmp_path, orders, foreign_site
):
    orders((1, 2, 3.0, "Ohio"))
    page = context.new_page()
    page.goto(f"{foreign_site}/?{server.url}/embed/states-by-turnover/")
    expect(page.frame_locator("iframe").locator(STATES)).to_have_count(0)
    with processes.daphne(
        site_environment | {"LIVE_FRAME_ANCESTORS": foreign_site}, tmp_path / "log"
    ) as listed:
        page.goto(f"{foreign_site}/?{listed.url}/embed/states-by-turnover/")
        iframe = page.frame_locator("iframe")
        expect(iframe.locator(STATES)).to_contain_text("$6")
        expect(iframe.locator("#badge")).to_have_attribute("data-state", "live")


def test_people_log_in_to_a_closed_dashboard_and_see_it_live(page, closed_server, orders, django_user_model):
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


def test_the_admin_keeps_to_the_policy(page, server, orders, admin_user):
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url + "/admin/demo_shop/order/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#result_list")).to_contain_text("Ohio")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_overflows_on_any_screen(browser, server, orders, scheme, width):
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
