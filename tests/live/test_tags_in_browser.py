"""Another project's page with the template tags, in a real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.browser import STATES_CARD, requests_of
from tests.conftest import BOTH
from tests.live.test_tags import ONE, OTHER, render, static_files  # noqa: F401

if TYPE_CHECKING:
    from tests.processes import Server

pytestmark = [BOTH, pytest.mark.browser]
ITEMS_CARD = "#ranking-products-by-quantity"
HTMX = '<script src="/static/live/vendor/htmx-4.0.1/htmx.min.js"></script>'


def open_page(page: Page, server: Server, head: str, body: str) -> None:
    """Open a page of the site with this head and body, under the site's strict Content-Security-Policy."""
    # The content replaces that of a real page: Chromium takes a page from route.fulfill() for one from the
    # internet, which may open no socket to this machine.
    page.goto(f"{server.url}/healthz/")
    page.set_content(
        f"<!doctype html><html><head><title>A page</title>{head}</head><body>{body}</body></html>"
    )


def rendered(head: str, body: str) -> tuple[str, str]:
    """Render the tags of a head and a body, with one request."""
    head, _, body = render(f"{head}<!--body-->{body}").partition("<!--body-->")
    return head, body


@pytest.mark.parametrize("socket", [True, False])
@pytest.mark.parametrize("htmx", ["", " htmx=False"])
def test_two_rankings_in_different_places_are_kept_up_to_date(page, server, orders, socket, htmx):
    if socket:
        page.route("**/partials/**", lambda route: route.abort())
    else:
        page.route_web_socket("**", lambda route: route.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    head, body = rendered(
        f"{{% live_head{htmx} %}}{HTMX if htmx else ''}",
        f"<section>{ONE}</section><p>Text</p><aside>{OTHER}</aside>{{% live_scripts{htmx} %}}",
    )
    scripts: list[str] = []
    page.on("request", lambda request: scripts.append(request.url) if "htmx.min" in request.url else None)
    open_page(page, server, head, body)
    expect(page.locator(f"section {STATES_CARD}")).to_contain_text("$6")
    expect(page.locator(f"aside {ITEMS_CARD}")).to_contain_text("Espresso Beans")
    page.evaluate("window.mark = 'not reloaded'")
    orders((2, 7, 10.0, "Utah"))
    expect(page.locator(f"section {STATES_CARD}")).to_contain_text("$70")
    expect(page.locator(f"aside {ITEMS_CARD} .live-row").first).to_contain_text("Green Tea")
    assert page.evaluate("window.mark") == "not reloaded"
    assert len(scripts) == 1
    expect(page.locator(".live-card")).to_have_count(2)


def test_a_visitor_without_a_login_gets_the_link_once(page, closed_server, orders):
    """As in a page of an asynchronous view, which can't look up the user."""
    head, body = rendered("{% live_head %}", ONE + "{% live_scripts %}")
    body = body.replace("?next=%2Fpage%2F%3Fa%3Db", "?next=%2Felsewhere%2F")
    page.clock.install()
    with requests_of(page) as requests:
        open_page(page, closed_server, head, body)
        page.evaluate("window.mark = 'not reloaded'")
        link = page.locator(STATES_CARD).get_by_role("link", name="Log in")
        expect(link).to_have_attribute("href", "/login/?next=%2Felsewhere%2F")
        page.clock.run_for(10_000)
    # The socket may be refused before the first poll or after it.
    assert len([url for url in requests if "/partials/" in url]) <= 1
    assert len([url for url in requests if "/ws/" in url]) == 1
    assert page.evaluate("window.mark") == "not reloaded"
