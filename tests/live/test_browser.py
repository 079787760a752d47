"""The dashboard and the widget in a real Chromium: an order is inserted, and the page changes."""

from __future__ import annotations

import http.server
import re
import threading
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests import processes
from tests.browser import STATES_CARD, badge, requests_of, shows
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    # Morphed, not replaced: Ohio's element is still there, now in the second place. Its bar is 6 of 106.
    assert row.evaluate("row => row.isConnected && row.querySelector('.name').textContent") == "Ohio"
    assert row.evaluate("row => row.querySelector('.rank').textContent") == "2"
    page.wait_for_function("row => row.querySelector('rect').getAttribute('width') === '5.7'", arg=row)


def test_without_javascript_the_page_reloads_itself(browser, server, orders):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    shows(page, "$6")
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")
    context.close()


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
    expect(page.locator("#badge-detail")).to_have_text(re.compile(r"since [\d:]{8} · [1-4] changes? waits?"))
    expect(page.locator(f"{STATES_CARD} .as-of")).to_have_text(re.compile(r"as of [\d:]{8}"))
    expect(page.locator("time:visible")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    shows(page, "Utah")
    badge(page, "live")


def test_a_widget_in_a_page_of_this_site_is_live(page, server, orders):
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url + "/login/")
    # As the snippet has it, in a page of the same origin.
    page.evaluate(
        """() => {
          const iframe = document.createElement('iframe');
          iframe.src = '/embed/states-by-turnover/';
          iframe.sandbox = 'allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox';
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
    page.get_by_label("Menu").click()
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
